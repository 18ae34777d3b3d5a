"""`reexec prompts`: functions with pairs to messages that ask for predictions."""

from pathlib import Path
from typing import Annotated

import typer

from reexec.runners.rows.run import beside
from reexec.runners.stages.prompts import PAIRS, PromptTemplate
from reexec.runners.stages.prompts import prompts as run_prompts

from . import exits, options, screen


def register(app: typer.Typer) -> None:
    app.command("prompts")(prompts)


def prompts(
    functions: Annotated[Path, typer.Argument(help="Rows with refcode, funcname and ios.")],
    output: options.Output,
    pairs: Annotated[int, typer.Option("--pairs", help="Pairs of a function that are asked about.", metavar="N")] = PAIRS,
    code: Annotated[bool, typer.Option("--code/--no-code", help="Show the function's code in the prompt.")] = True,
    templates: Annotated[Path | None, typer.Option("--templates", help="A folder whose prompts.toml replaces ours.")] = None,
    limit: options.Limit = None,
    shard: options.Shard = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> int:
    """Make prediction prompts: for each of a function's first pairs, its output and its input are asked for.

    Example: [bold]reexec prompts examples/functions.jsonl -o predictions.jsonl[/]

    Audit the functions first (`reexec audit --keep`): a pair that does not reproduce cannot be predicted.
    """
    chosen = options.selection(limit, shard)
    template = PromptTemplate(templates)
    rows = screen.count_lines(functions, limit, chosen.shard[1] if chosen.shard else 1)
    with screen.progress("prompts", rows) as meter:
        result = run_prompts(
            functions,
            output,
            pairs=pairs,
            with_code=code,
            template=template,
            selection=chosen,
            overwrite=overwrite,
            on_row=meter.tell,
            on_resume=meter.resumed,
        )
    screen.tell_rejects(result.rejected, result.first_reject, beside(output, "rejects.jsonl"))
    if json:
        screen.summary(
            "prompts",
            isolation=None,
            workers=None,
            rows=result.functions,
            rejected=result.rejected,
            resumed_rows=result.resumed_functions,
            wall_s=round(meter.wall_s, 3),
            rows_per_s=round(meter.rows_per_s, 1),
            engine_errors=0,
            prompts=result.prompts,
            pairs=result.pairs,
        )
    else:
        screen.out.print(
            f"{result.prompts:,} prompts about {result.pairs:,} pairs of {result.functions:,} functions in {output}; "
            f"{meter.wall_s:.1f} s"
        )
    return exits.of_files(result.functions, result.rejected, 0)
