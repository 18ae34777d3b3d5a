"""`reexec generate`: responses in the unified form to functions with proven input/output pairs."""

import typer

from reexec.runners.stages.generate import Generate

from . import screen
from .stage_command import Done, stage_command


def register(app: typer.Typer) -> None:
    stage_command(app, Generate, show_generate, source=("unified", "Responses to the transform stage's prompts."))


def show_generate(done: Done) -> None:
    """Run input generators and functions in the sandbox, and keep the pairs that are proven.

    Example: [bold]reexec generate examples/unified.jsonl -o functions.jsonl[/]

    A pair is kept where runs under different seeds give the same output; its input is the one from before the call.
    Functions with fewer than two pairs go to NAME.rejects.jsonl; NAME.drops.jsonl says what each function lost, and why.
    """
    summary = done.summary
    counts = {"kept": summary.rows, **done.tally("reasons")}
    screen.out.print(screen.count_table(screen.number_of(done.count("functions_in"), "function"), counts))
    screen.out.print(
        f"{done.count('pairs_kept'):,} proven pairs, {done.count('trivial'):,} functions with one constant output; "
        f"{done.meter.wall_s:.1f} s, {summary.workers} workers, isolation {summary.isolation}"
    )
    done.tell_missing_modules()
