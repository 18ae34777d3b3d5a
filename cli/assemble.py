"""`reexec assemble`: verified turns to training rows."""

from pathlib import Path
from typing import Annotated

import typer

from reexec.runners.rows.run import beside
from reexec.runners.stages.assemble import AssembleSummary
from reexec.runners.stages.assemble import assemble as run_assemble

from . import exits, options, screen


def register(app: typer.Typer) -> None:
    app.command("assemble")(assemble)


def assemble(
    verified: Annotated[list[Path], typer.Argument(help="Files that `reexec verify` wrote, the first turn's first.")],
    output: options.Output,
    turns: Annotated[
        int | None, typer.Option("--turns", help="Columns turn_1 to turn_N. [default: the files, at least 2]", metavar="N")
    ] = None,
    only_successes: Annotated[bool, typer.Option("--only-successes", help="Leave out what no turn got right.")] = False,
    deduplicate: Annotated[
        bool, typer.Option("--deduplicate", help="Leave out rows whose prompt and answers have come before.")
    ] = False,
    max_per_function: Annotated[
        int | None, typer.Option("--max-per-function", help="At most N rows of a function.", metavar="N")
    ] = None,
    limit: options.Limit = None,
    shard: options.Shard = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> int:
    """Join verified turns into rows: prompt, turn_1, feedback_1, turn_2, feedback_2 and so on.

    Example: [bold]reexec assemble examples/verified.jsonl examples/verified-turn2.jsonl -o final.jsonl[/]

    Later turns are null where an earlier one was right. A failure whose next turn is missing is kept, and counted.
    """
    chosen = options.selection(limit, shard)
    rows = screen.count_lines(verified[0], limit, chosen.shard[1] if chosen.shard else 1)
    with screen.progress("assemble", rows) as meter:
        result = run_assemble(
            verified,
            output,
            turns=turns,
            only_successes=only_successes,
            deduplicate=deduplicate,
            max_per_function=max_per_function,
            selection=chosen,
            overwrite=overwrite,
            on_row=meter.tell,
            on_resume=meter.resumed,
        )
    screen.tell_rejects(result.rejected, result.first_reject, beside(output, "rejects.jsonl"))
    unchecked = result.dropped.get("unchecked", 0)
    if json:
        screen.summary(
            "assemble",
            isolation=None,
            workers=None,
            rows=result.rows,
            rejected=result.rejected,
            resumed_rows=result.resumed_rows,
            wall_s=round(meter.wall_s, 3),
            rows_per_s=round(meter.rows_per_s, 1),
            engine_errors=unchecked,
            accepted=result.accepted,
            failed=result.failed,
            without_next_turn=result.without_next_turn,
            dropped=result.dropped,
            other_samples=result.other_samples,
            unmatched=result.unmatched,
        )
    else:
        _show(result, output)
    return exits.of_files(result.rows + sum(result.dropped.values()), result.rejected, unchecked)


def _show(result: AssembleSummary, output: Path) -> None:
    counts = {f"right at turn {turn}": count for turn, count in result.accepted.items()}
    counts["failed, next turn missing"] = result.without_next_turn
    counts["failed to the end"] = result.failed - result.without_next_turn
    screen.out.print(screen.count_table(f"{result.rows:,} rows in {output}", counts))
    if result.dropped:
        screen.out.print("left out: " + ", ".join(f"{reason} {count:,}" for reason, count in result.dropped.items()))
    if result.unmatched:
        screen.err.print(f"{result.unmatched:,} rows of later turns belong to no row of the first")
