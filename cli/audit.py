"""`reexec audit`: which recorded pairs are reproducible, and why the others are not."""

import typer

from reexec.runners.stages.audit import Audit

from . import screen
from .stage_command import Done, stage_command


def register(app: typer.Typer) -> None:
    stage_command(app, Audit, show_audit, source=("functions", "Rows with refcode, funcname and ios."))


def show_audit(done: Done) -> None:
    """Re-execute every recorded pair in isolation, under two hash seeds: reproducible or not, and why.

    Example: [bold]reexec audit examples/functions.jsonl -o report.jsonl --keep proven.jsonl[/]
    """
    summary = done.summary
    counts = {"reproducible": done.count("reproducible"), **done.tally("reasons")}
    title = f"{screen.number_of(done.count('pairs'), 'pair')} of {screen.number_of(summary.rows, 'function')}"
    screen.out.print(screen.count_table(title, counts))
    screen.out.print(
        f"{done.meter.wall_s:.1f} s, {summary.workers} workers, isolation {summary.isolation}; report in {done.output}"
    )
    if done.settings.keep:
        screen.out.print(f"proven pairs in {done.settings.keep}")
    done.tell_missing_modules()
