"""The public door to the pool: `Executor`, in the manner of concurrent.futures."""

import os
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from reexec.policies.model import IsolationLevel, Policy

from .arguments import encode_call
from .errors import EngineError, IsolationUnavailableError, UsageError
from .folding import fold_expected
from .jail import interpreter, levels
from .judging.verdict import Verdict, judge
from .outcome import Outcome
from .pool.job import Job, Mailbox
from .pool.loop import Loop, Statistics
from .program import Call, Check, Program, Script, Stdin
from .protocol import frames

Arguments = Call | Mapping[str, Any] | Sequence[Any] | Stdin | bytes | str
"""Of a function: a Call, or what `Call.of` takes. Of a script: its standard input."""

WAIT = object()
"""What the source of `run_many` yields where its next item depends on an outcome that is not there yet."""

WINDOW_ROWS = 2048
WINDOW_BYTES = 64 << 20


class Executor:
    """A pool of warm, jailed interpreters that run calls of untrusted programs.

    Usable as a context manager, from several threads, and from asyncio through `asyncio.wrap_future(submit(...))`.
    What a program does is data; exceptions are the caller's mistake (UsageError) or the host's failure (EngineError).

    policy:   a Policy or a preset's name.
    workers:  checks that run at the same time; the machine's processors where None.
    python:   path of the interpreter that runs the programs (CPython 3.8 or newer); this one where None.
    isolation: this level and no other; the strongest that the host offers where None.
    """

    def __init__(
        self,
        policy: Policy | str = "codeio",
        *,
        workers: int | None = None,
        python: str | Path | None = None,
        isolation: IsolationLevel | str | None = None,
    ) -> None:
        self.policy = Policy.preset(policy) if isinstance(policy, str) else policy
        if workers is None:
            workers = len(os.sched_getaffinity(0))
        if not isinstance(workers, int) or workers < 1:
            raise UsageError(f"workers is {workers!r}; it must be 1 or more")
        self.workers = workers
        self.interpreter = interpreter.ask(None if python is None else str(python))
        self._pid = os.getpid()
        self._base_options = frames.PYTHON_VALUES if self.policy.comparison.values == "python" else 0
        self._loop = self._first_that_works(None if isolation is None else IsolationLevel(isolation))
        # Where nobody calls shutdown: when the executor is dropped, and at the latest when this process ends.
        weakref.finalize(self, self._loop.stop)

    def _first_that_works(self, only: IsolationLevel | None) -> Loop:
        problems: list[str] = []
        for isolation in levels.candidates(self.policy, only):
            refusal = levels.backend_of(isolation).refuses(self.policy)
            if refusal:
                problems.append(f"{isolation.value}: {refusal}")
                continue
            loop = Loop(self.policy, self.interpreter, isolation, self.workers)
            try:
                loop.start()
            except EngineError as error:
                problems.append(f"{isolation.value}: {error}")
                continue
            return loop
        if only is not None:
            raise IsolationUnavailableError(
                f"no isolation {only.value!r} here: {problems[0].partition(': ')[2]}", stage="start worker"
            )
        raise IsolationUnavailableError(
            "this host cannot give the isolation that the policy asks for: "
            + "; ".join(problems)
            + levels.hint(self.policy)
            + " (`reexec doctor` says what is missing)",
            stage="start worker",
        )

    # -- what it is -------------------------------------------------------------------------------------------

    @property
    def isolation(self) -> IsolationLevel:
        """The isolation level of this executor."""
        return self._loop.isolation

    @property
    def missing_prelude_modules(self) -> list[str]:
        """Modules of the prelude that the interpreter lacks; a program that uses one gets its ModuleNotFoundError."""
        return list(self._loop.missing_modules)

    def statistics(self) -> Statistics:
        return self._loop.statistics()

    def worker_pids(self) -> list[int]:
        """Pids of the live zygotes as this host sees them."""
        return self._loop.worker_pids()

    # -- one at a time ----------------------------------------------------------------------------------------

    def submit(
        self, program: Program, call: Arguments, *, watch_arguments: bool = False, watch_sources: bool = False,
        shared_entropy: bool = False,
    ) -> Future[Outcome]:  # fmt: skip
        """Enqueues one call. `watch_arguments` and `watch_sources` fill the Outcome's fields of like names. `shared_entropy`:
        where the policy seeds entropy, the call draws the same under every such seed."""
        future: Future[Outcome] = Future()
        job = self._job(program, call, _settle(future), watch_arguments, watch_sources)
        job.options |= frames.SHARED_ENTROPY if shared_entropy else 0
        future.set_running_or_notify_cancel()
        self._loop.submit([job])
        return future

    def map(self, program: Program, calls: Iterable[Arguments]) -> Iterator[Outcome]:
        """Outcomes of many calls of one program, in order."""
        return self._stream(((program, call, None) for call in calls), ordered=True, only_outcomes=True)

    def check(self, program: Program, call: Arguments, expected: Any) -> Verdict:
        """Runs one call and judges its result under the policy's comparison. `expected` stays on the host, folded to plain
        values as in a Check."""
        expected = fold_expected(expected)
        return judge(self.submit(program, call).result(), expected, self.policy.comparison)

    # -- many -------------------------------------------------------------------------------------------------

    def check_many(self, checks: Iterable[Check], *, ordered: bool = True) -> Iterator[Verdict]:
        """Verdicts on any number of checks, in the order of the input (`ordered=False`: as they are done).

        Reads ahead at most 2,048 checks or 64 MiB of arguments; closing the iterator cancels what is left.
        """
        rule = self.policy.comparison
        items = ((check.program, check.call, check) for check in checks)
        for outcome, check in self._stream(items, ordered=ordered):
            yield judge(outcome, check.expected, rule, check.id)

    def run_many(
        self, items: Iterable[tuple[Program | None, Arguments, Any]], *, ordered: bool = True,
        watch_arguments: bool = False, watch_sources: bool = False,
    ) -> Iterator[tuple[Outcome | None, Any]]:  # fmt: skip
        """`(outcome, tag)` for every `(program, call, tag)`; otherwise as check_many. An item whose program is None is not
        executed; it keeps its place in the order and comes back with None as its outcome. `WAIT` among the items: nothing to
        take before another outcome is out."""
        return self._stream(items, ordered=ordered, watch_arguments=watch_arguments, watch_sources=watch_sources)

    def _stream(
        self,
        items: Iterable[tuple[Program | None, Arguments, Any]],
        *,
        ordered: bool,
        only_outcomes: bool = False,
        watch_arguments: bool = False,
        watch_sources: bool = False,
    ) -> Iterator[Any]:
        mailbox = Mailbox()
        ready: deque[_Ticket] = deque()
        source = iter(items)
        waiting: deque[_Ticket] = deque()
        in_window = window_bytes = 0
        exhausted = False
        try:
            while True:
                seen = mailbox.count()
                fresh: list[Job] = []
                added = 0
                # At most 64 at a time: the workers must not wait until a slow source has filled the window.
                while not exhausted and in_window < WINDOW_ROWS and window_bytes < WINDOW_BYTES and added < 64:
                    try:
                        item = next(source)
                    except StopIteration:
                        exhausted = True
                        break
                    if item is WAIT:
                        break
                    program, call, tag = item
                    ticket = _Ticket(self._loop, mailbox, None if ordered else ready, tag)
                    if program is None:
                        ticket.done = True
                        if not ordered:
                            ready.append(ticket)
                    else:
                        job = self._job(program, call, ticket.deliver, watch_arguments, watch_sources)
                        ticket.job = job
                        ticket.size = len(job.call) if job.stdin is None else len(job.stdin.data)
                        fresh.append(job)
                    waiting.append(ticket)
                    in_window += 1
                    added += 1
                    window_bytes += ticket.size
                if fresh:
                    self._loop.submit(fresh)
                finished = self._take_done(waiting, ready, ordered)
                for ticket in finished:
                    in_window -= 1
                    window_bytes -= ticket.size
                    yield ticket.outcome if only_outcomes else (ticket.outcome, ticket.tag)
                if not finished:
                    if exhausted and not in_window:
                        return
                    if not added or exhausted:
                        mailbox.wait(seen)
        finally:
            for ticket in waiting:
                if ticket.job is not None:
                    ticket.job.cancelled = True

    @staticmethod
    def _take_done(waiting: "deque[_Ticket]", ready: "deque[_Ticket]", ordered: bool) -> "list[_Ticket]":
        done: list[_Ticket] = []
        if ordered:
            while waiting and waiting[0].done and len(done) < 256:
                done.append(waiting.popleft())
            return done
        while ready and len(done) < 256:
            done.append(ready.popleft())
        if len(waiting) > 2 * WINDOW_ROWS:
            still = [ticket for ticket in waiting if not ticket.done]
            waiting.clear()
            waiting.extend(still)
        return done

    def _job(self, program: Program, call: Arguments, deliver: Any, watch_arguments: bool, watch_sources: bool) -> Job:
        if os.getpid() != self._pid:
            raise UsageError("this executor was made before os.fork(); make another one in the child")
        if not self._loop.is_running():
            if self._loop.failure is not None:
                raise self._loop.failure
            raise UsageError("this executor is shut down")
        if not isinstance(program, Program):
            raise UsageError(f"a Program is wanted, not {type(program).__name__}")
        options = self._base_options
        options |= frames.WATCH_ARGUMENTS if watch_arguments else 0
        options |= frames.WATCH_SOURCES if watch_sources else 0
        if isinstance(program, Script):
            if not self.policy.limits.capture_bytes:
                raise UsageError("a Script needs a policy that keeps what it prints, at $.limits.capture_bytes")
            job = Job(program, b"", options | frames.SCRIPT, deliver)
            job.stdin = Stdin.of(call)
            return job
        if isinstance(call, Stdin | str | bytes):
            raise UsageError(f"a function is called with arguments, not with {type(call).__name__}")
        payload, how = encode_call(Call.of(call))
        return Job(program, payload, options | how, deliver)

    # -- the end ----------------------------------------------------------------------------------------------

    def shutdown(self) -> None:
        """Ends all workers. Calls that are not done end as `engine-error`; a second shutdown does nothing."""
        if os.getpid() == self._pid:
            self._loop.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.shutdown()


class _Ticket:
    """One item of a stream: where its outcome is put, and who is told."""

    __slots__ = ("done", "job", "loop", "mailbox", "outcome", "ready", "size", "tag")

    def __init__(self, loop: Loop, mailbox: Mailbox, ready: "deque[_Ticket] | None", tag: Any) -> None:
        self.loop, self.mailbox, self.ready, self.tag = loop, mailbox, ready, tag
        self.job: Job | None = None
        self.outcome: Outcome | None = None
        self.done = False
        self.size = 0

    def deliver(self, job: Job) -> None:
        self.outcome = job.outcome
        self.done = True
        if self.ready is not None:
            self.ready.append(self)
        self.loop.bell_after_round(self.mailbox)


def _settle(future: Future[Outcome]) -> Any:
    def deliver(job: Job) -> None:
        assert job.outcome is not None
        future.set_result(job.outcome)

    return deliver
