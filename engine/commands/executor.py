"""The public door to programs in other languages: `CommandExecutor`, beside `Executor` and in its manner.

Each language has two executors: one whose jail shows its compiler, one whose jail shows what its programs need to run and
nothing more. Both start when the first program of the language comes.
"""

import contextlib
import dataclasses
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import Future, InvalidStateError
from types import TracebackType
from typing import Any, Self

from reexec.policies.model import IsolationLevel, Policy

from ..errors import DeadlineExceededError, EngineError, IsolationUnavailableError, UsageError
from ..executor import WAIT, Arguments, Executor
from ..jail import interpreter
from ..jail.tools import Tools
from ..outcome import Outcome
from ..own_terms import CallLimits, Files
from ..pool.future import OutcomeFuture
from ..pool.statistics import Statistics
from ..program import Command, CommandLine, Program, Stdin
from .artefacts import Artefacts
from .compiler import Compiler, Made
from .probe import find
from .toolchain import ran_out, toolchain_named
from .trial import GIVEN, Trial, trial_of

COMPILE_POLICY = "compile"
_FEWEST_AHEAD, _AHEAD_OF_EACH_WORKER = 32, 8


class _Language:
    """The two executors of one language."""

    def __init__(self, owner: "CommandExecutor", name: str) -> None:
        """Raises UsageError where this host lacks it, IsolationUnavailableError where it cannot be isolated."""
        self.found = found = find(toolchain_named(name))
        run = found.toolchain.run
        limits = owner.policy.limits
        own = limits.model_copy(
            update={
                "processes": max(limits.processes, run.processes),
                "stack_bytes": min(limits.stack_bytes, run.stack_bytes or limits.stack_bytes),
            }
        )
        policy = owner.policy.model_copy(update={"limits": own, "prelude": (), "warm": ()})
        tools = found.run_tools(str(owner.artefacts.folder))
        self.executor = Executor(policy, workers=owner.workers, isolation=owner.wanted_isolation, tools=tools)
        try:
            self.compiler = Compiler(found, owner.artefacts, owner.compile_policy, owner.workers, owner.wanted_isolation, own)
        except BaseException:
            self.executor.shutdown()
            raise
        self.trial: Trial | None = None

    def close(self) -> None:
        self.compiler.close()
        self.executor.shutdown()


class CommandExecutor:
    """A pool for programs in other languages over standard input and output. Each program is compiled once, in a jail, and runs
    many times, in another.

    Usable as a context manager and from several threads. What a program does is data; exceptions are the caller's mistake
    (UsageError, also for a language that this host lacks), or the host's failure (EngineError).

    policy:    a Policy or a preset's name that captures output.
    workers:   programs that run at the same time, of each language; the machine's processors where None.
    isolation: this level and no other; the strongest that the host offers where None. `nsjail` is the least.
    compile_policy: what a compiler may use for one program; the preset `compile` where None.
    python:    runs what is no Command, and stays its owner's; one of this executor's own where None.
    """

    def __init__(
        self,
        policy: Policy | str = "contest",
        *,
        workers: int | None = None,
        isolation: IsolationLevel | str | None = None,
        compile_policy: Policy | None = None,
        python: Executor | None = None,
    ) -> None:
        self.policy = Policy.preset(policy) if isinstance(policy, str) else policy
        if not self.policy.limits.capture_bytes:
            raise UsageError("programs in other languages need a policy that keeps what they print, at $.limits.capture_bytes")
        self.compile_policy = compile_policy or Policy.preset(COMPILE_POLICY)
        self.workers = workers or len(os.sched_getaffinity(0))
        self.wanted_isolation = isolation
        self.interpreter = python.interpreter if python is not None else interpreter.ask(None)
        self.artefacts = Artefacts()
        self._lock = threading.RLock()
        self._languages: dict[str, _Language | Exception] = {}
        self._python = python
        self._python_is_own = python is None
        self._closed = False

    @property
    def isolation(self) -> IsolationLevel:
        """The isolation level of the languages that were used; of the first one that can be, where none was."""
        with self._lock:
            for each in self._languages.values():
                if isinstance(each, _Language):
                    return each.executor.isolation
            return self._python_executor().isolation

    def version(self, language: str) -> str:
        """What the language's compiler or run time says of itself. Raises as `submit`."""
        return self._language(language).found.version

    def tried(self, language: str) -> Trial:
        """Whether the language works here, found out once. Raises as `submit`, and EngineError."""
        of = self._language(language)
        source = of.found.toolchain.trial
        if of.trial is None:
            program = Command(source, language if language.endswith(".toml") else of.found.toolchain.language)
            of.trial = trial_of(self.submit(program, GIVEN).result()) if source else Trial()
        return of.trial

    def require(self, language: str) -> str:
        """The language's version, as `version`. Raises as `tried`, and UsageError where the language does not work here."""
        trial = self.tried(language)
        if trial.fault:
            title = self._language(language).found.toolchain.title
            raise UsageError(f"{title} is here and does not work: {' '.join(trial.fault.split())}")
        return self.version(language)

    def compiled(self, program: Command) -> "Future[Made]":
        """Compiles the program where that was not done yet: a command line, or the outcome that every run of it has. Raises as
        `submit`; the future must not be cancelled."""
        return self._language(program.entry).compiler.ready(program)

    def run_tools(self, language: str) -> Tools:
        """What a jail shows in which programs of the language run. Raises as `submit`."""
        return self._language(language).found.run_tools(str(self.artefacts.folder))

    def submit(
        self, program: Program, stdin: Arguments, *, group: Hashable = None, limits: CallLimits | None = None,
        compile_limits: CallLimits | None = None, files: Files | None = None,
    ) -> "Future[Outcome]":  # fmt: skip
        """Compiles `program` where that was not done yet, and runs it with this standard input. Raises UsageError and
        IsolationUnavailableError where its language cannot be had here; the future raises EngineError where the host failed.
        `group`, `limits` and `files` are those of Executor.submit; compilers take turns between groups as well. A program that
        passes `compile_limits` in its compilation is compiled again for who allows more.

        A program that is no Command runs on an Executor with the same policy.
        """
        if not isinstance(program, Command):
            return self._python_executor().submit(program, stdin, group=group, limits=limits, files=files)
        if files is not None:
            files.check(self.policy.limits)
        language = self._language(program.entry)
        data = Stdin.of(stdin)
        future = CommandFuture()
        began = time.monotonic()
        made = language.compiler.ready(program, compile_limits, group)

        def start(line: CommandLine) -> OutcomeFuture:
            future.compiled_s = time.monotonic() - began
            return language.executor.submit(line, data, group=group, limits=limits, files=files)

        pattern = language.found.toolchain.run.out_of_memory
        made.add_done_callback(lambda finished: _go_on(future, finished, start, pattern))
        return future

    def run_many(
        self, items: Iterable[tuple[Program | None, Arguments, Any]], *, ordered: bool = True, timeout: float | None = None
    ) -> Iterator[tuple[Outcome | None, Any]]:
        """`(outcome, tag)` for every `(program, stdin, tag)`, as Executor.run_many; where the host fails, the outcome is
        `engine-error`. Closing the iterator cancels what is left."""
        source = iter(items)
        deadline = None if timeout is None else time.monotonic() + timeout
        most = max(_FEWEST_AHEAD, _AHEAD_OF_EACH_WORKER * self.workers)
        done: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        line: deque[Future[Any]] = deque()
        tags: dict[Future[Any], Any] = {}
        exhausted = False
        try:
            while True:
                while not exhausted and len(tags) < most:
                    item = next(source, None)
                    if item is None:
                        exhausted = True
                    elif item is WAIT:
                        break
                    else:
                        program, call, tag = item
                        future = _not_executed() if program is None else self._submitted(program, call)
                        tags[future] = tag
                        if ordered:
                            line.append(future)
                        else:
                            future.add_done_callback(done.put)
                if not tags:
                    if exhausted:
                        return
                    raise UsageError("the items wait for an outcome, and none is on its way")
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                try:
                    if ordered:
                        line[0].exception(left)
                        future = line.popleft()
                    else:
                        future = done.get(timeout=left)
                except (TimeoutError, queue.Empty):
                    raise DeadlineExceededError("the timeout is over; what was not done is cancelled") from None
                tag = tags.pop(future)
                yield _outcome_of(future), tag
        finally:
            for future in tags:
                future.cancel()

    def _submitted(self, program: Program, call: Arguments) -> "Future[Any]":
        try:
            return self.submit(program, call)
        except (EngineError, IsolationUnavailableError) as error:
            future: Future[Any] = Future()
            future.set_exception(error)
            return future

    def _language(self, name: str) -> _Language:
        with self._lock:
            if self._closed:
                raise UsageError("this executor is shut down")
            language = toolchain_named(name).language if not name.endswith(".toml") else name
            found = self._languages.get(language)
            if found is None:
                try:
                    found = _Language(self, name)
                except (UsageError, IsolationUnavailableError) as error:
                    found = error
                self._languages[language] = found
            if isinstance(found, Exception):
                raise found
            return found

    def _python_executor(self) -> Executor:
        with self._lock:
            if self._closed:
                raise UsageError("this executor is shut down")
            if self._python is None:
                self._python = Executor(self.policy, workers=self.workers, isolation=self.wanted_isolation)
            return self._python

    def statistics(self) -> Statistics:
        """Of the programs' runs in all languages together; compilations are not counted."""
        with self._lock:
            executors = [each.executor for each in self._languages.values() if isinstance(each, _Language)]
            parts = [executor.statistics() for executor in (*executors, *filter(None, (self._python,)))]
        fields = Statistics.__dataclass_fields__
        return Statistics(**{name: sum(getattr(part, name) for part in parts) for name in fields})

    def shutdown(self) -> None:
        """Ends all workers and removes what was compiled. A second shutdown does nothing."""
        with self._lock:
            self._closed = True
            for each in self._languages.values():
                if isinstance(each, _Language):
                    each.close()
            self._languages.clear()
            if self._python is not None and self._python_is_own:
                self._python.shutdown()
            self.artefacts.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.shutdown()


class CommandFuture(Future[Outcome]):
    """The future of a program that is compiled first."""

    run: OutcomeFuture | None = None
    """Once it is compiled."""
    compiled_s = 0.0
    """Seconds until then; next to none where it was known."""

    def files(self) -> dict[str, bytes]:
        """As OutcomeFuture.files; of a program that did not compile there are none."""
        self.result()
        return {} if self.run is None else self.run.files()

    def running(self) -> bool:
        """Whether a worker runs it; False while it is compiled."""
        return not self.done() and self.run is not None and self.run.running()


def _go_on(
    future: CommandFuture, made: "Future[Made]", start: Callable[[CommandLine], OutcomeFuture], out_of_memory: str
) -> None:
    """The compilation has ended."""
    try:
        found = made.result()
        if not isinstance(found, CommandLine):
            _settle(future, found)
            return
        if future.cancelled():
            return
        running = future.run = start(found)
    except Exception as error:
        _fail(future, error)
        return
    running.add_done_callback(lambda finished: _take(future, finished, out_of_memory))
    future.add_done_callback(lambda outer: running.cancel() if outer.cancelled() else None)


def _take(future: "Future[Outcome]", finished: "Future[Outcome]", out_of_memory: str) -> None:
    if finished.cancelled():
        future.cancel()
        return
    try:
        _settle(future, _named(finished.result(), out_of_memory))
    except Exception as error:
        _fail(future, error)


def _named(outcome: Outcome, out_of_memory: str) -> Outcome:
    """A run time that ends by itself for want of memory exits or aborts, which many a crash does too."""
    failed = outcome.kind == "exception" or (outcome.kind == "value" and outcome.value != 0)
    if not failed or not ran_out(out_of_memory, outcome.stderr):
        return outcome
    said = outcome.describe() if outcome.exception else f"exit status {outcome.value}"
    return dataclasses.replace(
        outcome, kind="memory-limit", value=None, exception=None, detail=f"its run time had no memory left ({said})"
    )


def _settle(future: "Future[Outcome]", outcome: Outcome) -> None:
    with contextlib.suppress(InvalidStateError):  # cancelled in this moment
        future.set_result(outcome)


def _fail(future: "Future[Outcome]", error: Exception) -> None:
    with contextlib.suppress(InvalidStateError):
        future.set_exception(error)


def _not_executed() -> "Future[Any]":
    future: Future[Any] = Future()
    future.set_result(None)
    return future


def _outcome_of(future: "Future[Any]") -> Outcome | None:
    error = future.exception()
    if error is None:
        return future.result()  # type: ignore[no-any-return]
    if isinstance(error, EngineError):
        return Outcome("engine-error", detail=str(error))
    raise error
