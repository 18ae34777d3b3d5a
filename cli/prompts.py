"""`reexec prompts`: functions with pairs to messages that ask for predictions."""

import typer

from reexec.runners.stages.prompts import Prompts

from . import screen
from .stage_command import Done, stage_command


def register(app: typer.Typer) -> None:
    stage_command(app, Prompts, show_prompts, source=("functions", "Rows with refcode, funcname and ios."))


def show_prompts(done: Done) -> None:
    """Make prediction prompts: for each of a function's first pairs, its output and its input are asked for.

    Example: [bold]reexec prompts examples/functions.jsonl -o predictions.jsonl[/]

    Audit the functions first (`reexec audit --keep`): a pair that does not reproduce cannot be predicted.
    """
    screen.out.print(
        f"{done.count('prompts'):,} prompts about {done.count('pairs'):,} pairs of {done.summary.rows:,} functions in "
        f"{done.output}; {done.meter.wall_s:.1f} s"
    )
