"""`reexec merge`: shards of one run, put together."""

from pathlib import Path
from typing import Annotated

import typer

from reexec.runners.merge import merge as merge_shards

from . import exits, options, screen


def register(app: typer.Typer) -> None:
    app.command("merge")(merge)


def merge(
    shards: Annotated[list[Path], typer.Argument(help="The outputs of all shards, in any order.")],
    output: options.Output,
    source: Annotated[
        Path | None, typer.Option("--source", help="The shards' input, where it has been moved.", metavar="FILE")
    ] = None,
    side: Annotated[
        Path | None, typer.Option("--side", help="Where the usage files or kept rows of the shards go.", metavar="FILE")
    ] = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> int:
    """Put the shards of a run together: the same files, byte for byte, as one run writes.

    Example: [bold]reexec merge shard-0.jsonl shard-1.jsonl -o merged.jsonl[/]

    Rejects, usage and pass rates are merged too. Shards that are missing or not done are named, and nothing is written.
    """
    with screen.progress("merge", None) as meter:
        found = merge_shards(shards, output, source=source, side=side, overwrite=overwrite)
    if json:
        screen.summary(
            "merge",
            isolation=None,
            workers=None,
            rows=found.rows,
            rejected=found.rejected,
            wall_s=round(meter.wall_s, 3),
            rows_per_s=round(found.rows / max(meter.wall_s, 1e-9), 1),
            engine_errors=0,
            of=found.stage,
            shards=found.shards,
            files=[str(path) for path in found.files],
            left_alone=found.left_alone,
        )
    elif found.left_alone:
        screen.out.print(f"{output} is complete already; nothing to do", markup=False)
    else:
        written = ", ".join(map(str, found.files))
        screen.out.print(f"{found.shards} shards, {found.rows:,} rows of {found.stage}: {written}", markup=False)
    return exits.DONE
