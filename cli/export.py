"""`reexec export`: final rows to what a trainer loads."""

from pathlib import Path
from typing import Annotated

import typer

from reexec.runners.stages.export import Export
from reexec.runners.stages.export.recipe import LENGTH

from . import screen
from .stage_command import Done, stage_command


def register(app: typer.Typer) -> None:
    folder = Annotated[Path, typer.Option("--output", "-o", help="The folder to make.", metavar="DIR")]
    rows = "Rows with prompt, turn_1, feedback_1, turn_2, feedback_2 ..."
    stage_command(app, Export, show_export, source=("final", rows), output=folder, warn=_warn)


def show_export(done: Done) -> None:
    """Make training data: rows in a trainer's format, split by function, with a manifest.

    Example: [bold]reexec export examples/final.jsonl -o training --to llamafactory-alpaca[/]

    For LLaMA-Factory with dataset_info.json and the configs of both training stages. Takes the five-field rows that CodeI/O
    publishes as well. `rl` makes tasks for TRL and verl, of final rows or of prompts. The folder appears when it is whole.
    --overwrite replaces the files of an earlier export that nobody changed since, and nothing else.
    """
    if done.summary.left_alone:
        screen.out.print(f"{done.output} is complete already; nothing to do")
    screen.out.print(
        f"{done.summary.rows:,} rows of {done.count('functions'):,} functions in {done.output}: "
        f"{done.count('train'):,} to train, {done.count('validation'):,} to validate"
    )
    if done.tally("left_out"):
        screen.out.print("left out: " + ", ".join(f"{reason} {count:,}" for reason, count in done.tally("left_out").items()))


def _warn(done: Done) -> None:
    tokenizer: Path | None = done.settings.tokenizer
    if done.count("long"):
        how = f"by {tokenizer.name}" if tokenizer else "by an estimate of 3 bytes a token; --tokenizer FILE counts them"
        rows = f"{done.count('long'):,} of {done.summary.rows:,} rows have more than {LENGTH:,} tokens"
        screen.err.print(f"reexec: {rows} ({how}); the trainer cuts their ends", markup=False)
    if done.count("repaired"):
        screen.err.print(
            f"reexec: half characters were replaced in {screen.number_of(done.count('repaired'), 'row')}", markup=False
        )
