"""`reexec demo`: the whole loop, and every kind of verdict, on the bundled examples and offline."""

import json as json_text
import os
import textwrap
import time
from collections.abc import Callable
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from reexec.engine.errors import UsageError
from reexec.policies.layers import load_policy
from reexec.runners import reports
from reexec.runners.execution import ExecutorOptions
from reexec.runners.pipeline.config import load_config
from reexec.runners.pipeline.plan import FINAL, make_plan
from reexec.runners.pipeline.record import NAME
from reexec.runners.pipeline.runner import PipelineResult, run_pipeline
from reexec.runners.rows.run import beside
from reexec.runners.rows.source import read_lines
from reexec.runners.rows.text import parse_row
from reexec.runners.stage import Summary
from reexec.runners.stages.verify import Verify, VerifySettings

from . import exits, options, screen
from .explain import explain_row
from .pipeline import funnel_table, tell_stage, watch
from .stage_command import Done, fields_of, tell
from .terminal import styled
from .verify import show_verify

# Small limits: the examples hold programs that compute or sleep for ever, and a demo should not.
_SETTINGS = ("limits.cpu_s=1", "limits.idle_s=1")
_PAGE = "report.html"
_EXPLAINED = ("wrong-answer", "runtime-error", "cpu-limit")
_EXAMPLES = files("reexec.examples")
_FITS: dict[str, Callable[[str], bool]] = {
    "right": lambda verdict: verdict == "accepted",
    "wrong": lambda verdict: verdict not in ("accepted", "engine-error"),
    "junk": lambda verdict: verdict == "no-answer",
}
"""What a check must say of a recorded answer of the loop, by its `kind`."""


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)


def demo(
    keep: Annotated[
        Path, typer.Option("--keep", help="Leave the files in this folder; an earlier demo's are replaced.", metavar="DIR")
    ] = Path("reexec-demo"),
    workers: options.Workers = None,
    python: options.Python = None,
    json: options.Json = False,
) -> int:
    """Go through the whole loop, from raw code to training rows, then through every kind of verdict. Offline.

    Example: [bold]reexec demo[/]

    Recorded responses, written by hand and constructed, stand in for a model; every program is really executed.
    """
    began, count = time.monotonic(), options.worker_count(workers)
    try:
        keep.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{keep}: cannot be made ({os.strerror(error.errno or 0).lower()}); --keep DIR names another"
        ) from None
    verdicts = keep / "verified.jsonl"
    with as_file(_EXAMPLES / "functions.jsonl") as functions, as_file(_EXAMPLES / "responses.jsonl") as responses:
        Verify(responses, verdicts, VerifySettings(functions=functions)).refuse_early(None, overwrite=_is_of_a_demo(verdicts))
    if find_spec("jinja2") is not None:
        reports.refuse_other_page(keep / _PAGE)
    loop = _loop(keep / "loop", count, python, json)
    surprises = _surprises_of_loop(loop)
    verified, fields, more = _verdicts(verdicts, count, python, json)
    surprises += more
    for surprise in surprises:
        screen.err.print(surprise, markup=False)
    final = keep / "loop" / FINAL
    page = _page(keep)
    if json:
        funnel = {step.key: step.count for step in loop.funnel}
        screen.summary("demo", **fields, funnel=funnel, final=str(final), report=str(page) if page else None)
    else:
        screen.out.print(f"\n{time.monotonic() - began:.0f} s in all; the training rows are in {final}", markup=False)
        if page:
            screen.out.print(f"The loop as a page to look at: {page}", markup=False)
    failed = verified.rejected or verified.engine_errors or loop.total("engine_errors")
    return exits.IMPERFECT if surprises or failed else exits.DONE


def _page(keep: Path) -> Path | None:
    """The loop as `reexec report` shows it; None without the extra `report`."""
    if find_spec("jinja2") is None:
        return None
    page = keep / _PAGE
    reports.write_report(reports.collect(reports.find_run(keep / "loop")), page)
    return page


# -- from raw code to training rows ---------------------------------------------------------------------------


def _loop(folder: Path, workers: int, python: Path | None, json: bool) -> PipelineResult:
    with as_file(_EXAMPLES / "pipeline.toml") as config:
        changes = {"folder": str(folder), "python": str(python) if python else ""}
        plan = make_plan(load_config(config, changes), workers=workers, settings=_SETTINGS, environment=os.environ)
    if not json:
        screen.out.rule("from raw code to training rows", style="dim")
        screen.out.print(
            "Twelve bundled files go through every stage. Recorded responses stand in for the\n"
            "model: the functions are written by hand, the answers to the prompts constructed,\n"
            "some of them wrong on purpose. Every program is really executed, in a sandbox.\n"
        )
    result = run_pipeline(plan, overwrite=_is_loop_of_a_demo(folder), watch=watch, on_stage=None if json else tell_stage)
    if not json:
        screen.out.print()
        screen.out.print(funnel_table(result))
        screen.out.print()
        _show_repaired(folder / FINAL)
    return result


def _show_repaired(final: Path) -> None:
    """One row that was wrong at first and then right, in short."""
    for _, line in read_lines(final):
        row = parse_row(line)
        if row["turn_2"] is not None and row["verdicts"][-1] == "accepted" and row["verdicts"][0] == "wrong-answer":
            break
    else:
        return
    table = Table(show_header=False, show_edge=False, pad_edge=False, box=None)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    styles = {"turn_1": "red", "turn_2": "green"}
    for name in ("prompt", "turn_1", "feedback_1", "turn_2", "feedback_2"):
        text = _end_of(row[name]) if name.startswith("turn") else _beginning_of(row[name])
        table.add_row(name, styled(text, styles.get(name, "")))
    screen.out.rule("one of the rows: wrong at first, then right", style="dim")
    screen.out.print(table)
    screen.out.print()


def _beginning_of(text: str) -> str:
    """Its first words, of a prompt those of the problem."""
    return textwrap.shorten(text.partition("## Problem\n")[2] or text, 240, placeholder=" ...")


def _end_of(answer: str) -> str:
    """Its last words, where the answer stands."""
    text = " ".join(answer.split())
    return text if len(text) <= 160 else "... " + text[-160:].partition(" ")[2]


def _surprises_of_loop(result: PipelineResult) -> list[str]:
    """Recorded answers whose check says something else than they were made for."""
    with as_file(_EXAMPLES / "answers.jsonl") as path:
        kinds = {row["id"]: row["kind"] for row in (json_text.loads(line) for _, line in read_lines(path))}
    surprises = []
    for stage in result.stages:
        if stage.stage.name.startswith("verify-"):
            for _, line in read_lines(stage.stage.output):
                row = parse_row(line)
                if not _FITS[kinds[row["id"]]](row["verdict"]):
                    surprises.append(f"answer {row['id']}: {row['verdict']}, but it was made to be {kinds[row['id']]}")
    return surprises


# -- every kind of verdict ------------------------------------------------------------------------------------


def _verdicts(output: Path, workers: int, python: Path | None, json: bool) -> tuple[Summary, dict[str, Any], list[str]]:
    """Verifies the bundled predictions, each of which says what its verdict must be."""
    executor = ExecutorOptions(load_policy("codeio", settings=_SETTINGS, environment=os.environ), workers, python)
    with as_file(_EXAMPLES / "functions.jsonl") as functions, as_file(_EXAMPLES / "responses.jsonl") as responses:
        rows = screen.count_lines(responses, None)
        if not json:
            screen.out.rule("every kind of verdict", style="dim")
            screen.out.print(f"{rows} predictions about 40 functions, in the ways models write and programs fail.\n")
        settings = VerifySettings(functions=functions)
        with screen.progress("verify", rows) as meter:
            result = Verify.run(responses, output, settings, executor, overwrite=_is_of_a_demo(output), progress=meter)
        done = Done(result, meter, responses, output, settings)
        if not json:
            _explain_some(output, functions)
            tell(done, show_verify, json=False)
    surprises = [
        f"row {row['id']}: {row['verdict']}, expected {row['expected_verdict']}"
        for row in (parse_row(line) for _, line in read_lines(output))
        if row["verdict"] != row["expected_verdict"]
    ]
    return result, fields_of(done), surprises


def _is_of_a_demo(output: Path) -> bool:
    """Whether an earlier demo wrote this file; anything else under its name is the user's."""
    try:
        manifest = json_text.loads(beside(output, "manifest.json").read_text())
        return bool(manifest["stage"] == "verify" and Path(manifest["input"]).parts[-2:] == ("examples", "responses.jsonl"))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _is_loop_of_a_demo(folder: Path) -> bool:
    """Whether an earlier demo made this folder of a pipeline, and not a run of the user's own."""
    try:
        record = json_text.loads((folder / NAME).read_text())
        return Path(record["source"]["path"]).parts[-2:] == ("examples", "raw.jsonl")
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _explain_some(output: Path, functions: Path) -> None:
    wanted = list(_EXPLAINED)
    for _, line in read_lines(output):
        row = parse_row(line)
        if row["verdict"] in wanted and row["io_pred"] == "i":
            wanted.remove(row["verdict"])
            screen.out.rule(f"explained: {row['verdict']}", style=screen.style_of(row["verdict"]))
            explain_row(row, functions, None, brief=True)
            screen.out.print()
    screen.out.rule(style="dim")
