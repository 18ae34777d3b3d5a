"""`reexec revise`: what failed, asked again with the feedback."""

import typer

from reexec.runners.stages.revise import Revise

from . import screen
from .stage_command import Done, stage_command


def register(app: typer.Typer) -> None:
    stage_command(app, Revise, show_revise, source=("verified", "Rows that `reexec verify` wrote, of any turn."))


def show_revise(done: Done) -> None:
    """Make the next turn's messages: every failed row, with the model's answer and the feedback on it.

    Example: [bold]reexec revise examples/verified.jsonl -o turn2.jsonl[/]

    Accepted rows need no further turn; rows that ended as engine-error are left out and counted, to be verified again.
    """
    rows, accepted, unchecked = done.summary.rows, done.count("accepted"), done.count("unchecked")
    title = f"{rows:,} of {rows + accepted + unchecked:,} rows asked again"
    screen.out.print(screen.count_table(title, done.tally("verdicts")))
    screen.out.print(f"{accepted:,} accepted, {unchecked:,} not checked; next turn in {done.output}")
