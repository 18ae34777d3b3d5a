"""Waits for the end of one check: its claim, its exit, or the limit that it passed.

Used for every check that does not claim within its first wait, prints, or may start processes. Time is never taken for
granted: a check that seems asleep is ended only once the host has said how long it was kept waiting for a processor.
"""

from __future__ import annotations

import os
import select
import time
from typing import Any, Dict

from ..protocol import claim
from ..protocol.claim import Claim
from .capture import Capture
from .channel import Channel, HostGone
from .ending import (
    CANCELLED,
    CHUNK_BYTES,
    CPU_LIMIT,
    CPU_LIMIT_IN_DOUBT,
    OUTPUT_LIMIT,
    WALL_LIMIT,
    WALL_LIMIT_IN_DOUBT,
    clock,
    drain,
)
from .group import CheckGroup

ASK_AGAIN_S = 0.05
LOOK_AGAIN_S = 0.05  # where other processes of the check may end or burn time unseen
LEFT_S = 0.005  # after its pipe closed, until it is gone
OVERTIME, OVERTIME_MOST = 0.02, 0.2  # of the budget; see overtime_s
WAITED = 0.05


class Watched:
    """A running check as its supervisor sees it."""

    def __init__(
        self,
        pid: int,
        reader: int,
        began: float,
        claims: claim.Reader,
        capture: Capture | None,
        group: CheckGroup | None,
        group_cpu_s: float | None,
    ) -> None:
        self.pid, self.reader, self.began, self.claims = pid, reader, began, claims
        self.capture = capture
        self._clock = (~pid << 3) | 2  # the process's CPU clock, see clock_getcpuclockid(3)
        self._group = group if group_cpu_s is not None else None
        self._group_before_s = group_cpu_s or 0.0
        self._cpu_s = 0.0
        self.passed_s = 0.0
        """Processor seconds when the budget was found to be spent; 0 while it is not."""

    def cpu_s(self) -> float:
        """Processor seconds so far: of the whole tree where its group counts them, else of the process."""
        self._cpu_s = clock(self._clock, self._cpu_s)
        if self._group is None:
            return self._cpu_s
        return (self._group.cpu_s() or 0.0) - self._group_before_s

    def idle_s(self, run_delay_s: float) -> float:
        return time.monotonic() - self.began - self.cpu_s() - run_delay_s


def overtime_s(config: Dict[str, Any], waited_s: float) -> float:
    """How much longer than its budget a check runs on, so that a limit that is near shows as such: a check that ends by itself
    in that time may end within its budget on another day. What others ran while it waited bounds what they can have cost it,
    by emptying caches; the rest is for clocks."""
    if not config["confirm"]:
        return 0.0
    cpu_s: float = config["cpu_s"]
    if config["processes"] > 1:  # nothing tells how long a tree of them waited
        return OVERTIME_MOST * cpu_s
    return min(OVERTIME_MOST * cpu_s, OVERTIME * cpu_s + waited_s)


def wait_for_end(
    check_id: int, watched: Watched, channel: Channel, config: Dict[str, Any], claimed: Claim | None
) -> tuple[Claim | None, tuple[int, Any] | None]:
    """(claim or None, (exit status, usage) where the process was reaped already). Raises HostGone."""
    channel.flush()
    channel.hand_back()
    reader, capture = watched.reader, watched.capture
    tasks, cpu_s, idle_s, wall_s = config["processes"], config["cpu_s"], config["idle_s"], config["wall_s"]
    poller = select.poll()
    poller.register(reader, select.POLLIN)
    poller.register(channel.fd, select.POLLIN)
    for stream in capture.readers if capture else ():
        poller.register(stream, select.POLLIN)
    delay = 0.0  # time spent runnable, as far as known
    until_s = cpu_s
    asked = False
    ask_again = 0.0
    pipe_open = True
    while claimed is None:
        wall = time.monotonic() - watched.began
        cpu = watched.cpu_s()
        idle = watched.idle_s(delay)
        if cpu >= until_s:
            if watched.passed_s or not config["confirm"]:
                return CPU_LIMIT, None
            watched.passed_s = cpu
            until_s = cpu_s + overtime_s(config, max(0.0, wall - cpu))
            continue
        if wall >= wall_s:
            return CPU_LIMIT_IN_DOUBT if watched.passed_s else WALL_LIMIT_IN_DOUBT, None
        if idle >= idle_s and not asked and wall >= ask_again:
            channel.say("asks_run_delay", check_id)
            asked = True
        pause = until_s - cpu
        if not asked:
            pause = min(pause / tasks, max(idle_s - idle, ask_again - wall))
        if not pipe_open:
            pause = min(pause, LEFT_S)
        elif tasks > 1:
            pause = min(pause, LOOK_AGAIN_S)
        pause = min(pause, wall_s - wall)
        for fd, event in poller.poll(max(1, pause * 1000 + 0.999)):
            if fd == reader:
                data = os.read(reader, CHUNK_BYTES)
                if data:
                    claimed = watched.claims.feed(data)
                    if claimed is not None:
                        break
                else:
                    pipe_open = False
                    poller.unregister(reader)
            elif fd != channel.fd:
                assert capture is not None
                if not capture.take(fd):
                    poller.unregister(fd)
                if capture.exceeded:
                    return OUTPUT_LIMIT, None
            elif event & select.POLLIN:
                channel.receive()
                channel.hand_back()
                if channel.is_cancelled(check_id):
                    return CANCELLED, None
                answer = channel.take_run_delay(check_id)
                if answer is not None:
                    asked = False
                    if answer[1] is None:
                        delay = wall_s  # this kernel does not tell: only the backstop can decide
                        continue
                    delay, ask_again = answer[1], time.monotonic() - watched.began + ASK_AGAIN_S
                    if watched.idle_s(delay) >= idle_s:
                        if watched.passed_s:  # it was near its other limit and sleeps now
                            return CPU_LIMIT, None
                        return WALL_LIMIT_IN_DOUBT if delay > WAITED * idle_s else WALL_LIMIT, None
            else:
                raise HostGone()
        if claimed is None and (not pipe_open or tasks > 1):
            got, status, usage = os.wait4(watched.pid, os.WNOHANG)
            if got:
                if pipe_open:  # its last words may still be in the pipe
                    os.set_blocking(reader, False)
                    claimed = drain(reader, watched.claims)
                return claimed or watched.claims.provisional, (status, usage)
    return claimed, None
