"""The zygote's end of the socket to its host: frames in, frames out, and the end when the host hangs up.

Both ways lie in the region that forks do not copy: what the host sent ahead stays where it arrived until its turn, and a
result is put together where the child's bytes came in. Nothing here waits while a check runs; where the host does not read,
or an area is full, its peer has to wait.

Answers wait until they are sent together: each wake-up of the host costs it as much as several checks' bookkeeping.
"""

from __future__ import annotations

import os
import select
from typing import Any, NamedTuple

from ..protocol import frames
from ..protocol.claim import Ending
from .secrets import KEPT_BYTES, Region, copy, move

POLLIN, POLLOUT = select.POLLIN, select.POLLOUT
_readv, _write = os.readv, os.write
_RESULT = frames.RESULT
_HEAD = _RESULT.head.size
_pack_result = _RESULT.head.pack_into
_AHEAD_BYTES = 2 << 20  # checks that the host sends ahead, and some of their programs


class Dropped(NamedTuple):
    """Stands where a check went back to the host before its turn."""


_DROPPED = frames.Layout(0, Dropped, "")
_HEARD = {**frames.HOST_SAYS, _DROPPED.code: _DROPPED}


class HostGone(BaseException):
    """The host hung up: everything is to end."""


class Inbox:
    """What the host sent and the zygote has not dealt with."""

    @staticmethod
    def bytes(blob_bytes: int) -> int:
        """Size of the area: a program, the call of its check, and what came before them, so that an answer on run delay can
        always be read behind that."""
        return 2 * blob_bytes + _AHEAD_BYTES

    def __init__(self, fd: int, region: Region, blob_bytes: int) -> None:
        self.fd = fd
        self._region = region
        self._view = region.view
        self._begin, self._limit = region.area(self.bytes(blob_bytes))
        self._head = self._tail = self._begin
        self._scanned = self._begin  # what lies before it has been looked at by look_ahead
        self._most = blob_bytes + (1 << 16)
        self._cancelled = -1
        self._run_delay: frames.RunDelay | None = None

    def receive(self) -> bool:
        """Takes what has arrived, without waiting; False where nothing had, or no room was left. Raises HostGone."""
        if self._tail == self._limit:
            self._move_down()
            if self._tail == self._limit:
                return False
        try:
            count = _readv(self.fd, [self._view[self._tail : self._limit]])
        except BlockingIOError:
            return False
        except ConnectionResetError:
            count = 0
        if not count:
            raise HostGone()
        self._tail += count
        return True

    def is_full(self) -> bool:
        return self._tail == self._limit and self._head == self._begin

    def layout(self) -> frames.Layout | None:
        """Of the next frame, once it is there as a whole. Raises ProtocolError."""
        return frames.whole(self._view, self._head, self._tail, _HEARD, self._most)

    def frame(self, layout: frames.Layout) -> Any:
        """The next frame; its blobs are views of the place where they lie, until the next call of `receive` or `drop`."""
        return layout.decode(self._view, self._head)

    def drop(self) -> None:
        """The next frame has been dealt with."""
        self._head += frames.size_at(self._view, self._head)
        if self._head == self._tail:
            self._region.release(self._begin + KEPT_BYTES, self._tail)
            self._head = self._tail = self._begin
        self._scanned = max(self._head, min(self._scanned, self._tail))

    def look_ahead(self) -> int | None:
        """While the check of the next frame runs: takes note of what the host has to say about it, and drops the checks behind
        it, which go back to the host. The last one's id, if there is one."""
        returned = None
        self._scanned = max(self._scanned, self._head + frames.size_at(self._view, self._head))
        while True:
            layout = frames.whole(self._view, self._scanned, self._tail, _HEARD, self._most)
            if layout is None:
                return returned
            if layout.frame is frames.RunDelay:
                self._run_delay = layout.decode(self._view, self._scanned)
            elif layout.frame is frames.Cancel:
                self._cancelled = layout.decode(self._view, self._scanned).check_id
            elif layout.frame is frames.Check or layout.frame is frames.Unit:
                returned = layout.decode(self._view, self._scanned).check_id
                self._view[self._scanned + frames.LENGTH.size] = _DROPPED.code
            self._scanned += frames.size_at(self._view, self._scanned)

    def is_cancelled(self, check_id: int) -> bool:
        """Whether nobody waits for this check's answer, as far as the host's words were looked at."""
        return self._cancelled == check_id

    def take_run_delay(self, check_id: int) -> frames.RunDelay | None:
        """The host's answer about this check, once; None where there is none yet."""
        answer = self._run_delay
        if answer is None or answer.check_id != check_id:
            return None
        self._run_delay = None
        return answer

    def _move_down(self) -> None:
        by = self._head - self._begin
        if by:
            move(self._view, self._begin, self._head, self._tail)
            self._head, self._tail, self._scanned = self._begin, self._tail - by, self._scanned - by


class Outbox:
    """What the host has not taken yet."""

    def __init__(self, fd: int, region: Region, needed: int) -> None:
        """`needed`: the most that one check and its answer ask for."""
        self._fd = fd
        self._region = region
        self._view = region.view
        self._begin, self._limit = region.area(self.bytes(needed))
        self._needed = needed
        self._head = self.tail = self._begin
        self._highest = self._begin
        self._poller = select.poll()
        self._poller.register(fd, POLLOUT)

    @staticmethod
    def bytes(needed: int) -> int:
        """Size of the area: results may wait while the next one comes in."""
        return needed + max(needed, _AHEAD_BYTES)

    @property
    def waiting(self) -> bool:
        return self._head < self.tail

    def place(self) -> int:
        """Where the next child's bytes may arrive so that its payload need not be moved: `needed` bytes are free from there,
        and before it there is room for the frame's head and for what is said meanwhile. Waits for the host where it has not
        read for long: no check runs then."""
        while self._limit - self.tail < self._needed + _HEAD:
            if self.send():
                break
            if self._head - self._begin >= self._needed + _HEAD - (self._limit - self.tail):
                move(self._view, self._begin, self._head, self.tail)
                self._head, self.tail = self._begin, self.tail - self._head + self._begin
                continue
            for _, event in self._poller.poll():
                if not event & POLLOUT:
                    raise HostGone()
        if self._highest > self._begin + KEPT_BYTES and not self.waiting:
            self._region.release(self._begin + KEPT_BYTES, self._highest)
            self._highest = self._begin
        return self.tail + _HEAD

    def reached(self, end: int) -> None:
        """A child's bytes came up to `end`."""
        self._highest = max(self._highest, end)

    def put_result(
        self,
        check_id: int,
        ending: Ending,
        cpu_us: int,
        wall_us: int,
        peak_kib: int,
        printed: tuple[memoryview, memoryview] | None,
        files: Ending | None = None,
    ) -> None:
        """`files`: the claim of the child that read them, which came in behind that of the check."""
        at, size = self.tail + _HEAD, ending.payload_bytes + ending.note_bytes
        end = at + size + (0 if printed is None else len(printed[0]) + len(printed[1]))
        files_at = end
        if files is not None:
            end += files.payload_bytes
            if files_at > files.at:  # out of the way of what goes before them
                move(self._view, files_at, files.at, files.at + files.payload_bytes)
        if ending.at < 0:
            self._view[at : at + size] = ending.text
        elif ending.at != at:
            move(self._view, at, ending.at, ending.at + size)
        lengths = 0, 0
        if printed is not None:
            lengths = len(printed[0]), len(printed[1])
            copy(self._view, at + size, printed[0])
            copy(self._view, at + size + lengths[0], printed[1])
        files_bytes = 0
        if files is not None:
            files_bytes = files.payload_bytes
            if files_at < files.at:
                move(self._view, files_at, files.at, files.at + files_bytes)
        _pack_result(
            self._view, self.tail, end - self.tail - frames.LENGTH.size, _RESULT.code,
            check_id, ending.kind, ending.flags, cpu_us, wall_us, peak_kib,
            ending.payload_bytes, ending.note_bytes, *lengths, files_bytes,
        )  # fmt: skip
        self.tail = end

    def say(self, frame: Any) -> None:
        """A frame without anything of a program's, shorter than a result's head; it leaves with the next `send`."""
        data = frames.encode(frame)
        self._view[self.tail : self.tail + len(data)] = data
        self.tail += len(data)

    def send(self) -> bool:
        """Sends what the host takes without being waited for; whether that is all there was. Raises HostGone."""
        try:
            while self._head < self.tail:
                self._head += _write(self._fd, self._view[self._head : self.tail])
        except BlockingIOError:
            return False
        except (BrokenPipeError, ConnectionResetError):
            raise HostGone() from None
        self._highest = max(self._highest, self.tail)
        self._head = self.tail = self._begin
        return True

    def last_words(self, *said: Any) -> None:
        """Everything that waits, then `said`: waits for the host, for nothing is to come after it."""
        os.set_blocking(self._fd, True)
        try:
            self.send()
            for frame in said:
                data = frames.encode(frame)
                while data:
                    data = data[_write(self._fd, data) :]
        except (HostGone, OSError):
            pass  # the host is gone: nobody is to hear it
