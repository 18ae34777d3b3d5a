"""`reexec verify`: model responses to verdicts."""

import typer

from reexec.runners.stages.verify import Verify

from . import options, screen
from .stage_command import Done, stage_command


def register(app: typer.Typer) -> None:
    stage_command(app, Verify, show_verify, source=("responses", "Rows with itemid, ioid, io_pred and output."))


def show_verify(done: Done) -> None:
    """Judge a file of predictions by re-executing the functions they are about.

    Example: [bold]reexec verify examples/responses.jsonl --functions examples/functions.jsonl -o verified.jsonl[/]

    Rows keep every field; `verdict`, `res` (status and feedback) and ids are added. Rows that cannot be used go to
    NAME.rejects.jsonl. Re-running an interrupted command resumes it.
    """
    summary, meter = done.summary, done.meter
    screen.out.print(screen.count_table(screen.number_of(summary.rows, "prediction"), done.tally("verdicts")))
    if summary.left_alone:
        screen.out.print(f"{done.output} is complete already; nothing to do")
    else:
        screen.out.print(screen.pace(meter, summary.workers or 0, summary.isolation or ""))
    told = options.spared(summary.passing["recalled"], summary.passing["shared"])
    if told:
        screen.out.print(told)
    rates = summary.counts["pass_rates"]
    if rates:
        screen.out.print(
            f"several samples a prompt: mean pass rate {rates['mean_over_pairs']:.3f} over {rates['prompts']:,} prompts, "
            f"{rates['mean_over_functions']:.3f} over functions (see {rates['file']})"
        )
    if done.count("limit_disagreements"):
        screen.out.print(
            f"{done.count('limit_disagreements'):,} checks came to a limit on time in one of two runs: their need lies near it "
            "(--usage FILE says which)"
        )
    done.tell_missing_modules()
