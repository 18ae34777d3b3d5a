"""`reexec grade package`: the labelled submissions of problem packages."""

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from reexec.engine.commands import AnyExecutor
from reexec.engine.errors import UsageError
from reexec.policies.model import Policy
from reexec.runners.graders.packages import PYTHON, Package, PackageTask, problems_of, read_package, submissions_file
from reexec.runners.graders.stage import grade
from reexec.runners.rows.run import beside

from . import exits, options, screen
from .grade_summary import grade_fields, tell_losses, tell_spared
from .languages import with_languages
from .task_command import Shared

COUNTS = ("as_labelled", "otherwise", "without_label")


def package(
    shared: Shared,
    folders: Annotated[list[Path], typer.Argument(help="Problem packages: folders with a problem.yaml.", metavar="FOLDER...")],
    output: options.Output,
) -> int:
    """Problem packages of Kattis, ICPC and DOMjudge: every submission, and whether it ends as its folder says.

    Submissions and checkers in Python and in every language that `reexec doctor --toolchains` finds here. Interactive problems
    are left out with a word.

    Example: [bold]reexec grade package examples/graders/packages/tides -o tides-graded.jsonl[/]
    """
    packages = [read_package(folder) for folder in folders]
    names = [each.name for each in packages]
    if len(set(names)) < len(names):
        raise UsageError(f"two packages have the name {max(names, key=names.count)!r}; grade them one by one")
    samples = beside(output, "submissions.jsonl")
    problems = problems_of(packages)
    found = submissions_file(packages, samples)
    problems.digest = found.digest
    if not samples.stat().st_size:
        raise UsageError(f"{folders[0]}: holds no submissions, at submissions/LABEL/")
    used = with_time_for(packages, shared.policy())
    selection = options.selection(shared.limit, None)
    rows = screen.count_lines(samples, shared.limit, 1)
    with shared.python_executor(used) as own, contextlib.ExitStack() as further:
        executor: AnyExecutor = own
        if not found.languages <= {PYTHON}:
            executor = further.enter_context(with_languages(own))
        task = PackageTask(problems, executor)
        with screen.progress("grade package", rows) as meter:
            result = grade(
                task, samples, output, executor, selection=selection, overwrite=shared.overwrite, on_row=meter.tell,
                on_resume=meter.resumed,
            )  # fmt: skip
        tell_losses(result, output)
        if shared.json:
            screen.summary("grade", **grade_fields(task, result, executor, meter))
        else:
            title = f"{screen.number_of(result.rows, 'submission')} of {screen.number_of(result.problems, 'package')}"
            screen.out.print(screen.count_table(title, result.verdicts))
            told = " ".join(f"{result.more[name]:,} {name.replace('_', ' ')}," for name in COUNTS)
            screen.out.print(told.rstrip(","))
            tell_spared(executor)
    return exits.of_files(result.rows, result.rejected, result.engine_errors)


def with_time_for(packages: list[Package], policy: Policy) -> Policy:
    """The policy with the largest limit of a package as its own, where all name one; each package's own counts for its
    submissions. Where one names none, the policy's limit is the least."""
    named = [each.time_limit_s for each in packages]
    limits = [each for each in named if each is not None]
    if not limits:
        return policy
    most = max(limits) if len(limits) == len(named) else max(*limits, policy.limits.cpu_s)
    own = policy.limits.model_copy(update={"cpu_s": most, "idle_s": max(most, 1.0), "wall_s": None})
    return policy.model_copy(update={"limits": own})
