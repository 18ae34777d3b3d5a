"""`reexec pipeline`: all stages over one folder, what is missing or changed of it."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from reexec.engine.errors import UsageError
from reexec.runners.losses import lost
from reexec.runners.pipeline.config import load_config
from reexec.runners.pipeline.plan import Plan, Stage, make_plan
from reexec.runners.pipeline.runner import PipelineResult, StageResult, run_pipeline

from . import exits, options, screen
from .terminal import styled, visible


def register(app: typer.Typer) -> None:
    app.command("pipeline")(pipeline)


def pipeline(
    config: Annotated[Path | None, typer.Argument(help="What to do, as TOML.", metavar="CONFIG.toml")] = None,
    init: Annotated[
        Path | None, typer.Option("--init", help="Write a commented config and do nothing else.", metavar="FILE")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="The run's folder, in place of the config's.", metavar="DIR")
    ] = None,
    workers: options.Workers = None,
    settings: options.Settings = None,
    limit: options.Limit = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> int:
    """Run all stages over a folder: raw code, or functions, to training rows.

    Example: [bold]reexec pipeline examples/pipeline.toml --folder run[/]

    Re-running it does what is missing or changed, and resumes a run that was interrupted or killed. --init FILE writes a
    commented config to begin with. The folder's pipeline.json says what was made of what.
    """
    if init is not None:
        return _init(init)
    if config is None:
        raise UsageError("which config? (--init pipeline.toml writes one to begin with)")
    changes: dict[str, Any] = {"limit": options.selection(limit, None).limit} if limit is not None else {}
    if folder is not None:
        changes["folder"] = str(folder)
    read = load_config(config, changes)
    plan = make_plan(
        read,
        workers=options.worker_count(workers or read.workers),
        settings=tuple(settings or ()),
        environment=os.environ,
    )
    began = time.monotonic()
    result = run_pipeline(plan, overwrite=overwrite, watch=watch, on_stage=None if json else tell_stage)
    wall_s = time.monotonic() - began
    _tell_stop(result)
    if json:
        _summary(plan, result, wall_s)
    elif result.funnel:
        screen.out.print()
        screen.out.print(funnel_table(result))
        screen.out.print(f"{wall_s:.1f} s; rows in {plan.context.folder / 'final.jsonl'}")
    if result.stopped is not None and result.stopped.counts["stopped"] == "no-reply":
        return exits.USAGE
    gone = result.stopped is not None or _tell_losses(result)
    return exits.IMPERFECT if gone or result.total("engine_errors") else exits.DONE


def _tell_losses(result: PipelineResult) -> bool:
    """The last line where rows were lost: which stage lost how many, and why."""
    by_stage = {one.stage.name: lost(one.stage.name, one.counts) for one in result.stages}
    said = [f"{name} {sum(found.values()):,} ({', '.join(found)})" for name, found in by_stage.items() if found]
    if said:
        screen.err.print(f"reexec: rows were lost: {'; '.join(said)}; the rejects beside each file say which", markup=False)
    return bool(said)


def _init(path: Path) -> int:
    text = (files("reexec.examples") / "pipeline.toml").read_bytes()
    try:
        with open(path, "xb") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path}: exists; choose another name") from None
    screen.out.print(f"{path} runs the pipeline on the bundled examples as it stands: reexec pipeline {path}", markup=False)
    return exits.DONE


@contextmanager
def watch(stage: Stage) -> Iterator[screen.Meter]:
    """A progress bar for a stage."""
    rows = screen.count_lines(stage.inputs[0], None)
    with screen.progress(stage.name, rows * stage.times if rows and stage.name != "audit" else None) as meter:
        yield meter


def tell_stage(result: StageResult) -> None:
    """One line: what the stage made of what."""
    mark, style = {"current": ("=", "dim"), "done": ("✓", "green"), "stopped": ("✗", "red")}[result.state]
    line = styled(mark, style).append(visible(f" {result.stage.name:<16} {_made(result):<50} "), "")
    current = result.state == "current"
    screen.out.print(line.append("unchanged" if current else f"{result.wall_s:.1f} s", "dim" if current else ""))


def _made(result: StageResult) -> str:
    counts, kind = result.counts, result.stage.name.partition("-")[0]
    if kind == "transform":
        said = f"{counts['rows']:,} prompts for {counts['rows'] + counts['rejected']:,} files"
    elif kind == "infer":
        said = f"{counts['rows']:,} responses"
    elif kind == "generate":
        said = f"{counts['functions_kept']:,} functions, {counts['pairs_kept']:,} proven pairs"
    elif kind == "audit":
        said = f"{counts['reproducible']:,} of {counts['pairs']:,} pairs proven"
    elif kind == "prompts":
        said = f"{counts['prompts']:,} prompts about {counts['functions']:,} functions"
    elif kind == "verify":
        said = f"{counts['verdicts'].get('accepted', 0):,} of {counts['rows']:,} right"
    elif kind == "revise":
        said = f"{counts['rows']:,} to retry"
    elif kind == "assemble":
        said = f"{counts['rows']:,} rows"
    else:
        said = f"{counts['train']:,} rows to train on, {counts['validation']:,} to validate"
    return said + (f", {counts['rejected']:,} left out" if counts.get("rejected") else "")


def funnel_table(result: PipelineResult) -> Table:
    most = max(step.count for step in result.funnel) or 1
    table = Table(title="the funnel", title_justify="left", title_style="bold", show_edge=False, pad_edge=False)
    table.add_column("what")
    table.add_column("count", justify="right")
    table.add_column("")
    table.add_column("")
    for step in result.funnel:
        bar = "█" * max(1 if step.count else 0, round(20 * step.count / most))
        style = "green" if step.key.startswith(("correct", "repaired")) else "cyan"
        table.add_row(step.what, f"{step.count:,}", styled(bar, style), styled(step.note, "dim"))
    return table


def _tell_stop(result: PipelineResult) -> None:
    if result.stopped is None:
        return
    name, counts = result.stopped.stage.name, result.stopped.counts
    if counts["stopped"] == "no-reply":
        said = f"because the server answered none of its requests: {counts['why']}; later stages were left as they are"
    else:
        said = f"at max_cost with {counts['cost']:.4f} spent; raise it to continue"
    screen.err.print(f"reexec: {name} stopped {said}", markup=False)


def _summary(plan: Plan, result: PipelineResult, wall_s: float) -> None:
    rows = next((step.count for step in result.funnel if step.key == "rows"), 0)
    screen.summary(
        "pipeline",
        isolation=result.isolation,
        workers=plan.context.workers,
        rows=rows,
        rejected=result.rejected,
        wall_s=round(wall_s, 3),
        rows_per_s=round(rows / max(wall_s, 1e-9), 1),
        engine_errors=result.total("engine_errors"),
        folder=str(plan.context.folder),
        funnel={step.key: step.count for step in result.funnel},
        stages={one.stage.name: {"state": one.state, "wall_s": round(one.wall_s, 3)} for one in result.stages},
        stopped=result.stopped.stage.name if result.stopped else None,
    )
