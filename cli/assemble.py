"""`reexec assemble`: verified turns to training rows."""

import typer

from reexec.runners.stages.assemble import Assemble

from . import screen
from .stage_command import Done, stage_command


def register(app: typer.Typer) -> None:
    stage_command(
        app, Assemble, show_assemble, source=("verified", "Files that `reexec verify` wrote, the first turn's first.")
    )


def show_assemble(done: Done) -> None:
    """Join verified turns into rows: prompt, turn_1, feedback_1, turn_2, feedback_2 and so on.

    Example: [bold]reexec assemble examples/verified.jsonl examples/verified-turn2.jsonl -o final.jsonl[/]

    Later turns are null where an earlier one was right. A failure whose next turn is missing is kept, and counted.
    """
    right = sorted(done.tally("accepted").items(), key=lambda item: int(item[0]))
    counts = {f"right at turn {turn}": count for turn, count in right}
    counts["failed, next turn missing"] = done.count("without_next_turn")
    counts["failed to the end"] = done.count("failed") - done.count("without_next_turn")
    screen.out.print(screen.count_table(f"{done.summary.rows:,} rows in {done.output}", counts))
    if done.tally("dropped"):
        screen.out.print("left out: " + ", ".join(f"{reason} {count:,}" for reason, count in done.tally("dropped").items()))
    if done.summary.counts["unmatched"]:
        screen.err.print(f"{done.count('unmatched'):,} rows of later turns belong to no row of the first")
