"""`reexec revise`: what failed, asked again with the feedback."""

from pathlib import Path
from typing import Annotated

import typer

from reexec.runners.rows.run import beside
from reexec.runners.stages.revise import ReviseTemplate
from reexec.runners.stages.revise import revise as run_revise

from . import exits, options, screen


def register(app: typer.Typer) -> None:
    app.command("revise")(revise)


def revise(
    verified: Annotated[Path, typer.Argument(help="Rows that `reexec verify` wrote, of any turn.")],
    output: options.Output,
    templates: Annotated[Path | None, typer.Option("--templates", help="A folder whose revise.toml replaces ours.")] = None,
    limit: options.Limit = None,
    shard: options.Shard = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> int:
    """Make the next turn's messages: every failed row, with the model's answer and the feedback on it.

    Example: [bold]reexec revise examples/verified.jsonl -o turn2.jsonl[/]

    Accepted rows need no further turn; rows that ended as engine-error are left out and counted, to be verified again.
    """
    chosen = options.selection(limit, shard)
    template = ReviseTemplate(templates)
    rows = screen.count_lines(verified, limit, chosen.shard[1] if chosen.shard else 1)
    with screen.progress("revise", rows) as meter:
        result = run_revise(
            verified,
            output,
            template=template,
            selection=chosen,
            overwrite=overwrite,
            on_row=meter.tell,
            on_resume=meter.resumed,
        )
    screen.tell_rejects(result.rejected, result.first_reject, beside(output, "rejects.jsonl"))
    if json:
        screen.summary(
            "revise",
            isolation=None,
            workers=None,
            rows=result.rows,
            rejected=result.rejected,
            resumed_rows=result.resumed_rows,
            wall_s=round(meter.wall_s, 3),
            rows_per_s=round(meter.rows_per_s, 1),
            engine_errors=result.unchecked,
            accepted=result.accepted,
            verdicts=result.verdicts,
        )
    else:
        screen.out.print(screen.count_table(f"{result.rows:,} of {result.read:,} rows asked again", result.verdicts))
        screen.out.print(f"{result.accepted:,} accepted, {result.unchecked:,} not checked; next turn in {output}")
    return exits.of_files(result.read, result.rejected, result.unchecked)
