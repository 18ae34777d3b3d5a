"""A task of `reexec grade` as a command: its own options, those that all tasks share, and the run that they ask for."""

import inspect
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from reexec.engine.commands import AnyExecutor, CommandExecutor
from reexec.engine.commands.executor import COMPILE_POLICY
from reexec.engine.errors import UsageError
from reexec.engine.executor import Executor
from reexec.policies.model import Policy
from reexec.runners.execution import ExecutorOptions
from reexec.runners.graders.io_tests import PYTHON_NAME
from reexec.runners.graders.problems import Problems
from reexec.runners.graders.registry import task_named
from reexec.runners.graders.samples import one_a_row
from reexec.runners.graders.stage import GradeSummary
from reexec.runners.graders.stage import grade as run_grade
from reexec.runners.graders.task import Task
from reexec.runners.rows.run import beside

from . import exits, options, screen
from .grade_summary import grade_fields, tell_losses, tell_spared
from .stage_command import parameter, register

GradePolicy = Annotated[
    str, typer.Option("--policy", "-p", help="A preset (grade, contest, strict, ...) or a TOML file.", metavar="NAME|FILE.toml")
]


@dataclass(frozen=True, slots=True)
class Shared:
    """What was given for the options that all tasks share."""

    workers: int | None
    policy_name: str
    set: list[str] | None
    python: Path | None
    cache: str | None
    overwrite: bool
    json: bool
    where: options.Where = ("here", None, None)
    limit: int | None = None
    shard: str | None = None

    def policy(self) -> Policy:
        return options.effective_policy(self.policy_name, self.set)

    @contextmanager
    def python_executor(self, policy: Policy | None = None) -> Iterator[Executor]:
        """Runs programs in Python, here or on other nodes."""
        used = policy or self.policy()
        with options.opened_cache(self.cache) as cache, options.opened_fleet(self.where) as fleet:
            workers = options.wanted_workers(self.workers, fleet is None)
            with ExecutorOptions(used, workers, self.python, cache, fleet).open() as executor:
                yield executor

    @contextmanager
    def command_executor(self) -> Iterator[CommandExecutor]:
        """Runs programs in other languages."""
        policy = self.policy()
        if self.where[0] != "here":
            raise UsageError("--backend is for programs in Python; split a file in other languages with --shard i/n")
        if self.python is not None:
            raise UsageError("--python chooses the interpreter of Python's samples; it has no meaning beside --language")
        compiles = options.effective_policy(COMPILE_POLICY, None)
        with CommandExecutor(policy, workers=options.worker_count(self.workers), compile_policy=compiles) as executor:
            yield executor

    def grade(self, name: str, problem_paths: list[Path], samples: Path, output: Path, **chosen: Any) -> int:
        """Runs a task from file to file, and tells what came of it; the exit code."""
        kind = task_named(name)
        selection = options.selection(self.limit, self.shard)
        problems = Problems(problem_paths, kind.needs)
        rows_file = one_a_row(samples, beside(output, "samples.jsonl"))
        rows = screen.count_lines(rows_file, self.limit, selection.shard[1] if selection.shard else 1)
        opened = self.python_executor if chosen.get("language", PYTHON_NAME) == PYTHON_NAME else self.command_executor
        with opened() as executor:
            task = kind(problems, executor, **chosen)
            with screen.progress(f"grade {name}", rows) as meter:
                result = run_grade(
                    task, rows_file, output, executor, selection=selection, overwrite=self.overwrite, on_row=meter.tell,
                    on_resume=meter.resumed,
                )  # fmt: skip
            if not (result.rows or result.rejected or self.json):
                screen.tell_no_rows(samples)
            _show(task, result, executor, meter, output, self.json)
        return exits.of_files(result.rows, result.rejected, result.engine_errors)


def task_command(
    app: typer.Typer, name: str, policy: str, *, without: Set[str] = frozenset(), help: str | None = None
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Registers `body(shared, ...)` under a name: its own options first, then the shared ones, but for those in `without`.
    `policy` is the preset that counts where none is chosen; `help` is the body's docstring where none is given."""
    every = options.EXECUTOR | {"policy": (GradePolicy, policy)} | options.BACKEND | options.CACHE | options.FILES
    offered = {option: of for option, of in every.items() if option not in {"map", *without}}

    def of(body: Callable[..., int]) -> Callable[..., int]:
        own = [one.replace(kind=one.KEYWORD_ONLY) for one in list(inspect.signature(body).parameters.values())[1:]]

        def command(**given: Any) -> int:
            said = {option: given.pop(option) for option in offered}
            if "backend" in said:
                said["where"] = tuple(said.pop(option) for option in options.BACKEND)
            return body(Shared(policy_name=said.pop("policy"), **said), **given)

        register(app, name, command, [*own, *(parameter(option, *of) for option, of in offered.items())], help or body.__doc__)
        return body

    return of


def _show(task: Task, result: GradeSummary, executor: AnyExecutor, meter: screen.Meter, output: Path, json: bool) -> None:
    tell_losses(result, output)
    if json:
        screen.summary("grade", **grade_fields(task, result, executor, meter))
        return
    if not result.rows:
        return
    title = f"{screen.number_of(result.rows, 'sample')} of {screen.number_of(result.problems, 'problem')}"
    screen.out.print(screen.count_table(title, result.verdicts))
    for k, each in result.estimates.items():
        screen.out.print(f"pass@{k} {each.value:.4f}  (95 %: {each.low:.4f} to {each.high:.4f})")
    left = len(task.problems) - result.problems
    if left > 0:
        screen.out.print(f"{screen.number_of(left, 'problem')} without a sample: not counted")
    if result.lifted is not None:
        screen.out.print(f"{100 * result.lifted:.1f} % of the assertions were judged outside of the jail")
    if result.resumed_rows and not meter.rows:
        screen.out.print(f"{output} is complete already; nothing to do")
    else:
        screen.out.print(screen.pace(meter, executor.workers, executor.isolation.value))
        tell_spared(executor)
