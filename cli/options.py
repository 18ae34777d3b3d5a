"""Options that several commands share, and what they mean."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from reexec.engine.errors import UsageError
from reexec.engine.executor import Executor
from reexec.policies.layers import load_policy
from reexec.policies.model import Policy
from reexec.runners.rows.names import parse_names
from reexec.runners.rows.row import Selection

from .terminal import visible

if TYPE_CHECKING:
    from reexec.engine.cache import OutcomeCache
    from reexec.runners.backends.fleet import Fleet

Workers = Annotated[
    int | None, typer.Option("--workers", "-w", help="Checks that run at the same time. [default: processors]", metavar="N")
]
PolicyName = Annotated[
    str, typer.Option("--policy", "-p", help="A preset (codeio, strict, numeric) or a TOML file.", metavar="NAME|FILE.toml")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="One policy field, such as limits.cpu_s=2; may be repeated.", metavar="KEY=VALUE"),
]
Python = Annotated[
    Path | None,
    typer.Option("--python", help="Interpreter of the checked programs, CPython 3.8 or newer. [default: ours]", metavar="PATH"),
]
Json = Annotated[bool, typer.Option("--json", help="A one-line summary as the last line of stdout.")]
Limit = Annotated[int | None, typer.Option("--limit", help="Only the first N rows.", metavar="N")]
Shard = Annotated[str | None, typer.Option("--shard", help="Only every n-th row, beginning at i (0 to n-1).", metavar="i/n")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an output that another run made.")]
Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map", help="A field that your rows call otherwise, such as output=completion; may be repeated.", metavar="OURS=YOURS"
    ),
]
Cache = Annotated[
    str | None,
    typer.Option(
        "--cache",
        help="Recall outcomes of earlier runs and keep new ones: a folder, `on` (the user's cache folder) or `off`. "
        "[default: REEXEC_CACHE, else off]",
        metavar="DIR|on|off",
    ),
]
Backend = Annotated[
    Literal["here", "processes", "ray"],
    typer.Option(
        "--backend",
        help="Where checks run: in workers of this process, in several processes of this machine, or on the nodes of a Ray "
        "cluster (extra `ray`). --workers are then each node's.",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address", help="The Ray cluster. [default: RAY_ADDRESS, else one that runs here, else a new one]", metavar="ADDRESS"
    ),
]
Nodes = Annotated[
    int | None,
    typer.Option("--nodes", help="Of --backend processes. [default: one for every 16 processors, at least 2]", metavar="N"),
]
Output = Annotated[Path, typer.Option("--output", "-o", help="The file to write; .gz and .zst are compressed.", metavar="FILE")]

Where = tuple[str, str | None, int | None]
"""Backend, address and number of nodes."""

EXECUTOR = {"workers": (Workers, None), "policy": (PolicyName, "codeio"), "set": (Settings, None), "python": (Python, None)}
"""Options of commands that execute programs, with their defaults."""
BACKEND = {"backend": (Backend, "here"), "address": (Address, None), "nodes": (Nodes, None)}
"""Of commands that can run their checks elsewhere."""
CACHE = {"cache": (Cache, None)}
"""Of commands that may recall outcomes."""
FILES = {
    "map": (Map, None),
    "limit": (Limit, None),
    "shard": (Shard, None),
    "overwrite": (Overwrite, False),
    "json": (Json, False),
}
"""Options of commands from file to file."""


def effective_policy(name: str, settings: list[str] | None) -> Policy:
    return load_policy(name, settings=settings or (), environment=os.environ)


def worker_count(workers: int | None) -> int:
    if workers is None:
        return len(os.sched_getaffinity(0))
    if workers < 1:
        raise UsageError(f"--workers {workers}: must be 1 or more")
    return workers


def wanted_workers(workers: int | None, here: bool) -> int | None:
    """As `worker_count`; None where each node takes as many as it has processors."""
    return None if workers is None and not here else worker_count(workers)


def open_executor(policy: Policy, workers: int | None, python: Path | None) -> Executor:
    return Executor(policy, workers=worker_count(workers), python=python)


@contextmanager
def opened_cache(given: str | None) -> "Iterator[OutcomeCache | None]":
    """The cache that `--cache` or REEXEC_CACHE names. What is wrong with it is one line on stderr, and the run goes on without:
    a cache saves time and decides nothing."""
    from reexec.engine.cache import CacheUnusableError, OutcomeCache, wanted_folder

    folder = wanted_folder(given)
    if folder is None:
        yield None
        return
    try:
        cache = OutcomeCache(folder)
    except CacheUnusableError as error:
        print(f"reexec: no cache in this run: {visible(str(error))}", file=sys.stderr)
        yield None
        return
    try:
        yield cache
    finally:
        cache.close()
        if cache.warning:
            print(f"reexec: {visible(cache.warning)}", file=sys.stderr)


@contextmanager
def opened_fleet(where: Where) -> "Iterator[Fleet | None]":
    """The nodes that `--backend` asks for; None where checks run here. What happens to them is told on stderr."""
    backend, address, nodes = where
    if address is not None and backend != "ray":
        raise UsageError(f"--address {address}: only --backend ray has one")
    if nodes is not None and (backend != "processes" or nodes < 1):
        raise UsageError(f"--nodes {nodes}: must be 1 or more, with --backend processes")
    if backend == "here":
        yield None
        return
    from reexec.runners.backends import opened

    with opened(backend, address, nodes, lambda text: print(f"reexec: {visible(text)}", file=sys.stderr)) as fleet:
        yield fleet


def spared(recalled: int, shared: int) -> str:
    """For a person: what was not executed; empty where all was."""
    said = [f"{recalled:,} recalled from the cache"] * bool(recalled) + [f"{shared:,} identical to others"] * bool(shared)
    return f"not executed: {', '.join(said)}" if said else ""


def selection(limit: int | None, shard: str | None, names: list[str] | None = None) -> Selection:
    if limit is not None and limit < 1:
        raise UsageError(f"--limit {limit}: must be 1 or more")
    if shard is None:
        return Selection(limit, names=parse_names(names or ()))
    first, slash, count = shard.partition("/")
    if not (slash and first.isdigit() and count.isdigit() and int(first) < int(count)):
        raise UsageError(f"--shard {shard}: write it as i/n with i from 0 to n-1, such as 0/4")
    return Selection(limit, (int(first), int(count)), parse_names(names or ()))
