"""`reexec rows`: the slowest functions of a run, and the rows that it left out."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from reexec.engine.errors import UsageError
from reexec.policies.faults import unknown
from reexec.runners import reports

from . import exits, options, screen
from .find_row import output_of
from .terminal import visible

_MAX_CHARACTERS = 200


def register(app: typer.Typer) -> None:
    app.command("rows")(rows)


def rows(
    run: Annotated[Path, typer.Argument(help="A pipeline's folder, or a file that a stage wrote.", metavar="RUN|FILE")],
    reason: Annotated[
        str | None, typer.Option("--reason", help="List every row left out for a reason that begins so.", metavar="TEXT")
    ] = None,
    stage: Annotated[str, typer.Option("--stage", help="Only rows that this stage left out.", metavar="NAME")] = "",
    top: Annotated[int, typer.Option("--top", min=1, help="How many functions and reasons to show.", metavar="N")] = 10,
    json: options.Json = False,
) -> int:
    """Show the slowest functions, why rows were left out, and where they came from.

    Example: [bold]reexec rows verified.jsonl[/]

    `--reason TEXT` lists all rows left out for it, with the raw file of each; `--reason ""` lists every row left out.
    """
    found = reports.find_run(output_of(run), any_stage=True)
    stages = {name for name, _, _ in found.stages} or ({"verify"} if found.turns else set())
    known = sorted(stages | {each.stage for each in found.losses})
    if stage and known and stage not in known:
        raise UsageError(f"--stage: {unknown(stage, known, 'stage')}")
    if reason is not None:
        count = 0
        for row in reports.dropped(found, stage, reason):
            count += 1
            if not json:
                screen.out.print(visible(f"{row.stage}: {row.place}: {row.sentence}", 2 * _MAX_CHARACTERS))
        if json:
            screen.summary("rows", rows=count)
        elif not count:
            screen.out.print("no row was left out for such a reason")
        return exits.DONE
    figures = reports.collect(found)
    losses = sorted(
        ((name, why, count, kept) for (name, why), (count, kept) in figures.losses.items() if stage in ("", name)),
        key=lambda entry: (-entry[2], entry[0], entry[1]),
    )
    if json:
        slowest = [{"function": each.label, "worst_s": each.worst_s, "cpu_s": each.cpu_s} for each in figures.slowest(top)]
        left_out = [{"stage": name, "reason": why, "rows": count} for name, why, count, _ in losses]
        screen.summary("rows", rows=sum(count for _, _, count, _ in losses), reasons=left_out, slowest=slowest)
        return exits.DONE
    if found.turns:
        _show_slowest(figures, top)
    _show_losses(losses, top)
    return exits.DONE


def _show_slowest(figures: reports.Figures, top: int) -> None:
    if not figures.measured:
        screen.out.print("no times: `reexec verify --usage NAME.usage.jsonl` writes them beside NAME.jsonl")
        return
    table = Table(title="slowest functions", title_justify="left", title_style="bold", show_edge=False, pad_edge=False)
    table.add_column("worst check", justify="right")
    table.add_column("all checks", justify="right")
    table.add_column("function", overflow="fold")
    for each in figures.slowest(top):
        table.add_row(f"{each.worst_s:.3f} s", f"{each.cpu_s:.3f} s", visible(each.label, _MAX_CHARACTERS))
    screen.out.print(table)


def _show_losses(losses: list[tuple[str, str, int, list[reports.Loss]]], top: int) -> None:
    if not losses:
        screen.out.print("no row was left out")
        return
    total = sum(count for _, _, count, _ in losses)
    title = f"{total:,} rows left out for {len(losses):,} reasons"
    table = Table(title=title, title_justify="left", title_style="bold", show_edge=False, pad_edge=False)
    table.add_column("rows", justify="right")
    table.add_column("stage")
    table.add_column("reason", overflow="fold")
    table.add_column("for example", overflow="fold")
    for stage, reason, count, kept in losses[:top]:
        said = (visible(reason, _MAX_CHARACTERS), visible(kept[0].place, _MAX_CHARACTERS))
        table.add_row(f"{count:,}", visible(stage), *said)
    screen.out.print(table)
    if len(losses) > top:
        screen.out.print(f"and {len(losses) - top:,} more reasons: --top {len(losses)}")
