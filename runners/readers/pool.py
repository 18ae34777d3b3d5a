"""This side of the readers: blocks out, answers back in the order of the blocks."""

import contextlib
import os
import pickle
import select
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from reexec.engine.version import VERSION

from ..rows.row import Lines
from . import link

PATIENCE_S = 20.0
"""A block is work of a hundredth of a second."""
MOST_BLOCK_BYTES = 1 << 20
"""What is larger is done here, so that a reader's memory is known."""
_COMMAND = (
    "import sys; path = {path}; sys.path[:] = path; "
    "from reexec.runners.readers.process import main; main({control}, {parent}, {slots}, {terms})"
)
_BROKEN = (OSError, EOFError, ValueError, TypeError)
"""What talking to a reader raises where it is gone or has lost its senses."""


class _Given:
    """A block on its way."""

    __slots__ = ("answer", "block", "given_at", "reader")

    def __init__(self, block: Lines) -> None:
        self.block, self.answer = block, None
        self.reader: _Reader | None = None
        self.given_at = 0.0

    block: Lines
    answer: Any
    """None until there is one."""


class _Reader:
    """One process. Its methods raise what `_BROKEN` holds."""

    def __init__(self, maker: str, terms: Any, passed: Sequence[int]) -> None:
        self.slots: list[int] = []
        self.free = list(range(link.SLOTS))
        self.in_hand: dict[int, _Given] = {}
        self.is_ready = False
        self.line, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        wanted = os.memfd_create("reexec-terms", os.MFD_CLOEXEC)
        try:
            self.slots = [os.memfd_create("reexec-block", os.MFD_CLOEXEC) for _ in range(link.SLOTS)]
            about = {"version": VERSION, "digits": sys.get_int_max_str_digits(), "maker": maker, "terms": terms}
            with open(wanted, "wb", closefd=False) as file:
                pickle.dump(about, file)
            os.lseek(wanted, 0, os.SEEK_SET)
            command = _COMMAND.format(
                path=ascii([place for place in sys.path if isinstance(place, str)]),
                control=far.fileno(),
                parent=os.getpid(),
                slots=self.slots,
                terms=wanted,
            )
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-c", command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(far.fileno(), *self.slots, wanted, *passed),
                start_new_session=True,
            )
        except BaseException:
            self._close()
            raise
        finally:
            far.close()
            os.close(wanted)

    def give(self, given: _Given) -> None:
        slot = self.free[-1]
        size = link.put(self.slots[slot], given.block.lines)
        self.line.send(link.packed(slot, size), socket.MSG_NOSIGNAL)
        self.free.pop()
        self.in_hand[slot] = given
        given.reader, given.given_at = self, time.monotonic()

    def hear(self) -> int:
        """One message, which there is. Returns how many lines were answered."""
        slot, size = link.unpacked(self.line.recv(link.MESSAGE_BYTES))
        if slot == link.READY:
            self.is_ready = True
            return 0
        given = self.in_hand.get(slot)
        if given is None:
            raise ValueError("an answer that nobody asked for")
        given.answer = link.get(self.slots[slot], size)  # where that fails, the block is in hand still
        given.reader = None
        del self.in_hand[slot]
        self.free.append(slot)
        return len(given.block.lines)

    def end(self) -> None:
        for given in self.in_hand.values():
            given.reader = None
        self.in_hand.clear()
        with contextlib.suppress(OSError):
            self.process.kill()
        self.process.wait()
        self._close()

    def _close(self) -> None:
        self.line.close()
        for slot in self.slots:
            os.close(slot)
        self.slots = []


class Readers:
    """Blocks go in by `put`, and come out of it and of `finish` with what `work` makes of their lines, whoever did it.

    maker:   "module:name" of what a reader calls with `terms`, which can be pickled, to get the same as `work`
    passed:  descriptors that the terms name
    """

    def __init__(self, work: Callable[[Sequence[bytes]], Any], maker: str, terms: Any, passed: Sequence[int] = ()) -> None:
        self._work, self._maker, self._terms, self._passed = work, maker, terms, passed
        self._readers: list[_Reader] = []
        self._on_the_way: deque[_Given] = deque()
        self.done_beside = 0
        """Lines whose answers came from readers."""

    def start(self, count: int) -> None:
        """Starts so many. They take part as soon as they are ready; nobody waits for them."""
        if getattr(sys, "frozen", False):
            return  # this program is no interpreter
        for _ in range(count):
            try:
                self._readers.append(_Reader(self._maker, self._terms, self._passed))
            except (OSError, subprocess.SubprocessError):
                return

    def close(self) -> None:
        self._on_the_way.clear()
        while self._readers:
            self._readers.pop().end()

    def put(self, block: Lines) -> Iterator[tuple[Lines, Any]]:
        """Takes one more block; gives those that are next in order and done."""
        given = _Given(block)
        self._on_the_way.append(given)
        self._hear(0)
        while not self._hand_out(given) and given.answer is None:
            head = self._on_the_way[0]
            if head.reader is None or len(self._on_the_way) <= self._most:
                given.answer = self._work(block.lines)
            else:
                self._wait_for(head)
                yield from self._done()
        yield from self._done()

    def finish(self) -> Iterator[tuple[Lines, Any]]:
        """The rest of them."""
        while self._on_the_way:
            head = self._on_the_way[0]
            if head.reader is not None:
                self._wait_for(head)
            yield from self._done()

    @property
    def _most(self) -> int:
        """Blocks on the way: what a slow one at their head keeps in memory."""
        return 2 * link.SLOTS * (len(self._readers) + 1)

    def _done(self) -> Iterator[tuple[Lines, Any]]:
        while self._on_the_way:
            head = self._on_the_way[0]
            if head.answer is None:
                if head.reader is not None:
                    return
                head.answer = self._work(head.block.lines)  # its reader was given up
            self._on_the_way.popleft()
            yield head.block, head.answer

    def _hand_out(self, given: _Given) -> bool:
        """To the reader that has least in hand."""
        if sum(map(len, given.block.lines)) > MOST_BLOCK_BYTES:
            return False
        while ready := [reader for reader in self._readers if reader.is_ready and reader.free]:
            reader = min(ready, key=lambda each: len(each.in_hand))
            try:
                reader.give(given)
            except _BROKEN:
                self._give_up(reader)
            else:
                return True
        return False

    def _hear(self, wait_s: float) -> None:
        """What readers have to say by now."""
        if not self._readers:
            return
        poll = select.poll()
        readers = {reader.line.fileno(): reader for reader in self._readers}
        for number in readers:
            poll.register(number, select.POLLIN)
        while events := poll.poll(wait_s * 1000):
            for number, _ in events:
                reader = readers[number]
                try:
                    self.done_beside += reader.hear()
                except _BROKEN:
                    poll.unregister(number)
                    self._give_up(reader)
            wait_s = 0.0

    def _wait_for(self, given: _Given) -> None:
        """Until its answer is there or its reader given up."""
        while (reader := given.reader) is not None:
            left_s = given.given_at + PATIENCE_S - time.monotonic()
            if left_s <= 0:
                self._give_up(reader)
            else:
                self._hear(left_s)

    def _give_up(self, reader: _Reader) -> None:
        self._readers.remove(reader)
        reader.end()
