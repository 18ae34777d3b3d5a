"""The zygote's end of the socket to its host: frames in, frames out, and the end when the host hangs up.

Answers wait here until they are sent together: each wake-up of the host costs it as much as several checks' bookkeeping.
"""

from __future__ import annotations

import os
from typing import Any, List, Tuple

from ..protocol import wire
from ..protocol.claim import Claim

CHANNEL_BYTES = 1 << 20

Ending = Tuple[Claim, float, float, int]  # the claim, cpu_s, wall_s, peak_kib
Printed = Tuple[bytes, bytes]  # what a check wrote to standard output and standard error


class HostGone(BaseException):
    """The host hung up: everything is to end."""


class Channel:
    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.unsent: list[tuple[int, Ending, Printed | None]] = []
        self._decoder = wire.Decoder(wire.HOST_SAYS, 1 << 30)
        self._frames: List[List[Any]] = []
        self._run_delay: tuple[int, float | None] | None = None  # (check id, seconds or None), the host's last answer
        self._cancelled: set[int] = set()

    def say(self, *frame: Any) -> None:
        self.flush()
        self._send(wire.encode(*frame))

    def last_words(self, end: int, words: str) -> None:
        try:
            self.say("fails", int(end), words[-2000:])
        except HostGone:
            pass

    def flush(self) -> None:
        if self.unsent:
            frames = []
            for number, (claimed, cpu_s, wall_s, peak), printed in self.unsent:
                if printed is not None and any(printed):
                    frames.append(wire.encode("printed", number, *printed))
                kind, payload, note, flags = claimed
                frames.append(wire.encode_result(number, kind, payload, note, int(cpu_s * 1e6), int(wall_s * 1e6), peak, flags))
            self.unsent.clear()
            self._send(b"".join(frames))

    def next_frame(self) -> list[Any]:
        while not self._frames:
            self.flush()
            self.receive()
        return self._frames.pop(0)

    def expect(self, kind: str) -> list[Any]:
        frame = self.next_frame()
        if frame[0] != kind:
            raise wire.ProtocolError("%s before %s" % (frame[0], kind))
        return frame

    def receive(self) -> None:
        """Waits for bytes; checks and programs go into the queue, an answer on run delay is kept for take_run_delay."""
        try:
            data = os.read(self.fd, CHANNEL_BYTES)
        except ConnectionResetError:
            data = b""
        if not data:
            raise HostGone()
        for frame in self._decoder.feed(data):
            if frame[0] == "run_delay":
                self._run_delay = (frame[1], frame[2] / 1e6 if frame[2] >= 0 else None)
            elif frame[0] == "cancel":
                self._cancelled.add(frame[1])
            else:
                self._frames.append(frame)

    def is_cancelled(self, check_id: int) -> bool:
        """Whether the host no longer wants this check's answer, as far as it was read."""
        cancelled = self._cancelled
        if not cancelled:
            return False
        self._cancelled = {number for number in cancelled if number >= check_id}
        return check_id in cancelled

    def hand_back(self) -> None:
        """The running check takes its time: those behind it go back to the host. Programs stay."""
        behind = [frame[1] for frame in self._frames if frame[0] == "check"]
        if behind:
            self._frames = [frame for frame in self._frames if frame[0] != "check"]
            self.say("returns", behind[-1])

    def take_run_delay(self, check_id: int) -> tuple[int, float | None] | None:
        """The host's answer about this check, once; None where there is none yet."""
        answer = self._run_delay
        if answer is None or answer[0] != check_id:
            return None
        self._run_delay = None
        return answer

    def _send(self, data: bytes) -> None:
        try:
            sent = os.write(self.fd, data)
            while sent < len(data):
                sent += os.write(self.fd, memoryview(data)[sent:])
        except (BrokenPipeError, ConnectionResetError):
            raise HostGone() from None
