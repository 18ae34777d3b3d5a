"""`reexec export`: final rows to what a trainer loads."""

from pathlib import Path
from typing import Annotated

import typer

from reexec.runners.stages.export import FORMATS, ExportSummary
from reexec.runners.stages.export import export as run_export
from reexec.runners.stages.export.recipe import LENGTH
from reexec.runners.stages.export.rows import JoinTemplate
from reexec.runners.stages.export.stage import DEVICES, VALIDATION_SHARE

from . import exits, options, screen


def register(app: typer.Typer) -> None:
    app.command("export")(export)


def export(
    final: Annotated[Path, typer.Argument(help="Rows with prompt, turn_1, feedback_1, turn_2, feedback_2 ...")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to make.", metavar="DIR")],
    to: Annotated[str, typer.Option("--to", help=f"{', '.join(FORMATS)}.", metavar="FORMAT")],
    plain: Annotated[
        bool, typer.Option("--plain/--plus", help="First turns alone (CodeI/O), or all turns (CodeI/O++).")
    ] = False,
    only_right: Annotated[bool, typer.Option("--only-right", help="With --plain: no wrong first turns.")] = False,
    separate_turns: Annotated[
        bool, typer.Option("--separate-turns", help="Turns as messages, not joined into one response.")
    ] = False,
    validation_share: Annotated[
        float, typer.Option("--validation-share", help="Of all functions, for validation.", metavar="X")
    ] = VALIDATION_SHARE,
    devices: Annotated[
        int, typer.Option("--devices", help="That the training configs share a batch out among.", metavar="N")
    ] = DEVICES,
    templates: Annotated[Path | None, typer.Option("--templates", help="A folder whose export.toml replaces ours.")] = None,
    functions: Annotated[
        Path | None, typer.Option("--functions", "-f", help="For `rl`: the functions file that the rows are about.")
    ] = None,
    tokenizer: Annotated[
        Path | None,
        typer.Option("--tokenizer", help="A tokenizer.json to count long rows with. [default: an estimate]", metavar="FILE"),
    ] = None,
    names: options.Map = None,
    limit: options.Limit = None,
    shard: options.Shard = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> int:
    """Make training data: rows in a trainer's format, split by function, with a manifest.

    Example: [bold]reexec export examples/final.jsonl -o training --to llamafactory-alpaca[/]

    For LLaMA-Factory with dataset_info.json and the configs of both training stages. Takes the five-field rows that the
    original publishes as well. `rl` makes tasks for TRL and verl, of final rows or of prompts. The folder appears when it is
    whole. --overwrite replaces the files of an earlier export that nobody changed since, and nothing else.
    """
    chosen = options.selection(limit, shard, names)
    template = JoinTemplate(templates)
    rows = screen.count_lines(final, limit, chosen.shard[1] if chosen.shard else 1)
    with screen.progress("export", rows) as meter:
        result = run_export(
            final,
            output,
            to,
            plain=plain,
            only_right=only_right,
            separate_turns=separate_turns,
            validation_share=validation_share,
            devices=devices,
            template=template,
            functions=functions,
            tokenizer=tokenizer,
            selection=chosen,
            overwrite=overwrite,
            on_row=meter.tell,
        )
    screen.tell_rejects(result.rejected, result.first_reject, output / "rejects.jsonl")
    _warn(result, tokenizer)
    if json:
        screen.summary(
            "export",
            isolation=None,
            workers=None,
            rows=result.rows,
            rejected=result.rejected,
            wall_s=round(meter.wall_s, 3),
            rows_per_s=round(meter.rows_per_s, 1),
            engine_errors=0,
            train=result.train,
            validation=result.validation,
            functions=result.functions,
            left_out=result.left_out,
            long=result.long,
            repaired=result.repaired,
        )
    else:
        _show(result, output)
    return exits.of_files(result.rows, result.rejected, 0)


def _warn(result: ExportSummary, tokenizer: Path | None) -> None:
    if result.long:
        how = f"by {tokenizer.name}" if tokenizer else "by an estimate of 3 bytes a token; --tokenizer FILE counts them"
        rows = f"{result.long:,} of {result.rows:,} rows have more than {LENGTH:,} tokens"
        screen.err.print(f"reexec: {rows} ({how}); the trainer cuts their ends", markup=False)
    if result.repaired:
        screen.err.print(f"reexec: half characters were replaced in {result.repaired:,} rows", markup=False)


def _show(result: ExportSummary, output: Path) -> None:
    if result.complete_already:
        screen.out.print(f"{output} is complete already; it was left alone")
    screen.out.print(
        f"{result.rows:,} rows of {result.functions:,} functions in {output}: {result.train:,} to train, "
        f"{result.validation:,} to validate"
    )
    if result.left_out:
        screen.out.print("left out: " + ", ".join(f"{reason} {count:,}" for reason, count in result.left_out.items()))
