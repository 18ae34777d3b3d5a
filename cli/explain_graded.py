"""`reexec explain` of a graded row: the sample's code, its tests, and what the first failing one does now."""

from pathlib import Path
from typing import Any

from rich.syntax import Syntax
from rich.table import Table

from reexec.engine.commands import AnyExecutor
from reexec.engine.commands.toolchain import toolchain_named
from reexec.engine.program import Command, Stdin
from reexec.runners.graders.code import code_in_language, code_of
from reexec.runners.graders.flow import Attempt, run_attempts
from reexec.runners.graders.packages import PackageTask, problems_of, read_package
from reexec.runners.graders.plan import Plan, Result, Test
from reexec.runners.graders.problems import Problems
from reexec.runners.graders.registry import task_named
from reexec.runners.graders.task import Task
from reexec.runners.rows.text import quoted

from . import screen
from .terminal import MAX_SOURCE, styled, visible

_MOST_TESTS = 20
_MOST_TEXT = 600


def explain_graded(
    row: dict[str, Any], facts: dict[str, Any], name: str, settings: dict[str, Any], executor: AnyExecutor
) -> None:
    """Prints one row of a run of `reexec grade NAME`. Its tests run again."""
    kind = task_named(name)
    settings = {name: value for name, value in settings.items() if name != "version"}  # of the compiler that the run had
    paths = [Path(path) for path in facts["problems"]]
    problems = problems_of([read_package(path) for path in paths]) if kind is PackageTask else Problems(paths, kind.needs)
    key = kind(problems, executor, **settings).key_for(row)
    task = kind(problems.only(key), executor, **settings)
    task.prepare()
    plan = task.plan(row, key)
    (attempt,) = run_attempts(executor, [Attempt(plan, None)])
    results = attempt.finished_results()
    word = str(row.get("verdict", "?"))
    table = Table(show_header=False, show_edge=False, pad_edge=False, box=None)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("verdict", styled(word, screen.style_of(word)).append(visible(f"  ({name}, problem {key or 'its own'})"), ""))
    now = str(task.members(plan, results)["verdict"])
    if now != word:
        table.add_row("now", styled(now, screen.style_of(now)))
    if plan.detail:
        table.add_row("why", visible(plan.detail))
    if "why" in plan.facts:
        table.add_row("asserted inside", visible(f"the jail, because {plan.facts['why']}"))
    if "apart" in plan.facts:
        table.add_row("judged apart", visible(f"from the solution, because {plan.facts['apart']}"))
    _add_tests(table, plan, results)
    _add_first_failure(table, plan, results)
    screen.out.print(table)
    language = next((run.program.entry for test in plan.tests for run in test.runs if isinstance(run.program, Command)), "")
    text = visible(_code(task, row, key, language).strip(), MAX_SOURCE)
    screen.out.print(Syntax(text, language or "python", line_numbers=True, word_wrap=True))


def _code(task: Task, row: dict[str, Any], key: str, language: str) -> str:
    if language:
        return code_in_language(row, toolchain_named(language).names).text
    problem = task.problems[key] if key else {}
    return code_of(row, str(problem.get("prompt", "")), str(problem.get("entry_point", ""))).text


def _add_tests(table: Table, plan: Plan, results: list[Result]) -> None:
    shown = [f"{test.name}: {result.word}" for test, result in zip(plan.tests, results, strict=True)]
    more = f", and {len(shown) - _MOST_TESTS:,} more" if len(shown) > _MOST_TESTS else ""
    table.add_row("tests", visible(", ".join(shown[:_MOST_TESTS]) + more))


def _add_first_failure(table: Table, plan: Plan, results: list[Result]) -> None:
    for test, result in zip(plan.tests, results, strict=True):
        if result.passed or result.word == "not-run":
            continue
        table.add_row("first failure", visible(test.name))
        for run in test.runs if test.dialogue is None else ():  # the calls of a dialogue are not known before
            if isinstance(run.call, Stdin):
                table.add_row("stdin", visible(run.call.data.decode("utf-8", "replace")[:_MOST_TEXT]))
            else:
                given = [quoted(each) for each in run.call.args]
                given += [f"{name}={quoted(each)}" for name, each in run.call.kwargs.items()]
                table.add_row("call", visible(f"{run.program.entry}({', '.join(given)})"[:_MOST_TEXT]))
        _add_outcome(table, test, result)
        return


def _add_outcome(table: Table, test: Test, result: Result) -> None:
    if test.expected:
        table.add_row("expected", visible(test.expected()[:_MOST_TEXT]))
    outcome = result.outcome
    if outcome is not None and outcome.ok:
        table.add_row("the program now", visible((outcome.stdout or quoted(outcome.value))[:_MOST_TEXT]))
    table.add_row("reason", visible(result.detail))
    if outcome is not None:
        table.add_row(
            "used", f"{outcome.usage.cpu_s * 1000:.1f} ms CPU, {outcome.usage.peak_bytes / 1e6:.1f} MB more than idle"
        )
