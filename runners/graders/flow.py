"""Many samples' tests through one executor, in the order of the samples.

Up to ACTIVE samples are under way at once. A sample's first tests go out a few at a time and more with each success, so
that a sample which loops forever costs a few time limits and not one for each of a thousand tests; the workers are kept
busy by the other samples meanwhile. A group that stops at its first failure reports the first one in the order of its
tests, whichever came back first.
"""

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from reexec.engine.commands import AnyExecutor
from reexec.engine.executor import WAIT
from reexec.engine.outcome import Outcome

from .plan import LIMITS_ON_TIME, NOT_RUN, Plan, Result, Run, settle

ACTIVE = 256
FIRST_TESTS = 4
MOST_TESTS = 256


class Attempt:
    """One sample on its way; `results` are in the order of the plan's tests when it is done."""

    __slots__ = (
        "_dialogues",
        "_done_runs", "_limit_at", "_next", "_out", "_successes", "_waiting_runs", "failed_at", "is_ready", "number", "plan",
        "results", "tag",
    )  # fmt: skip

    def __init__(self, plan: Plan, tag: Any) -> None:
        self.plan, self.tag = plan, tag
        self.results: list[Result | None] = [None] * len(plan.tests)
        self.failed_at: dict[str, int] = {}
        """The first test that failed, by group."""
        self._limit_at: dict[str, int] = {}
        self.number = 0
        self.is_ready = False
        self._next = 0
        self._out = 0
        self._successes = 0
        self._waiting_runs: deque[tuple[int, int, Run]] = deque()
        self._done_runs: dict[int, list[Outcome | None]] = {}
        self._dialogues: dict[int, list[Outcome]] = {}

    @property
    def done(self) -> bool:
        return self._next >= len(self.plan.tests) and not self._out and not self._waiting_runs

    def next_run(self) -> tuple[int, int, Run] | None:
        """(test, run of the test, what to run); None where nothing may go out now."""
        if self._waiting_runs:
            return self._waiting_runs.popleft()
        while self._next < len(self.plan.tests):
            if self._out >= min(FIRST_TESTS + self._successes, MOST_TESTS):
                return None
            at, test = self._next, self.plan.tests[self._next]
            self._next += 1
            if self._stopped(at):
                self.results[at] = Result(NOT_RUN)
                continue
            if not test.runs:
                self._finish(at, [])
                continue
            self._out += 1
            self._done_runs[at] = [None] * len(test.runs)
            self._waiting_runs.extend((at, index, run) for index, run in enumerate(test.runs))
            return self._waiting_runs.popleft()
        return None

    def _stopped(self, at: int) -> bool:
        group = self.plan.tests[at].group
        failed = self.failed_at.get(group) if self.plan.stop_at_failure else self._limit_at.get(group)
        return failed is not None and failed < at

    def take(self, at: int, index: int, outcome: Outcome) -> None:
        outcomes = self._done_runs[at]
        outcomes[index] = outcome
        if None not in outcomes:
            done = [each for each in outcomes if each is not None]
            dialogue = self.plan.tests[at].dialogue
            further = dialogue.further(done) if dialogue is not None else ()
            if further:
                self._waiting_runs.extend((at, len(outcomes) + number, run) for number, run in enumerate(further))
                outcomes.extend([None] * len(further))
                return
            del self._done_runs[at]
            self._out -= 1
            if dialogue is not None:
                self._dialogues[at] = done
            self._finish(at, done)

    def outcomes_of(self, at: int) -> list[Outcome]:
        """All outcomes of a finished test that has a dialogue."""
        return self._dialogues[at]

    def _finish(self, at: int, outcomes: Sequence[Outcome]) -> None:
        test = self.plan.tests[at]
        result = settle(test, outcomes)
        if result.passed:
            self._successes += 1
        elif result.word != "engine-error":
            self.failed_at[test.group] = min(at, self.failed_at.get(test.group, at))
        if self.plan.stop_at_limit and result.word in LIMITS_ON_TIME:
            self._limit_at[test.group] = min(at, self._limit_at.get(test.group, at))
        self.results[at] = result

    def finished_results(self) -> list[Result]:
        """All results; what came back behind a group's first failure counts as not run, so that timing decides nothing."""
        return [Result(NOT_RUN) if result is None or self._stopped(at) else result for at, result in enumerate(self.results)]


def run_attempts(executor: AnyExecutor, attempts: Iterable[Attempt], *, timeout: float | None = None) -> Iterator[Attempt]:
    """Runs the attempts and yields them in their order, done. Closing the iterator cancels what is left, and so does the end of
    `timeout` seconds, which raises DeadlineExceededError."""
    flow = _Flow(iter(attempts))
    for outcome, where in executor.run_many(flow.items(), ordered=False, timeout=timeout):
        if where is not None:
            attempt, at, index = where
            attempt.take(at, index, outcome)
            flow.touched(attempt)
        yield from flow.take_done()
    yield from flow.take_done()


class _Flow:
    def __init__(self, source: Iterator[Attempt]) -> None:
        self._source = source
        self._exhausted = False
        self._order: deque[Attempt] = deque()
        # The oldest first, so that rows are done, written and safe from an interruption as early as they can be.
        self._ready: list[tuple[int, Attempt]] = []
        self._begun = 0
        self._running = 0

    def items(self) -> Iterator[Any]:
        while True:
            run = self._pick()
            if run is not None:
                attempt, (at, index, what) = run
                self._running += 1
                yield what.program, what.call, (attempt, at, index)
            elif self._running:
                yield WAIT
            elif self._exhausted and not self._order:
                return
            else:
                yield None, (), None  # only attempts without runs: one turn for the consumer to take them

    def _pick(self) -> tuple[Attempt, tuple[int, int, Run]] | None:
        while True:
            while self._ready:
                attempt = self._ready[0][1]
                run = attempt.next_run()
                if run is not None:
                    return attempt, run
                heapq.heappop(self._ready)
                attempt.is_ready = False
            if self._exhausted or len(self._order) >= ACTIVE:
                return None
            fresh = next(self._source, None)
            if fresh is None:
                self._exhausted = True
                return None
            fresh.number = self._begun
            self._begun += 1
            self._order.append(fresh)
            self._make_ready(fresh)

    def _make_ready(self, attempt: Attempt) -> None:
        if not attempt.is_ready:
            attempt.is_ready = True
            heapq.heappush(self._ready, (attempt.number, attempt))

    def touched(self, attempt: Attempt) -> None:
        self._running -= 1
        if not attempt.done:
            self._make_ready(attempt)

    def take_done(self) -> Iterator[Attempt]:
        while self._order and self._order[0].done:
            yield self._order.popleft()
