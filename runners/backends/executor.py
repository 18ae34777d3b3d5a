"""NodesExecutor: what `reexec.Executor` is, with its workers on the nodes of a fleet."""

import contextlib
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reexec.engine.arguments import encode_call
from reexec.engine.errors import EngineError, UsageError
from reexec.engine.executor import Arguments, Executor
from reexec.engine.folding import fold_arguments
from reexec.engine.jail.interpreter import Interpreter
from reexec.engine.judging.verdict import Verdict
from reexec.engine.outcome import Outcome
from reexec.engine.own_terms import CallLimits, Files
from reexec.engine.pool.future import OutcomeFuture
from reexec.engine.pool.statistics import Statistics
from reexec.engine.program import Call, Check, Command, CommandLine, Program, Script, Stdin
from reexec.engine.protocol import frames
from reexec.engine.stream import Repeat
from reexec.policies.comparison import ComparisonRule
from reexec.policies.model import IsolationLevel, Policy

from . import wire
from .fleet import Fleet
from .likeness import terms
from .link import Task
from .parts import Part
from .stream import NodesStream


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """What the executor of each node is opened with. `python` and `cache` are paths on the nodes."""

    workers: int | None = None
    """Of each node; as many as it has processors where None."""
    python: str | Path | None = None
    isolation: str | None = None
    cache: Path | None = None
    share_identical: bool = False
    part: Part = "all"
    """Of these workers."""


class NodesExecutor(Executor):
    """Takes calls as an Executor does. Values of another kind than the policy compares (`rule`), lower limits, files, timeouts
    of a call and groups are not for nodes: UsageError. Checks do not share forks."""

    def __init__(self, fleet: Fleet, policy: Policy | str, settings: NodeSettings = NodeSettings()) -> None:
        self.policy = Policy.preset(policy) if isinstance(policy, str) else policy
        self.settings, self.fleet = settings, fleet
        self._number, abouts = fleet.open(
            **terms(self.policy),
            workers=settings.workers,
            part=settings.part,
            python=None if settings.python is None else str(settings.python),
            isolation=settings.isolation,
            cache=None if settings.cache is None else str(settings.cache),
            share_identical=settings.share_identical,
        )
        about = abouts[0]
        self.workers = sum(each["workers"] for each in abouts)
        version = tuple(map(int, about["python"].split(".")))
        self.interpreter = Interpreter(about["executable"], version, ())  # type: ignore[arg-type]
        self._isolation = IsolationLevel(about["isolation"])
        self._missing = list(about["missing"])
        self._is_shut = False

    # -- what it is -------------------------------------------------------------------------------------------

    @property
    def isolation(self) -> IsolationLevel:
        return self._isolation

    @property
    def missing_prelude_modules(self) -> list[str]:
        return list(self._missing)

    @property
    def failure(self) -> EngineError | None:
        return self.fleet.failure

    @property
    def is_open(self) -> bool:
        return not self._is_shut and self.fleet.is_open

    def statistics(self) -> Statistics:
        """Of what nodes counted, only calls that were recalled or shared."""
        recalled, shared = self.fleet.counted(self._number)
        return Statistics(recalled=recalled, shared=shared)

    def worker_pids(self) -> list[int]:
        """None: they are pids of other machines."""
        return []

    def another(self, policy: Policy) -> "NodesExecutor":
        """An executor of another policy on the same nodes, that recalls nothing."""
        settings = replace(self.settings, isolation=self.isolation.value, cache=None, share_identical=False)
        return NodesExecutor(self.fleet, policy, settings)

    # -- calls: what submit, map, check, check_many and run_many are made of --------------------------------------

    def _submit(
        self, program: Program, call: Arguments, options: int, timeout: float | None, group: Hashable,
        limits: CallLimits | None = None, files: Files | None = None,
    ) -> OutcomeFuture:  # fmt: skip
        if limits is not None or files is not None or timeout is not None or group is not None:
            raise UsageError("calls on nodes have no limits, files, timeouts or groups of their own")
        future = SentFuture(self.fleet)
        future.task = self._task(program, call, options, future.arrived, None)
        self.fleet.run([future.task])
        return future

    def _stream(
        self, items: Iterable[tuple[Program | None, Arguments, Any]], rule: ComparisonRule, *, ordered: bool,
        timeout: float | None, repeat: Repeat | None = None, options: int | None = None, accepts: Any = None,
    ) -> Iterator[tuple[Any, Outcome | None]]:  # fmt: skip
        del accepts  # a node judges nothing, so that checks share no forks there
        usual = self._options(rule) if options is None else options

        def make(program: Program, call: Any, deliver: Callable[[Task], None], item: Any) -> Task:
            own = usual if type(item) is not Check or item.rule is None else self._options(item.rule_or(rule))
            return self._task(program, call, own, deliver, item)

        stream = NodesStream(self.fleet, iter(items), make, ordered=ordered, timeout=timeout, repeat=repeat)
        for outcome, item in stream:
            yield Handed(item), outcome

    def _task(self, program: Program, call: Any, options: int, deliver: Callable[[Task], None], item: Any) -> Task:
        """Raises UsageError for what an Executor refuses, before anything is sent."""
        if self._is_shut:
            raise UsageError("this executor is shut down")
        if not isinstance(program, Program):
            raise UsageError(f"expected a Program, got {type(program).__name__}")
        if (options ^ self._options(self.policy.comparison)) & frames.PYTHON_VALUES:
            raise UsageError("calls on nodes give the kind of values that the policy compares")
        if isinstance(program, Script):
            if isinstance(program, Command | CommandLine):
                raise UsageError("programs in other languages do not run on nodes")
            if not self.policy.limits.capture_bytes:
                raise UsageError("a Script needs a policy that keeps what it prints, at $.limits.capture_bytes")
            given: Call | Stdin = Stdin.of(call)
        elif isinstance(call, Stdin | str | bytes):
            raise UsageError(f"a function is called with arguments, not with {type(call).__name__}")
        else:
            whole = Call.of(call)
            given = Call(tuple(fold_arguments(list(whole.args))), fold_arguments(dict(whole.kwargs)))
            encode_call(given)  # refuses what a worker would not take
        number = self.fleet.number()
        line = wire.task_line(number, self._number, options, program, wire.call_text(given))
        return Task(number, self._number, program, line, deliver, item)

    # -- the end ----------------------------------------------------------------------------------------------

    def shutdown(self) -> None:
        """Ends this executor on all nodes, which stay."""
        if not self._is_shut:
            self._is_shut = True
            self.fleet.close_executor(self._number)


@dataclass(frozen=True, slots=True)
class Handed:
    """What the Executor's own methods ask of a job that is done."""

    item: Any
    judged: Verdict | None = None


class SentFuture(OutcomeFuture):
    """The future of a call that a node runs."""

    def __init__(self, fleet: Fleet) -> None:
        Future.__init__(self)
        self._fleet = fleet
        self.task: Task | None = None
        self.job = None

    def arrived(self, task: Task) -> None:
        with contextlib.suppress(InvalidStateError):  # cancelled in this moment
            if task.error is not None:
                self.set_exception(task.error)
            else:
                self.set_result(wire.read_answer(task.answer))

    def result(self, timeout: float | None = None) -> Outcome:
        return Future.result(self, timeout)

    def files(self) -> dict[str, bytes]:
        return {}

    def running(self) -> bool:
        return not self.done()

    def cancel(self) -> bool:
        if self.cancelled():
            return True
        if not Future.cancel(self):
            return False
        self.set_running_or_notify_cancel()
        if self.task is not None:
            self._fleet.cancel([self.task])
        return True

    def add_done_callback(self, fn: Callable[[Future[Outcome]], object]) -> None:
        """`fn` runs in the thread that brings the answer or that cancels; it must not wait there for another answer."""
        Future.add_done_callback(self, fn)
