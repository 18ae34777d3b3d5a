"""`reexec transform`: raw code to prompts that ask for the unified form."""

from pathlib import Path
from typing import Annotated

import typer

from reexec.engine.errors import UsageError
from reexec.runners.rows.run import beside
from reexec.runners.stages.transform import MAX_CHARACTERS, TransformTemplate
from reexec.runners.stages.transform import transform as run_transform

from . import exits, options, screen


def register(app: typer.Typer) -> None:
    app.command("transform")(transform)


def transform(
    raw: Annotated[Path, typer.Argument(help="Rows with `content`, the code; other fields are its provenance.")],
    output: options.Output,
    max_chars: Annotated[int, typer.Option("--max-chars", help="Longer code is skipped.", metavar="N")] = MAX_CHARACTERS,
    templates: Annotated[Path | None, typer.Option("--templates", help="A folder whose transform.toml replaces ours.")] = None,
    limit: options.Limit = None,
    shard: options.Shard = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> int:
    """Make prompts from raw code: each asks a model for the unified form.

    Example: [bold]reexec transform examples/raw.jsonl -o messages.jsonl[/]

    The unified form is a function with arguments that JSON can say, its description, an input generator and a problem
    statement. Code that is empty, too long or repeated goes to NAME.rejects.jsonl.
    """
    if max_chars < 1:
        raise UsageError(f"--max-chars {max_chars}: must be 1 or more")
    chosen = options.selection(limit, shard)
    template = TransformTemplate(templates)
    rows = screen.count_lines(raw, limit, chosen.shard[1] if chosen.shard else 1)
    with screen.progress("transform", rows) as meter:
        result = run_transform(
            raw,
            output,
            template=template,
            max_characters=max_chars,
            selection=chosen,
            overwrite=overwrite,
            on_row=meter.tell,
            on_resume=meter.resumed,
        )
    screen.tell_rejects(result.rejected, result.first_reject, beside(output, "rejects.jsonl"))
    if json:
        screen.summary(
            "transform",
            isolation=None,
            workers=None,
            rows=result.rows,
            rejected=result.rejected,
            resumed_rows=result.resumed_rows,
            wall_s=round(meter.wall_s, 3),
            rows_per_s=round(meter.rows_per_s, 1),
            engine_errors=0,
            reasons=result.reasons,
        )
    else:
        screen.out.print(screen.count_table(f"{raw}", {"prompt": result.rows, **result.reasons}))
        screen.out.print(f"{result.rows:,} prompts in {output}; {meter.wall_s:.1f} s")
    return exits.of_files(result.rows, result.rejected, 0)
