"""How a check's end is read: from its processor clock, its last words in its channel, its exit status."""

from __future__ import annotations

import json
import os
import signal
from time import clock_gettime

from ..protocol import claim, unit
from ..protocol.claim import Ending, ending

CPU_LIMIT = ending("cpu-limit")
CPU_LIMIT_IN_DOUBT = ending("cpu-limit", flags=claim.IN_DOUBT)
WALL_LIMIT = ending("wall-limit")
WALL_LIMIT_IN_DOUBT = ending("wall-limit", flags=claim.IN_DOUBT)
LIMITS_ON_TIME = (CPU_LIMIT, CPU_LIMIT_IN_DOUBT, WALL_LIMIT, WALL_LIMIT_IN_DOUBT)
CANCELLED = ending("cancelled", b"")
KILLED = ending("killed", b"")
OUTPUT_LIMIT = ending("output-limit", b'{"reason": "more was printed than is kept"}')
MEMORY_LIMIT = ending("memory-limit", b'{"reason": "the kernel ended a process because memory ran out"}')
CODE_LIMIT = ending("memory-limit", b'{"reason": "more code than a worker keeps"}')
_DENIED = ending("denied", b'{"reason": "a system call that the jail forbids (SIGSYS)"}')


def _signalled(number: int) -> Ending:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = "signal %d" % number
    report = {"type": name, "message": "the process was ended by %s" % name, "lines": []}
    return ending("exception", json.dumps(report).encode())


# Made beforehand, so that the text of no check's end is left in freed memory.
_BY_SIGNAL = {number: _signalled(number) for number in range(1, 128)}
_BY_CODE = [ending("early-exit", json.dumps({"code": code, "by": "exit"}).encode()) for code in range(256)]
_BY_SIGNAL[signal.SIGKILL] = KILLED
_BY_SIGNAL[signal.SIGSYS] = _DENIED


def clock(clock: int, last: float) -> float:
    try:
        return clock_gettime(clock)
    except OSError:
        return last  # already reaped, or a zombie on kernels that say so


def take(reader: int, claims: unit.AnyReader) -> tuple[Ending | None, bool]:
    """Reads what is there, without waiting: (the ending that it completes, whether more may come)."""
    try:
        count = os.readv(reader, [claims.free()])
    except BlockingIOError:
        return None, True
    return (claims.took(count), True) if count else (None, False)


def drain(reader: int, claims: unit.AnyReader) -> Ending | None:
    """What a process that has ended said last."""
    while True:
        before = claims.end
        ended, _ = take(reader, claims)
        if ended is not None or claims.end == before:
            return ended


def from_status(status: int) -> Ending:
    """The ending that an exit status without a claim amounts to."""
    if os.WIFSIGNALED(status):
        return _BY_SIGNAL[os.WTERMSIG(status)]
    return _BY_CODE[os.WEXITSTATUS(status)]
