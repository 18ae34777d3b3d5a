"""How rows go through a stage: one after the other, through executors, or side by side as coroutines. Results keep the order of
the rows, and an exception on one row is that row's alone."""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reexec.engine.errors import ReexecError

from .backends.parts import Part, part_of
from .rows.row import REJECTED, Result, Row
from .rows.text import BadRowError

if TYPE_CHECKING:
    from reexec.engine.cache import OutcomeCache
    from reexec.engine.commands import AnyExecutor
    from reexec.engine.executor import Executor
    from reexec.engine.outcome import Outcome
    from reexec.engine.program import Program
    from reexec.policies.model import Policy

    from .backends.fleet import Fleet

WINDOW_BYTES = 64 << 20
"""Of rows under way side by side."""
MANY_BYTES = 8 << 20
"""Of results of many rows that wait for rows that are executed."""


@dataclass(frozen=True, slots=True)
class ExecutorOptions:
    """What an executor is opened with. A stage takes an open one or this."""

    policy: "Policy | str" = "codeio"
    workers: int | None = None
    """As many as there are processors where None."""
    python: str | Path | None = None
    cache: "OutcomeCache | None" = None
    """For stages that may recall outcomes; it stays the caller's to close."""
    fleet: "Fleet | None" = None
    """Nodes that run everything, where not this process does; the caller's to close too. `workers` are each node's, and
    `python` and the cache's folder are paths there."""

    @classmethod
    def of(cls, given: "Executor | ExecutorOptions | None") -> "ExecutorOptions":
        """What opens more executors like the one that is given."""
        from .backends.executor import NodesExecutor

        if given is None or isinstance(given, ExecutorOptions):
            return given or cls()
        if isinstance(given, NodesExecutor):
            return cls(given.policy, given.settings.workers, given.settings.python, fleet=given.fleet)
        return cls(given.policy, given.workers, given.interpreter.executable)

    def open(self) -> "Executor":
        """An executor for verdicts: identical calls of a run are executed once."""
        from reexec.engine.executor import Executor

        if self.fleet is not None:
            from .backends.executor import NodeSettings, NodesExecutor

            folder = None if self.cache is None else self.cache.folder
            return NodesExecutor(
                self.fleet, self.policy, NodeSettings(self.workers, self.python, cache=folder, share_identical=True)
            )
        return Executor(self.policy, workers=self.workers, python=self.python, cache=self.cache, share_identical=True)

    def open_part(self, policy: "Policy", part: Part) -> "Executor":
        """An executor for proofs, which recalls nothing, with a part of the workers."""
        from reexec.engine.executor import Executor

        if self.fleet is not None:
            from .backends.executor import NodeSettings, NodesExecutor

            return NodesExecutor(self.fleet, policy, NodeSettings(self.workers, self.python, part=part))
        return Executor(policy, workers=part_of(self.workers, part), python=self.python)


def opened(given: "Executor | ExecutorOptions | None") -> "AbstractContextManager[Executor]":
    """The executor that was given, which stays open, or one that is shut down at the end."""
    if given is None or isinstance(given, ExecutorOptions):
        return ExecutorOptions.of(given).open()
    return nullcontext(given)


def another(executor: "AnyExecutor", policy: "Policy") -> "Executor":
    """One of another policy that is like the given: on the same nodes, or with as many workers here."""
    from reexec.engine.executor import Executor

    from .backends.executor import NodesExecutor

    if isinstance(executor, NodesExecutor):
        return executor.another(policy)
    return Executor(policy, workers=executor.workers, python=executor.interpreter.executable, isolation=executor.isolation)


def one_result[**P, T](row: Row, function: Callable[P, T], *args: P.args, **more: P.kwargs) -> T | Result:
    """What the function makes of the row; a reject where either is at fault."""
    if row.fault is not None:
        return Result.rejected(row, row.fault)
    try:
        return function(*args, **more)
    except Exception as error:
        return of_exception(row, error)


def of_exception(row: Row, error: Exception) -> Result:
    """The reject of a row on which the stage raised: the row's fault, or ours, which says nothing about it. What ends a run
    is raised again: the caller's mistakes and the host's failures."""
    if isinstance(error, BadRowError):
        return Result.rejected(row, str(error))
    if isinstance(error, ReexecError | OSError | MemoryError):
        raise error
    said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    reason = f"an error in reexec itself, which says nothing about the row: {said}"
    return Result(row, (REJECTED,), reason=reason, counts={"engine_errors": 1})


@dataclass(slots=True)
class Work:
    """A row with the calls that it waits for."""

    row: Row
    state: Any
    calls: "Sequence[tuple[Program, Any]]"
    outcomes: "list[tuple[Outcome, ...]]" = field(default_factory=list)
    """Of each call so far, from each executor."""


def executed(
    rows: Iterable[Row | Result],
    executors: "Sequence[Executor]",
    prepare: Callable[[Row], Work | Result],
    finish: Callable[[Work], Result],
    *,
    watch_arguments: bool = False,
    repeat_where: "Callable[[Outcome, Work], bool] | None" = None,
    accepted_where: "Callable[[Outcome, Work], bool] | None" = None,
) -> Iterator[Result]:
    """Rows through executors, in order, and the results among them as they are: `prepare` says which calls a row needs, each
    runs once in every executor, and `finish` gets the outcomes. `repeat_where` says which of them are not to be quoted before
    a second run gave them too (`Executor.run_many`), `accepted_where` which of them are what was expected: with it checks may
    share forks."""

    prepared = (row if isinstance(row, Result) else one_result(row, prepare, row) for row in rows)
    first: Work | Result | None = None
    for first in prepared:  # nothing is under way: what needs no execution waits for nobody
        if isinstance(first, Work) and first.calls:
            break
        yield first if isinstance(first, Result) else one_result(first.row, finish, first)
    else:
        return

    of_many = 0  # bytes of results of many rows that wait for those before them

    def items() -> "Iterator[Any]":
        nonlocal of_many
        for work in itertools.chain([first], prepared):
            if isinstance(work, Result) or not work.calls:
                yield None, (), (work, True)
                if isinstance(work, Result) and work.rows > 1:
                    of_many += work.size
                    while of_many > MANY_BYTES:
                        yield WAIT
                continue
            last = len(work.calls) - 1
            for index, (program, arguments) in enumerate(work.calls):
                yield program, arguments, (work, index == last)

    from reexec.engine.executor import WAIT

    doubts = None if repeat_where is None else lambda outcome, tag: repeat_where(outcome, tag[0])
    accepted = None if accepted_where is None else lambda outcome, tag: accepted_where(outcome, tag[0])
    sources = itertools.tee(items(), len(executors)) if len(executors) > 1 else (items(),)
    streams = [
        executor.run_many(source, watch_arguments=watch_arguments, repeat_where=doubts, accepted_where=accepted)
        for executor, source in zip(executors, sources, strict=True)
    ]
    for answers in zip(*streams, strict=True):
        work, last = answers[0][1]
        if isinstance(work, Result):
            of_many -= work.size if work.rows > 1 else 0
            yield work
            continue
        if work.calls:
            work.outcomes.append(tuple(outcome for outcome, _ in answers))
        if last:
            yield one_result(work.row, finish, work)


def side_by_side(rows: Iterator[Row], make: Callable[[Row], Coroutine[Any, Any, Result]], *, window: int) -> Iterator[Result]:
    """Rows as coroutines, at most `window` of them and 64 MiB at a time: the oldest is waited for, and its place given to the
    next row."""
    waiting: deque[tuple[asyncio.Task[Result], int]] = deque()

    async def made(row: Row) -> Result:
        if row.fault is not None:
            return Result.rejected(row, row.fault)
        try:
            return await make(row)
        except Exception as error:
            return of_exception(row, error)

    async def oldest() -> Result | None:
        in_bytes = sum(size for _, size in waiting)
        while len(waiting) < window and in_bytes < WINDOW_BYTES and (row := next(rows, None)) is not None:
            waiting.append((asyncio.create_task(made(row)), len(row.line)))
            in_bytes += len(row.line)
        if not waiting:
            return None
        result = await waiting[0][0]
        waiting.popleft()
        return result

    async def abandon() -> None:
        for task, _ in waiting:
            task.cancel()
        await asyncio.gather(*(task for task, _ in waiting), return_exceptions=True)

    with asyncio.Runner() as runner:
        try:
            while (result := runner.run(oldest())) is not None:
                yield result
        finally:
            runner.run(abandon())
