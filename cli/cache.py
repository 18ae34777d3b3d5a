"""`reexec cache`: what earlier runs left to be found again."""

import datetime
from pathlib import Path
from typing import Annotated

import typer

from reexec.engine.cache import OutcomeCache, default_folder
from reexec.engine.cache.store import clear as remove
from reexec.engine.errors import UsageError

from . import exits, options, screen

app = typer.Typer(help="Look after the cache of outcomes.", no_args_is_help=True, rich_markup_mode="rich")

Folder = Annotated[
    Path | None,
    typer.Option("--cache", help="The cache's folder. [default: REEXEC_CACHE, else the user's cache folder]", metavar="DIR"),
]


def _none(folder: Path) -> int:
    if folder.exists():
        raise UsageError(f"{folder}: is a file; a cache is a folder")
    screen.out.print(f"{folder}: no cache there yet", markup=False)
    return exits.DONE


@app.command("stats")
def stats(folder: Folder = None, json: options.Json = False) -> int:
    """Print how much a cache holds.

    Example: [bold]reexec cache stats[/]
    """
    at = folder or default_folder()
    if not at.is_dir():
        return _none(at)
    with OutcomeCache(at) as cache:
        found = cache.statistics()
    if json:
        screen.summary("cache stats", folder=str(at), entries=found.entries, bytes=found.bytes, max_bytes=found.max_bytes)
        return exits.DONE
    screen.out.print(f"{at}: {found.entries:,} outcomes, {found.bytes:,} of at most {found.max_bytes:,} bytes", markup=False)
    if found.oldest_use is not None:
        oldest = datetime.datetime.fromtimestamp(found.oldest_use, datetime.UTC)
        screen.out.print(f"the oldest was used last on {oldest:%Y-%m-%d}", markup=False)
    return exits.DONE


@app.command("prune")
def prune(
    max_mib: Annotated[int, typer.Option("--max-mib", help="What may stay, in MiB.", metavar="N", min=0)],
    folder: Folder = None,
    json: options.Json = False,
) -> int:
    """Remove the outcomes that were used longest ago.

    Example: [bold]reexec cache prune --max-mib 500[/]
    """
    at = folder or default_folder()
    if not at.is_dir():
        return _none(at)
    with OutcomeCache(at) as cache:
        removed = cache.prune(max_mib << 20)
        found = cache.statistics()
    if json:
        screen.summary("cache prune", folder=str(at), removed=removed, entries=found.entries, bytes=found.bytes)
    else:
        screen.out.print(f"{at}: {removed:,} outcomes removed, {found.entries:,} stay", markup=False)
    return exits.DONE


@app.command("clear")
def clear(folder: Folder = None, json: options.Json = False) -> int:
    """Remove a cache's files, and nothing else in its folder.

    Example: [bold]reexec cache clear[/]
    """
    at = folder or default_folder()
    freed = remove(at)
    if json:
        screen.summary("cache clear", folder=str(at), bytes=freed)
    else:
        screen.out.print(f"{at}: {freed:,} bytes freed", markup=False)
    return exits.DONE
