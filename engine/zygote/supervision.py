"""Waits for the end of one check: its claim, its exit, or the limit that it passed.

Used for every check that does not claim within its first wait, prints, or may start processes. Time is never taken for
granted: a check that seems asleep is ended only once the host has said how long it was kept waiting for a processor.
"""

from __future__ import annotations

import os
import select
from time import monotonic
from typing import Any

from ..protocol import frames, unit
from ..protocol.claim import Ending
from ..protocol.setup import Setup
from .capture import Capture
from .channel import HostGone, Inbox, Outbox
from .ending import (
    CANCELLED,
    CPU_LIMIT,
    CPU_LIMIT_IN_DOUBT,
    OUTPUT_LIMIT,
    WALL_LIMIT,
    WALL_LIMIT_IN_DOUBT,
    clock,
    drain,
    take,
)
from .feed import Feed
from .group import CheckGroup

POLLIN, POLLOUT = select.POLLIN, select.POLLOUT
ASK_FIRST_S = 0.1  # from then on the host counts how long the processor of a check with several processes stands idle
ASK_AGAIN_S = 0.05
LOOK_AGAIN_S = 0.05  # where other processes of the check may end or burn time unseen
TAKES_ITS_TIME_S = 0.02  # from then on the checks behind it go elsewhere
LEFT_S = 0.005  # after its channel closed, until it is gone
SILENT_S = 0.001  # once it can say nothing any more: its end is a matter of microseconds, or it closed all of them itself
OVERTIME, OVERTIME_MOST = 0.02, 0.2  # of the budget; see overtime_s
WAITED = 0.05


class Watched:
    """A running check as its supervisor sees it."""

    def __init__(
        self,
        check_id: int,
        pid: int,
        reader: int,
        began: float,
        claims: unit.AnyReader,
        capture: Capture | None,
        group: CheckGroup | None,
        group_cpu_s: float | None,
        feed: Feed | None = None,
    ) -> None:
        self.check_id, self.pid, self.reader, self.began, self.claims = check_id, pid, reader, began, claims
        self.capture, self.feed = capture, feed
        self._clock = (~pid << 3) | 2  # the process's CPU clock, see clock_getcpuclockid(3)
        self._group = group if group_cpu_s is not None else None
        self._group_before_s = group_cpu_s or 0.0
        self._cpu_s = 0.0
        self.passed_s = 0.0
        """Processor seconds when the budget was found to be spent; 0 while it is not."""

    def wall_s(self) -> float:
        return monotonic() - self.began

    def cpu_s(self) -> float:
        """Processor seconds so far: of the whole tree where its group counts them, else of the process."""
        self._cpu_s = clock(self._clock, self._cpu_s)
        if self._group is None:
            return self._cpu_s
        return (self._group.cpu_s() or 0.0) - self._group_before_s


class Waiting:
    """For how long the check was kept from running by others, of what its host counts for it.

    The host adds up its threads, and those that wait for each other wait all at once. So no more of it counts than the time
    that passed without any of them running and without their processor standing idle.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._told = (0.0, 0.0)  # waited and idle seconds, by the last answer
        self._asked = self._asked_before = (0.0, 0.0)  # wall and cpu seconds at this question, and at the last one
        self._answered_cpu_s = 0.0

    def ask(self, wall_s: float, cpu_s: float) -> None:
        self._asked_before, self._asked = self._asked, (wall_s, cpu_s)

    def idle_s(self) -> float:
        """For how long it had been asleep when the question was asked, for certain: what came after that may have been spent
        waiting, while the answer was on its way to a zygote that waits as well."""
        return self._asked[0] - self._asked[1] - self.seconds

    def answer(self, told: frames.RunDelay, wall_s: float, cpu_s: float) -> None:
        """The host measured at some time between the question and now. Wherever that was, this much time at most has passed
        since it measured last in which the check may have been kept from running."""
        waited_s, idle_s = told.waited_us / 1e6, told.idle_us / 1e6
        passed_s = (wall_s - self._asked_before[0]) - (self._asked[1] - self._answered_cpu_s) - (idle_s - self._told[1])
        in_all_s = wall_s - self._asked[1] - idle_s
        self.seconds = min(self.seconds + max(0.0, min(waited_s - self._told[0], passed_s)), max(self.seconds, in_all_s))
        self._told, self._answered_cpu_s = (waited_s, idle_s), cpu_s


def overtime_s(setup: Setup, waited_s: float) -> float:
    """How much longer than its budget a check runs on, so that a limit that is near shows as such: a check that ends by itself
    in that time may end within its budget on another day. What others ran while it waited bounds what they can have cost it,
    by emptying caches; the rest is for clocks."""
    if not setup.confirm:
        return 0.0
    if setup.processes > 1:  # nothing tells how long a tree of them waited
        return OVERTIME_MOST * setup.cpu_s
    return min(OVERTIME_MOST * setup.cpu_s, OVERTIME * setup.cpu_s + waited_s)


def hand_back(inbox: Inbox, outbox: Outbox) -> None:
    """The running check takes its time: those behind it go back to the host. Programs stay."""
    last_id = inbox.look_ahead()
    if last_id is not None:
        outbox.say(frames.Returns(last_id))


def wait_for_end(watched: Watched, inbox: Inbox, outbox: Outbox, setup: Setup) -> tuple[Ending | None, tuple[int, Any] | None]:
    """(ending or None, (exit status, usage) where the process was reaped already). Raises HostGone."""
    reader, capture, host = watched.reader, watched.capture, inbox.fd
    handed_back = capture is None  # those come here only after a first wait
    if handed_back:
        hand_back(inbox, outbox)
        if inbox.is_cancelled(watched.check_id):
            return CANCELLED, None
    waiting = Waiting()
    until_s = setup.cpu_s
    asked = False
    ask_again = 0.0
    open_still = True
    streams = len(capture.readers) if capture else 0
    poller = select.poll()
    poller.register(reader, POLLIN)
    for stream in capture.readers if capture else ():
        poller.register(stream, POLLIN)
    feed = watched.feed
    if feed is not None and feed.open:
        poller.register(feed.writer, POLLOUT)
    while True:
        wall, cpu = watched.wall_s(), watched.cpu_s()
        idle = wall - cpu - waiting.seconds
        if not handed_back and wall >= TAKES_ITS_TIME_S:
            handed_back = True
            hand_back(inbox, outbox)
        if cpu >= until_s:
            if watched.passed_s or not setup.confirm:
                return CPU_LIMIT, None
            watched.passed_s = cpu
            until_s = setup.cpu_s + overtime_s(setup, max(0.0, wall - cpu))
            continue
        if wall >= setup.wall_s:
            return CPU_LIMIT_IN_DOUBT if watched.passed_s else WALL_LIMIT_IN_DOUBT, None
        first = setup.processes > 1 and ask_again == 0.0 and wall >= ASK_FIRST_S
        if not asked and (first or (idle >= setup.idle_s and wall >= ask_again)):
            outbox.say(frames.AsksRunDelay(watched.check_id))
            waiting.ask(wall, cpu)
            asked = True
        all_sent = outbox.send()
        # A hang-up is always told.
        poller.register(host, (0 if inbox.is_full() else POLLIN) | (0 if all_sent else POLLOUT))
        pause = until_s - cpu
        if not asked:
            pause = min(pause / setup.processes, max(setup.idle_s - idle, ask_again - wall))
        if not handed_back:
            pause = min(pause, TAKES_ITS_TIME_S - wall)
        if not open_still:
            pause = min(pause, LEFT_S if streams else SILENT_S)
        elif setup.processes > 1:
            pause = min(pause, LOOK_AGAIN_S)
        pause = min(pause, setup.wall_s - wall)
        for fd, event in poller.poll(max(1, pause * 1000 + 0.999)):
            if fd == reader:
                ended, open_still = take(reader, watched.claims)
                if ended is not None:
                    return ended, None
                if not open_still:
                    poller.unregister(reader)
            elif feed is not None and fd == feed.writer:
                poller.unregister(fd)
                feed.advance()
                if feed.open:
                    poller.register(fd, POLLOUT)
            elif fd != host:
                assert capture is not None
                if not capture.take(fd):
                    poller.unregister(fd)
                    streams -= 1
                if capture.exceeded:
                    return OUTPUT_LIMIT, None
            elif event & ~(POLLIN | POLLOUT):
                raise HostGone()
            elif event & POLLIN:
                inbox.receive()
                if handed_back:
                    hand_back(inbox, outbox)
                if inbox.is_cancelled(watched.check_id):
                    return CANCELLED, None
                told = inbox.take_run_delay(watched.check_id)
                if told is None:
                    continue
                asked = False
                if told.waited_us < 0:
                    waiting.seconds = setup.wall_s  # this kernel does not tell: only the backstop can decide
                    continue
                wall, cpu = watched.wall_s(), watched.cpu_s()
                waiting.answer(told, wall, cpu)
                ask_again = wall + ASK_AGAIN_S
                # A wait that is not over is not counted yet. Of several processes one could be made to wait for ever.
                if told.runnable and setup.processes == 1:
                    continue
                if waiting.idle_s() >= setup.idle_s:
                    if watched.passed_s:  # it was near its other limit and sleeps now
                        return CPU_LIMIT, None
                    return WALL_LIMIT_IN_DOUBT if waiting.seconds > WAITED * setup.idle_s else WALL_LIMIT, None
        if not open_still or setup.processes > 1:
            got, status, usage = os.wait4(watched.pid, os.WNOHANG)
            if got:
                # Its last words may still be in the channel.
                ended = drain(reader, watched.claims) if open_still else None
                return ended or watched.claims.provisional, (status, usage)
