"""The public door to the pool: `Executor`, in the manner of concurrent.futures."""

import os
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from reexec.policies.comparison import ComparisonRule
from reexec.policies.model import IsolationLevel, Policy

from .arguments import encode_arguments
from .cache import Memory, OutcomeCache, Reuse, Spared
from .decoding import read_outcome
from .errors import DeadlineExceededError, EngineError, IsolationUnavailableError, UsageError
from .jail import interpreter, levels
from .jail.tools import Tools
from .judging.verdict import Verdict, judge
from .outcome import Outcome
from .own_terms import CallLimits, Files
from .pool.answer import Answer
from .pool.future import OutcomeFuture
from .pool.job import Caller, Job
from .pool.loop import NO_THREAD, Loop
from .pool.sharing import Sharing
from .pool.statistics import Statistics
from .program import Call, Check, Command, CommandLine, Program, Script, Stdin
from .protocol import frames
from .stream import WAIT, Accepts, Repeat, Stream

Arguments = Call | Mapping[str, Any] | Sequence[Any] | Stdin | bytes | str
"""Of a function: a Call, or what `Call.of` takes. Of a script: its standard input."""

MOST_WORKERS_PER_PROCESSOR = 4
_ARGUMENTS = frozenset((Call, dict, list, tuple))
__all__ = ["WAIT", "Executor"]


class Executor:
    """A pool of warm, jailed interpreters that run calls of untrusted programs.

    Usable as a context manager, from several threads, and from asyncio through `asyncio.wrap_future(submit(...))`.
    What a program does is data; exceptions are the caller's mistake (UsageError), the host's failure (EngineError), or the
    end of a `timeout` that the caller gave (DeadlineExceededError).

    policy:   a Policy or a preset's name.
    workers:  checks that run at the same time; the machine's processors where None. More than four per processor only make
              every check slower: so many are used, with a warning.
    python:   path of the interpreter that runs the programs (CPython 3.8 or newer); this one where None.
    isolation: this level and no other; the strongest that the host offers where None.
    cache:    outcomes of earlier runs: what it holds of a stream is not executed again. It stays the caller's to close.
    share_identical: identical calls of one stream are executed once, where one outcome stands for all by the cache's own rule.
    tools:    what else the jail shows, for the executor of programs in other languages (CommandExecutor).
    """

    def __init__(
        self,
        policy: Policy | str = "codeio",
        *,
        workers: int | None = None,
        python: str | Path | None = None,
        isolation: IsolationLevel | str | None = None,
        cache: OutcomeCache | None = None,
        share_identical: bool = False,
        tools: Tools | None = None,
    ) -> None:
        self.policy = Policy.preset(policy) if isinstance(policy, str) else policy
        self.workers = _number_of_workers(workers)
        self.interpreter = interpreter.ask(None if python is None else str(python))
        if tools is not None:
            self.interpreter = replace(self.interpreter, tools=tools)
        self._memory = None if cache is None else Memory(cache, self.policy, self.interpreter)
        self._shares, self._spared, self._spared_lock = share_identical, Spared(), threading.Lock()
        self._sharing = Sharing(self.policy)
        self._output_bytes = self.policy.limits.output_bytes
        self._pid = os.getpid()
        self._groups: weakref.WeakValueDictionary[Hashable, Caller] = weakref.WeakValueDictionary()
        self._groups_lock = threading.Lock()
        self._loop = self._first_that_works(_level(isolation))
        # Where nobody calls shutdown: when the executor is dropped, and at the latest when this process ends.
        weakref.finalize(self, self._loop.stop)

    def _first_that_works(self, only: IsolationLevel | None) -> Loop:
        problems: dict[str, list[str]] = {}  # isolation levels by what is wrong with them
        for isolation in levels.candidates(self.policy, only):
            backend = levels.backend_of(isolation)
            refusal = backend.refuses(self.policy) or backend.refuses_tools(self.interpreter.tools)
            if refusal:
                problems.setdefault(refusal, []).append(isolation.value)
                continue
            loop = Loop(self.policy, self.interpreter, isolation, self.workers)
            try:
                loop.start()
            except EngineError as error:
                if error.stage == NO_THREAD:
                    raise  # no other isolation level needs fewer
                problems.setdefault(str(error), []).append(isolation.value)
                continue
            return loop
        if only is not None:
            raise IsolationUnavailableError(f"no isolation {only.value!r} here: {next(iter(problems))}", stage="start worker")
        raise IsolationUnavailableError(
            "this host cannot give the isolation that the policy asks for: "
            + "; ".join(f"{', '.join(names)}: {problem}" for problem, names in problems.items())
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

    @property
    def failure(self) -> EngineError | None:
        """What ended this executor by itself; None while it works."""
        return self._loop.failure

    @property
    def is_open(self) -> bool:
        """Whether it takes calls: false after its shutdown, after a failure that ended it, and in a fork of its process."""
        return os.getpid() == self._pid and not self._loop.is_ending

    def statistics(self) -> Statistics:
        spared = self._spared
        counts = self._sharing.counts
        return replace(self._loop.statistics(), recalled=spared.recalled, shared=spared.shared, **counts)

    def worker_pids(self) -> list[int]:
        """Pids of the live zygotes as this host sees them."""
        return self._loop.worker_pids()

    # -- one at a time ----------------------------------------------------------------------------------------

    def submit(
        self, program: Program, call: Arguments, *, watch_arguments: bool = False, watch_sources: bool = False,
        shared_entropy: bool = False, rule: ComparisonRule | None = None, timeout: float | None = None, group: Hashable = None,
        limits: CallLimits | None = None, files: Files | None = None,
    ) -> OutcomeFuture:  # fmt: skip
        """Enqueues one call. `watch_arguments` and `watch_sources` fill the Outcome's fields of like names. `shared_entropy`:
        where the policy seeds entropy, the call draws the same under every such seed. `rule`: which values the result may
        be, where that is not as the policy compares.

        The future can be cancelled until it is done; a call that runs is ended within 0.2 s. After `timeout` seconds it ends by
        itself, with DeadlineExceededError. Calls of different `group`s get turns, as different streams do. `limits`: lower ones
        than the policy's, for this call. `files`: around a script, see Files.
        """
        options = self._options(rule or self.policy.comparison, watch_arguments, watch_sources)
        options |= frames.SHARED_ENTROPY if shared_entropy else 0
        return self._submit(program, call, options, timeout, group, limits, files)

    def map(self, program: Program, calls: Iterable[Arguments], *, timeout: float | None = None) -> Iterator[Outcome]:
        """Outcomes of many calls of one program, in order; `timeout` as for check_many."""
        items = ((program, call, None) for call in calls)
        for _, outcome in self._stream(items, self.policy.comparison, ordered=True, timeout=timeout):
            assert outcome is not None
            yield outcome

    def check(
        self, program: Program, call: Arguments, expected: Any, *, rule: ComparisonRule | str | None = None,
        timeout: float | None = None, group: Hashable = None,
    ) -> Verdict:  # fmt: skip
        """Runs one call and judges its result under `rule`, the policy's where None. `expected` stays on the host, folded to
        plain values as in a Check.

        Raises DeadlineExceededError when `timeout` seconds have passed: elapsed time of yours, never a verdict.
        """
        check = Check(program, call, expected, rule=rule)
        effective = check.rule_or(self.policy.comparison)
        check.require_attainable(effective)
        future = self._submit(program, call, self._options(effective), None, group)
        try:
            outcome = future.result(timeout)
        except TimeoutError:
            future.cancel()
            raise DeadlineExceededError(f"no verdict within {timeout:g} s") from None
        except BaseException:  # Ctrl-C
            future.cancel()
            raise
        return judge(outcome, check.expected, effective)

    # -- many -------------------------------------------------------------------------------------------------

    def check_many(self, checks: Iterable[Check], *, ordered: bool = True, timeout: float | None = None) -> Iterator[Verdict]:
        """Verdicts on any number of checks, in the order of the input (`ordered=False`: as they are done).

        Reads ahead at most 2,048 checks or 64 MiB of arguments and answers. Closing the iterator cancels what is left, and so
        does the end of `timeout` seconds, which raises DeadlineExceededError.
        """
        rule = self.policy.comparison

        def taken() -> Iterator[tuple[Program, Arguments, Check]]:
            for check in checks:
                check.require_attainable(rule)
                yield check.program, check.call, check

        def accepts(job: Job, outcome: Outcome) -> bool:
            job.judged = verdict = judge(outcome, job.item.expected, job.item.rule_or(rule), job.item.id)
            return verdict.accepted

        for job, outcome in self._stream(taken(), rule, ordered=ordered, timeout=timeout, accepts=accepts):
            check = job.item
            assert outcome is not None
            yield job.judged or judge(outcome, check.expected, check.rule_or(rule), check.id)

    def run_many(
        self, items: Iterable[tuple[Program | None, Arguments, Any]], *, ordered: bool = True,
        watch_arguments: bool = False, watch_sources: bool = False, timeout: float | None = None,
        repeat_where: Callable[[Outcome, Any], bool] | None = None,
        accepted_where: Callable[[Outcome, Any], bool] | None = None,
    ) -> Iterator[tuple[Outcome | None, Any]]:  # fmt: skip
        """`(outcome, tag)` for every `(program, call, tag)`; otherwise as check_many. An item whose program is None is not
        executed; it keeps its place in the order and comes back with None as its outcome. `WAIT` among the items: nothing to
        take before another outcome is out.

        `repeat_where(outcome, tag)` says which results are not to be quoted before a second run gave them too: those of
        programs that may vary are run again, and `Outcome.varies` says what came of it. `accepted_where(outcome, tag)` says
        which values are what was expected: only with it checks of one program share forks (`policy.execution`).
        """
        rule = self.policy.comparison
        watch = self._options(rule, watch_arguments, watch_sources)
        repeat = None if repeat_where is None else Repeat(repeat_where, rule)
        accepts = None if accepted_where is None else lambda job, outcome: accepted_where(outcome, job.item)
        stream = self._stream(items, rule, ordered=ordered, timeout=timeout, repeat=repeat, options=watch, accepts=accepts)
        for job, outcome in stream:
            yield outcome, job.item

    def _stream(
        self, items: Iterable[tuple[Program | None, Arguments, Any]], rule: ComparisonRule, *, ordered: bool,
        timeout: float | None, repeat: Repeat | None = None, options: int | None = None, accepts: Accepts | None = None,
    ) -> Iterator[tuple[Job, Outcome | None]]:  # fmt: skip
        usual = self._options(rule) if options is None else options

        make_job = self._job

        def make(program: Program, call: Any, deliver: Callable[[Job], None], caller: Caller, item: Any) -> Job:
            own = usual if type(item) is not Check or item.rule is None else self._options(item.rule_or(rule))
            return make_job(program, call, own, deliver, caller, item)

        reuse = Reuse(self._memory, self._shares, self._spared, self._spared_lock)
        stream = Stream(
            self._loop, iter(items), make, self._decode, require_open=self._require_open, ordered=ordered, timeout=timeout,
            repeat=repeat, reuse=reuse, sharing=self._sharing, accepts=accepts,
        )  # fmt: skip
        return iter(stream)

    # -- jobs -------------------------------------------------------------------------------------------------

    def _submit(
        self, program: Program, call: Arguments, options: int, timeout: float | None, group: Hashable,
        limits: CallLimits | None = None, files: Files | None = None,
    ) -> OutcomeFuture:  # fmt: skip
        if files is not None:
            if not isinstance(program, Script):
                raise UsageError("files lie around a Script, not around a function's call")
            files.check(self.policy.limits)
        self._require_open()
        future = OutcomeFuture(self._decode, self._recall, self._loop.callbacks)
        future.job = self._job(program, call, options, future.deliver, self._caller_of(group), None)
        future.job.limits, future.job.files = limits, files
        self._loop.submit([future.job])
        if timeout is not None:
            self._loop.expect_by(time.monotonic() + timeout, future)
        return future

    def _recall(self, job: Job) -> None:
        self._loop.cancel([job])

    def _caller_of(self, group: Hashable) -> Caller:
        with self._groups_lock:
            caller = self._groups.get(group)
            if caller is None:
                caller = self._groups[group] = Caller()
            return caller

    def _decode(self, job: Job, answer: Answer) -> Outcome:
        return read_outcome(answer, job.options, self._output_bytes)

    @staticmethod
    def _options(rule: ComparisonRule, watch_arguments: bool = False, watch_sources: bool = False) -> int:
        options = frames.PYTHON_VALUES if rule.values == "python" else 0
        options |= frames.WATCH_ARGUMENTS if watch_arguments else 0
        return options | (frames.WATCH_SOURCES if watch_sources else 0)

    def _job(
        self, program: Program, call: Arguments, options: int, deliver: Callable[[Job], None], caller: Caller, item: Any
    ) -> Job:
        if type(program) is Program and type(call) in _ARGUMENTS:  # nearly always
            payload, how = encode_arguments(call)
            return Job(program, payload, options | how, deliver, caller, item)
        if not isinstance(program, Program):
            raise UsageError(f"expected a Program, got {type(program).__name__}")
        if isinstance(program, Script):
            if not self.policy.limits.capture_bytes:
                raise UsageError("a Script needs a policy that keeps what it prints, at $.limits.capture_bytes")
            if isinstance(program, Command):
                raise UsageError(f"a program in {program.entry!r} runs on a CommandExecutor")
            prepared = isinstance(program, CommandLine)
            if prepared and not (self.interpreter.tools and self.interpreter.tools.commands):
                raise UsageError("this executor runs no command lines")
            job = Job(program, b"", options | frames.SCRIPT | (frames.COMMAND if prepared else 0), deliver, caller, item)
            job.stdin = Stdin.of(call)
            return job
        if isinstance(call, Stdin | str | bytes):
            raise UsageError(f"a function is called with arguments, not with {type(call).__name__}")
        payload, how = encode_arguments(call)
        return Job(program, payload, options | how, deliver, caller, item)

    def _require_open(self) -> None:
        if self._loop.is_ending or os.getpid() != self._pid:
            raise self._why_it_takes_nothing()

    def _why_it_takes_nothing(self) -> Exception:
        if os.getpid() != self._pid:
            return UsageError("this executor was made before os.fork(); make another one in the child")
        return self._loop.failure or UsageError("this executor is shut down")

    # -- the end ----------------------------------------------------------------------------------------------

    def shutdown(self) -> None:
        """Ends all workers. Calls that are not done end as `engine-error`; a second shutdown does nothing."""
        if os.getpid() == self._pid:
            self._loop.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.shutdown()


def _level(isolation: IsolationLevel | str | None) -> IsolationLevel | None:
    try:
        return None if isolation is None else IsolationLevel(isolation)
    except ValueError:
        known = ", ".join(level.value for level in IsolationLevel)
        raise UsageError(f"no isolation level {isolation!r}: known ones are {known}") from None


class TooManyWorkersWarning(UserWarning):
    """More workers were asked for than this machine's processors can serve."""


def _number_of_workers(wanted: int | None) -> int:
    processors = len(os.sched_getaffinity(0))
    if wanted is None:
        return processors
    if not isinstance(wanted, int) or wanted < 1:
        raise UsageError(f"workers is {wanted!r}; it must be 1 or more")
    most = MOST_WORKERS_PER_PROCESSOR * processors
    if wanted <= most:
        return wanted
    warnings.warn(
        f"workers={wanted} on {processors} processors would make every check slower; {most} are used",
        TooManyWorkersWarning,
        stacklevel=3,
    )
    return most
