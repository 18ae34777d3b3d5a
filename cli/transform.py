"""`reexec transform`: raw code to prompts that ask for the unified form."""

import typer

from reexec.runners.stages.transform import Transform

from . import screen
from .stage_command import Done, stage_command


def register(app: typer.Typer) -> None:
    stage_command(
        app, Transform, show_transform, source=("raw", "Rows with `content`, the code; other fields are its provenance.")
    )


def show_transform(done: Done) -> None:
    """Make prompts from raw code: each asks a model for the unified form.

    Example: [bold]reexec transform examples/raw.jsonl -o messages.jsonl[/]

    The unified form is a function with arguments that JSON can say, its description, an input generator and a problem
    statement. Code that is empty, too long or repeated goes to NAME.rejects.jsonl.
    """
    screen.out.print(screen.count_table(f"{done.source}", {"prompt": done.summary.rows, **done.tally("reasons")}))
    screen.out.print(f"{done.summary.rows:,} prompts in {done.output}; {done.meter.wall_s:.1f} s")
