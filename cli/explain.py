"""`reexec explain`: one row in full, for when a number looks odd."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table

from reexec.engine.errors import UsageError
from reexec.engine.executor import Executor
from reexec.engine.judging.compare import compare
from reexec.policies.model import Policy
from reexec.runners.answers import as_compared, extract_answer
from reexec.runners.records.functions import FunctionStore
from reexec.runners.records.predictions import read_prediction
from reexec.runners.reports.sources import manifest_of, named_by
from reexec.runners.rows.run import beside
from reexec.runners.rows.text import BadRowError, dump, quoted

from . import exits, options, screen
from .explain_graded import explain_graded
from .explain_reject import explain_reject
from .find_row import find_row, output_of
from .languages import with_languages
from .terminal import MAX_SOURCE, styled, visible

_MAX_TAIL = 1200


def register(app: typer.Typer) -> None:
    app.command("explain")(explain)


def explain(
    verified: Annotated[
        Path, typer.Argument(help="A file that `reexec verify` or `reexec grade` wrote, or a NAME.rejects.jsonl.")
    ],
    row_id: Annotated[str, typer.Argument(metavar="ID", help="The row's id or how it begins, or :N for line N.")],
    functions: Annotated[
        Path | None, typer.Option("--functions", "-f", help="The functions file. [default: the one of the run]")
    ] = None,
    run: Annotated[bool, typer.Option("--run/--no-run", help="Execute the call again and show what it does now.")] = True,
    policy: Annotated[
        str | None, typer.Option("--policy", "-p", help="[default: the policy of the run]", metavar="NAME|FILE.toml")
    ] = None,
    settings: options.Settings = None,
    python: options.Python = None,
) -> int:
    """Show one row: the answer, what was expected, what the program did, the first difference, and how to repeat it.

    Example: [bold]reexec explain verified.jsonl :3 --functions examples/functions.jsonl[/]
    """
    found = find_row(verified, row_id)
    row = found.row
    if found.rejected:
        output = output_of(verified)
        explain_reject(row, str((manifest_of(output) or {}).get("stage", "")), output)
        return exits.DONE
    graded = _graded(verified)
    if graded is not None:
        if functions is not None or not run:
            raise UsageError(f"{verified}: a graded file is explained with its own problems, by running its tests again")
        with (
            options.open_executor(_policy_of_run(verified, policy, settings), 1, python) as own,
            with_languages(own) as executor,
        ):
            explain_graded(row, *graded, executor)
        return exits.DONE
    source = functions or _functions_of_run(verified)
    effective = _policy_of_run(verified, policy, settings)
    if not run:
        explain_row(row, source, None)
        return exits.DONE
    with options.open_executor(effective, 1, python) as executor:
        explain_row(row, source, executor)
    return exits.DONE


def _graded(path: Path) -> tuple[dict[str, Any], str, dict[str, Any]] | None:
    """(facts, task, settings) of the run that graded the file; None for any other file."""
    manifest = manifest_of(path) or {}
    try:
        stage, facts, settings = str(manifest["stage"]), manifest["facts"], manifest["key"]["settings"]
        problems = [str(named_by(manifest, path, each) or each) for each in facts["problems"]]
    except (KeyError, TypeError):
        return None
    return ({**facts, "problems": problems}, stage.removeprefix("grade "), settings) if stage.startswith("grade ") else None


def _policy_of_run(verified: Path, name: str | None, settings: list[str] | None) -> Policy:
    """The policy that is asked for, else the one that the run had."""
    if name is None and not settings:
        try:
            return Policy.model_validate((manifest_of(verified) or {})["facts"]["policy"])
        except (ValueError, KeyError, TypeError):
            pass
    return options.effective_policy(name or "codeio", settings)


def _functions_of_run(verified: Path) -> Path:
    manifest = manifest_of(verified)
    if manifest is None:
        lacking = beside(verified, "manifest.json").name
        raise UsageError(
            f"{verified}: expected a file that `reexec verify` or `reexec grade` wrote ({lacking} is not beside it); "
            "if it is one, give its functions with -f FILE"
        )
    try:
        named = str(manifest["facts"]["functions"])
    except (KeyError, TypeError):
        where = beside(verified, "manifest.json")
        raise UsageError(f"{where}: does not say which functions file was used; give it with -f FILE") from None
    found = named_by(manifest, verified, named)
    if found is None:
        raise UsageError(f"{verified}: its functions file {named} is not there; give it with -f FILE")
    return found


def explain_row(row: dict[str, Any], functions_path: Path, executor: Executor | None, brief: bool = False) -> None:
    """Prints one verified row. With an executor the call runs again."""
    functions = FunctionStore(functions_path)
    try:
        prediction = read_prediction(row, functions)
    except BadRowError as error:
        raise UsageError(f"{functions_path}: {error}") from None
    side = "output" if prediction.io_pred == "o" else "input"
    pair, function = prediction.pair, prediction.function
    rule = (executor.policy if executor else Policy.preset("codeio")).comparison
    answer = as_compared(extract_answer(prediction.text, "output" if side == "output" else "input"), rule, prediction.io_pred)
    word = str(row.get("verdict", "?"))
    out = screen.out

    table = Table(show_header=False, show_edge=False, pad_edge=False, box=None)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("verdict", styled(word, screen.style_of(word)).append(f"  ({side} prediction)", ""))
    table.add_row("function", f"{visible(function.program.entry)}, row {function.position}, {function.id[:12]}")
    problem = str(function.row.get("problem_description", "")).strip()
    if problem:
        table.add_row("problem", visible(problem[:300] + (" ..." if len(problem) > 300 else "")))
    if side == "output":
        table.add_row("input", visible(quoted(pair.input)))
    if answer.found:
        note = "" if answer.style == "json" else f"  ({answer.style} style)"
        table.add_row(f"predicted {side}", styled(quoted(answer.value), "").append(note, "dim"))
    else:
        table.add_row(f"predicted {side}", styled(f"none: {answer.reason}", "yellow"))
    table.add_row("expected output", visible(quoted(pair.output)))
    _add_actual(table, prediction.io_pred, answer, pair, function.program, executor)
    if side == "output" and answer.found:
        comparison = compare(answer.value, pair.output, rule)
        if not comparison.equal:
            table.add_row("first difference", f"{visible(comparison.path)}: {visible(comparison.reason)}")
    table.add_row("feedback", visible(_message(row)))
    out.print(table)
    if not brief:
        tail = prediction.text[-_MAX_TAIL:]
        title = "response" if len(tail) == len(prediction.text) else f"last {_MAX_TAIL} characters of the response"
        out.print(Panel(visible(tail), title=title, title_align="left", border_style="dim"))
        out.print(Syntax(visible(function.program.source.strip(), MAX_SOURCE), "python", line_numbers=True, word_wrap=True))
    given = answer.value if side == "input" and isinstance(answer.value, dict) else pair.input
    command = [
        "reexec",
        "call",
        f"{_short(functions_path)}#{function.position}",
        "--input",
        dump(given),
        "--expect",
        dump(pair.output),
    ]
    out.print(styled("to repeat it:", "dim"))
    out.print(shlex.join(command), markup=False)


def _message(row: dict[str, Any]) -> str:
    said = row.get("res")
    return str(said.get("message", "")) if isinstance(said, dict) else ""


def _short(path: Path) -> str:
    """The path as a person would type it from here."""
    real, here = path.resolve(), Path.cwd()
    return str(real.relative_to(here)) if real.is_relative_to(here) else str(path)


def _add_actual(table: Table, io_pred: str, answer: Any, pair: Any, program: Any, executor: Executor | None) -> None:
    if executor is None:
        return
    given = pair.input if io_pred == "o" else answer.value
    if not isinstance(given, dict) or not all(isinstance(key, str) for key in given):
        return
    outcome = executor.submit(program, given).result()
    actual = quoted(outcome.value) if outcome.ok else outcome.describe()
    table.add_row("the program now", visible(actual))
    if outcome.ok and io_pred == "i":
        comparison = compare(outcome.value, pair.output, executor.policy.comparison)
        if not comparison.equal:
            table.add_row("first difference", f"{visible(comparison.path)}: {visible(comparison.reason)}")
    table.add_row("used", f"{outcome.usage.cpu_s * 1000:.1f} ms CPU, {outcome.usage.peak_bytes / 1e6:.1f} MB more than idle")
