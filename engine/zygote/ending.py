"""How a check's end is read: from its processor clock, its last words in the pipe, its exit status."""

from __future__ import annotations

import json
import os
import signal
import time

from ..protocol import claim, wire
from ..protocol.claim import Claim

CHUNK_BYTES = 1 << 16
CPU_LIMIT = ("cpu-limit", b"{}", b"", 0)
CPU_LIMIT_IN_DOUBT = ("cpu-limit", b"{}", b"", wire.IN_DOUBT)
WALL_LIMIT = ("wall-limit", b"{}", b"", 0)
WALL_LIMIT_IN_DOUBT = ("wall-limit", b"{}", b"", wire.IN_DOUBT)
LIMITS_ON_TIME = (CPU_LIMIT, CPU_LIMIT_IN_DOUBT, WALL_LIMIT, WALL_LIMIT_IN_DOUBT)
CANCELLED = (wire.CANCELLED, b"", b"", 0)
KILLED = (wire.KILLED, b"", b"", 0)
OUTPUT_LIMIT = ("output-limit", b'{"reason": "more was printed than is kept"}', b"", 0)
MEMORY_LIMIT = ("memory-limit", b'{"reason": "the kernel ended a process for want of memory"}', b"", 0)


def _signalled(name: str) -> Claim:
    report = {"type": name, "message": "the process was ended by %s" % name, "lines": []}
    return ("exception", json.dumps(report).encode(), b"", 0)


def clock(clock: int, last: float) -> float:
    try:
        return time.clock_gettime(clock)
    except OSError:
        return last  # already reaped, or a zombie on kernels that say so


def drain(reader: int, claims: claim.Reader) -> Claim | None:
    while True:
        try:
            data = os.read(reader, 1 << 16)
        except BlockingIOError:
            return None
        if not data:
            return None
        ended = claims.feed(data)
        if ended is not None:
            return ended


def from_status(status: int) -> Claim:
    """The claim that an exit status without a claim amounts to."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGSYS:
            return ("denied", b'{"reason": "a system call that the jail forbids (SIGSYS)"}', b"", 0)
        if number == signal.SIGKILL:
            return KILLED
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = "signal %d" % number
        return _signalled(name)
    return ("early-exit", json.dumps({"code": os.WEXITSTATUS(status), "by": "exit"}).encode(), b"", 0)


def empty_scratch(path: str = "/scratch") -> bool:
    """Removes plain files at the top; anything more means a new worker, which is cheaper than trusting a clean-up."""
    names = os.listdir(path.encode())
    if not names:
        return True
    if len(names) > 64:
        return False
    for name in names:
        full = os.path.join(path.encode(), name)
        try:
            os.unlink(full)
        except OSError:
            return False
    return True
