"""Many calls at once: reads ahead within a window of rows and bytes, keeps the order, decodes what has come, cancels the rest.

Runs in the consumer's thread. The window counts arguments that wait, and answers from the moment they arrive, as bytes: what
is decoded is the caller's.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from reexec.policies.comparison import ComparisonRule

from .cache.reuse import Found, Reuse
from .errors import DeadlineExceededError
from .outcome import Outcome
from .pool.answer import Answer
from .pool.job import WINDOW_BYTES, Caller, Job, Mailbox
from .pool.loop import Loop
from .pool.retry import may_vary, varies
from .pool.sharing import Sharing
from .program import Program
from .units import Units

WINDOW_ROWS = 2048
_MOST_DONE = 256
_SLOW_SOURCE_S = 0.02  # checks do not wait for others of their program where reading a few takes longer
_FEW_IN_FLIGHT, _ENOUGH_IN_FLIGHT = 32, 512  # members of units: with few nobody waits for others, with enough everybody may
_AT_ONCE = 64  # the workers must not wait until a slow source has filled the window
NOT_EXECUTED = Answer("value")
WAIT: Any = object()
"""What the source of a stream yields where its next item depends on an outcome that is not there yet."""

MakeJob = Callable[[Program, Any, Callable[[Job], None], Caller, Any], Job]
Decode = Callable[[Job, Answer], Outcome]
Accepts = Callable[[Job, Outcome], bool]
"""Whether an outcome is what its check expects; may leave what it found in the job's `judged`."""


class Repeat(NamedTuple):
    """Which results are asked for a second time before they are believed: those of programs that may vary for which `doubts`
    says so. `rule` says whether both gave the same."""

    doubts: Callable[[Outcome, Any], bool]
    rule: ComparisonRule


class Stream:
    """Iterates over `(job, outcome)`; the job's `item` is the caller's own. An item without a program has no outcome."""

    def __init__(
        self,
        loop: Loop,
        items: Iterator[tuple[Program | None, Any, Any]],
        make: MakeJob,
        decode: Decode,
        *,
        require_open: Callable[[], None],
        ordered: bool,
        timeout: float | None = None,
        repeat: Repeat | None = None,
        reuse: Reuse,
        sharing: Sharing | None = None,
        accepts: Accepts | None = None,
    ) -> None:
        self._loop, self._items, self._require_open, self._make, self._decode = loop, items, require_open, make, decode
        self._ordered, self._repeat, self._reuse = ordered, repeat, reuse
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._mailbox = Mailbox()
        self._caller = Caller(WINDOW_BYTES)
        self._line: deque[Job] = deque()
        """Not yet handed to the consumer, in the order of the input, where there is an order."""
        self._crowd: set[Job] = set()
        """The same, where there is none."""
        self._arrived: deque[Job] = deque()
        """Answered and not looked at; filled by the I/O thread, and only where order does not say what comes next."""
        self._ready: deque[Job] = deque()
        """What may be handed out, where there is no order to keep."""
        self._second_of: dict[Job, Job] = {}
        """A repeated run on its way -> the job that it repeats."""
        self._asked: dict[Job, bool | None] = {}
        """Jobs that are repeated -> whether the runs differ; None until that is known."""
        self._waiting_bytes = 0
        self._exhausted = False
        self._accepts = accepts
        self._sharing, self._distrusts = sharing, 0 if sharing is None else sharing.changes
        self._units: Units | None = None
        if sharing is not None and not sharing.is_off and accepts is not None:
            self._units = Units(sharing, self._caller, self._deliver_unit, loop.submit, decode, accepts, self._give_back)

    def __iter__(self) -> Iterator[tuple[Job, Outcome | None]]:
        try:
            while True:
                seen = self._mailbox.count()
                read = self._read_ahead()
                if self._deadline is not None and time.monotonic() >= self._deadline:
                    raise DeadlineExceededError("the timeout is over; what was not done is cancelled")
                done = self._take_done()
                for job in done:
                    yield job, self._finish(job)
                if not done:
                    if self._exhausted and not self._line and not self._crowd:
                        return
                    if not read or self._exhausted:
                        self._mailbox.wait(seen, self._patience_s())
        finally:
            units = () if self._units is None else self._units.on_their_way()
            left = [
                job
                for job in (*self._line, *self._crowd, *self._second_of, *units)
                if job.answer is None and not self._reuse.waits(job)
            ]
            if left:
                self._loop.cancel(left)

    # -- in ---------------------------------------------------------------------------------------------------

    def _read_ahead(self) -> bool:
        """Takes a few more items where the window has room; whether it took any."""
        fresh: list[Job] = []
        read = 0
        units = self._units
        make, deliver, caller, find, believes = self._make, self._deliver, self._caller, self._reuse.find, self._believes
        began = time.monotonic()
        stopped = asked = False
        held = self._waiting_bytes + self._caller.held_bytes()
        room = min(_AT_ONCE, WINDOW_ROWS - len(self._line) - len(self._crowd))
        while not self._exhausted and read < room and held < WINDOW_BYTES:
            try:
                taken = next(self._items)
            except StopIteration:
                self._exhausted = True
                break
            if taken is WAIT:
                stopped = True
                break
            program, call, item = taken
            if program is None:
                job = Job(_NO_PROGRAM, b"", 0, _ignore, self._caller, item)
                job.answer = NOT_EXECUTED
                if not self._ordered:
                    self._arrived.append(job)
            else:
                if not asked:
                    self._require_open()  # once for all: it asks the kernel
                    asked = True
                job = make(program, call, deliver, caller, item)
                found = find(job, believes)
                if found is Found.NOTHING and (units is None or not units.takes(job)):
                    fresh.append(job)
                elif found is Found.ANSWER and not self._ordered:
                    self._arrived.append(job)
                size = job.size()
                held += size
                self._waiting_bytes += size
            if self._ordered:
                self._line.append(job)
            else:
                self._crowd.add(job)
            read += 1
        if units is not None:
            stopped = stopped or self._exhausted or held >= WINDOW_BYTES or time.monotonic() - began > _SLOW_SOURCE_S
            full = room < _AT_ONCE and units.in_flight < _ENOUGH_IN_FLIGHT
            if (stopped or full) and units.gathers:
                fresh += units.all()
            elif units.gathers and (units.in_flight < _FEW_IN_FLIGHT or self._waits_for(units.oldest())):
                units.send_oldest()
            fresh = units.full() + fresh
        if fresh:
            self._loop.submit(fresh)
        return read > 0

    def _waits_for(self, job: Job | None) -> bool:
        """Whether the consumer can get nothing before this one."""
        return self._ordered and bool(self._line) and self._line[0] is job

    def _believes(self, job: Job, answer: Answer) -> bool:
        """Whether an answer that a unit gave to an identical call, now or in an earlier run, stands for this one."""
        if not answer.shared:
            return True
        if self._units is None or self._accepts is None or not self._units.believes(job):
            return False
        outcome = self._decode(job, answer)
        if not self._accepts(job, outcome):
            job.judged = None
            return False
        job.outcome = outcome
        return True

    def _deliver(self, job: Job) -> None:
        """In the I/O thread."""
        if not self._ordered or self._repeat is not None:
            self._arrived.append(job)
        self._loop.bell_after_round(self._mailbox)

    def _deliver_unit(self, job: Job) -> None:
        """In the I/O thread: a unit, or the run alone of one of its checks."""
        self._arrived.append(job)
        self._loop.bell_after_round(self._mailbox)

    # -- out --------------------------------------------------------------------------------------------------

    def _take_done(self) -> list[Job]:
        while self._arrived:
            self._look_at(self._arrived.popleft())
        if self._sharing is not None and self._sharing.changes != self._distrusts:
            self._take_back(self._sharing)
        done: list[Job] = []
        if self._ordered:
            line, asked, settles = self._line, self._asked, self._reuse.shares
            while line and len(done) < _MOST_DONE:
                head = line[0]
                if head.answer is None or (asked and asked.get(head, True) is None):
                    self._expect(head)
                    break
                done.append(line.popleft())
                if settles:
                    self._settle(head)
        else:
            while self._ready and len(done) < _MOST_DONE:
                done.append(self._ready.popleft())
            self._crowd.difference_update(done)
        return done

    def _look_at(self, job: Job) -> None:
        """An answer has come: it is believed, or asked for again as an ordinary item of this stream."""
        if self._units is not None and self._units.owns(job):
            for one in self._units.answered(job):
                if not self._ordered:
                    self._ready.append(one)
                    self._ready.extend(self._settle(one))
            return
        repeat = self._repeat
        if repeat is not None and job.answer is not NOT_EXECUTED:
            first = self._second_of.pop(job, None)
            if first is not None:
                self._asked[first] = varies(self._outcome(first), self._outcome(job), repeat.rule)
                self._let_go(job)
                job = first
            elif may_vary(job.program.source) and repeat.doubts(self._outcome(job), job.item):
                second = Job(job.program, job.call, job.options, self._deliver, self._caller, job.item)
                second.stdin = job.stdin
                self._second_of[second] = job
                self._asked[job] = None
                self._loop.submit([second])
                return
        if not self._ordered:
            self._ready.append(job)
            self._ready.extend(self._settle(job))

    def _settle(self, job: Job) -> list[Job]:
        """An answer stands: who has it too. Those that cannot share it are executed after all."""
        answered, left = self._reuse.settle(job, self._believes)
        if left:
            self._loop.submit(left)
        return answered

    def _take_back(self, sharing: Sharing) -> None:
        """Some program is believed no more: what its units answered, and nobody has seen yet, is asked for again."""
        self._distrusts = sharing.changes
        assert self._units is not None
        tainted = [
            job
            for job in (*self._line, *self._crowd)
            if job.answer is not None and job.answer.shared and not sharing.is_believed(job.program.id)
        ]
        for job in tainted:
            self._reuse.take_back(job)
            self._units.take_back(job)
        if tainted and not self._ordered:
            gone = set(tainted)
            self._ready = deque(job for job in self._ready if job not in gone)

    def _expect(self, job: Job) -> None:
        """The consumer waits for this one: it may begin however much is held."""
        if self._units is not None:
            job = self._units.carrier_of(job)
        if self._caller.head is not job:
            self._caller.head = job
            if self._caller.gated:
                self._caller.gated = False
                self._loop.wake()

    def _finish(self, job: Job) -> Outcome | None:
        """Decodes; from here on the job is the consumer's."""
        if job.answer is NOT_EXECUTED:
            return None
        outcome = job.outcome
        if outcome is None:
            outcome = self._outcome(job)
        if self._reuse.keeps:
            self._reuse.keep(job)
        self._waiting_bytes -= job.size()
        self._let_go(job)
        asked = self._asked.pop(job, None) if self._asked else None
        return outcome if asked is None else replace(outcome, varies=asked)

    def _outcome(self, job: Job) -> Outcome:
        if job.outcome is not None:
            return job.outcome
        assert job.answer is not None
        outcome = self._decode(job, job.answer)
        return replace(outcome, attempts=outcome.attempts + job.shared_runs) if job.shared_runs else outcome

    def _let_go(self, job: Job) -> None:
        """The bytes of an answer are not held any more."""
        self._give_back(job.held_bytes)

    def _give_back(self, count: int) -> None:
        self._caller.consumed_bytes += count
        if self._caller.gated and not self._caller.is_full():
            self._caller.gated = False
            self._loop.wake()

    def _patience_s(self) -> float:
        return 1.0 if self._deadline is None else min(1.0, max(0.0, self._deadline - time.monotonic()))


def _ignore(job: Job) -> None:
    """Nothing is delivered for an item that is not executed."""


_NO_PROGRAM = Program("", "")
