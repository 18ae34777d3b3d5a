"""`reexec infer`: prompts to a model's responses."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reexec.runners.stages.infer.stage import Infer

from . import exits, screen
from .stage_command import Done, stage_command
from .terminal import styled

if TYPE_CHECKING:
    from reexec.runners.rows.row import Selection
    from reexec.runners.stages.infer.settings import InferSettings


def register(app: typer.Typer) -> None:
    dry = Annotated[bool, typer.Option("--dry-run", help="Show the first prompt and an estimate; nothing is sent.")]
    source = ("messages", "Rows with `messages`, and `id` where they have one.")
    stage_command(app, Infer, show_infer, source=source, warn=_warn, instead=("dry_run", dry, dry_run))


def show_infer(done: Done) -> None:
    """Ask a model every prompt of a file, and keep its responses in the order of the file.

    Example: [bold]reexec infer examples/messages.jsonl -o answers.jsonl --replay examples/unified.jsonl[/]

    Every answer is in NAME.log.jsonl as soon as it has come: re-running an interrupted run asks only for what is missing,
    and for what failed (NAME.rejects.jsonl). To ask everything anew, delete the log.
    """
    summary, counts = done.summary, done.summary.counts
    if summary.left_alone:
        screen.out.print(f"{done.output} is complete already; nothing to do")
    screen.out.print(screen.count_table(f"{counts['model']}", {"answered": summary.rows, **done.tally("reasons")}))
    cost = f", cost {counts['cost']:.4f}" if counts["cost"] is not None else ""
    screen.out.print(
        f"{summary.rows:,} responses in {done.output}; {summary.passing.get('asked', 0):,} requests asked in "
        f"{done.meter.wall_s:.1f} s, {done.count('prompt_tokens'):,} + {done.count('completion_tokens'):,} tokens{cost}"
    )


def _warn(done: Done) -> None:
    counts = done.summary.counts
    if counts["stopped"] == "no-reply":
        asked = done.summary.passing["asked"]
        screen.err.print(f"reexec: the server answered none of {asked:,} requests: {counts['why']}", markup=False)
    elif counts["stopped"]:
        projected = counts["cost_projected"]
        whole = "" if projected is None else f" of about {projected:.4f} for the whole file"
        screen.err.print(
            f"reexec: stopped at --max-cost, {counts['cost']:.4f} spent{whole}; a higher one goes on", markup=False
        )


def dry_run(messages: Path, output: Path, settings: "InferSettings", selection: "Selection", json: bool) -> int:
    from reexec.runners.stages.infer.estimate import estimate

    found = estimate(messages, output, settings, selection)
    for message in found.first:
        screen.out.print(styled(str(message["role"]), "bold"))
        screen.out.print(str(message["content"]), markup=False)
    if found.unusable:
        screen.err.print(
            f"reexec: {found.unusable:,} rows cannot be asked, the first of them: {found.first_fault}", markup=False
        )
    if json:
        screen.summary(
            "infer",
            isolation=None,
            workers=None,
            rows=found.rows,
            rejected=found.unusable,
            wall_s=0.0,
            rows_per_s=0.0,
            engine_errors=0,
            model=settings.name,
            dry_run=True,
            requests=found.requests,
            answered_before=found.answered,
            prompt_tokens=found.prompt_tokens,
            completion_tokens_most=found.completion_tokens_most,
            cost_most=found.cost_most,
        )
    else:
        cost = f"; at most {found.cost_most:,.2f} in all" if found.cost_most is not None else ""
        screen.out.print(
            f"\n{found.requests:,} requests to {settings.name} ({found.answered:,} are answered already): about "
            f"{found.prompt_tokens:,} prompt tokens, at most {found.completion_tokens_most:,} of replies{cost}; none was sent"
        )
    return exits.of_files(found.rows - found.unusable, found.unusable, 0)
