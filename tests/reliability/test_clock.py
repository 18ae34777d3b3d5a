"""The wall clock decides nothing: a clock that is stepped, forward or back, ends no check and no run.

A machine has one CLOCK_REALTIME, time namespaces leave it out, and stepping it would hit everything else on the machine:
clock.py tries it on a machine of its own. Here the source is held to it:
what runs checks reads the monotonic clock, and the exceptions are named."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WALL = {"time", "time_ns", "localtime", "gmtime", "ctime", "strftime", "CLOCK_REALTIME", "now", "today", "utcnow"}
ALLOWED = {
    # The age of a folder that another run left behind, against its time stamp, which is the wall clock's as well. A clock that
    # is stepped makes the sweep come too early, where the folder's lock still holds it back, or later.
    "engine/jail/cgroup.py": {"time"},
    "engine/jail/folders.py": {"time"},  # the same, of temporary folders
    # When an entry was used last: decides which entries go when a cache is full, and nothing about any of them.
    "engine/cache/store.py": {"time"},
    # What programs see in its place is made of it, and a proof asks whether their results depend on it.
    "engine/zygote/determinism.py": {"CLOCK_REALTIME", "localtime", "strftime"},
    # Facts in the manifest for people to read.
    "runners/rows/run.py": {"time"},
}


def wall_clocks(path: Path) -> set[str]:
    """Names of the wall clock's readers that a file uses: `time.x`, `datetime.x`, `date.x`, or imported from `time`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id in ("time", "datetime", "date") and node.attr in WALL:
                found.add(node.attr)
        elif isinstance(node, ast.ImportFrom) and node.module in ("time", "datetime"):
            found |= {alias.name for alias in node.names} & (WALL | {"datetime", "date"})
    return found


PATHS = sorted(
    path.relative_to(ROOT).as_posix() for folder in ("engine", "runners/rows") for path in (ROOT / folder).rglob("*.py")
)


@pytest.mark.parametrize("path", PATHS)
def test_nothing_that_runs_checks_reads_the_wall_clock(path: str) -> None:
    assert wall_clocks(ROOT / path) <= ALLOWED.get(path, set())


def test_every_exception_is_still_one() -> None:
    assert {path: wall_clocks(ROOT / path) for path in ALLOWED} == ALLOWED


def test_the_search_finds_what_it_looks_for(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text("import time\nfrom time import time_ns\ntime.time(); time.monotonic(); datetime.now()\n")
    assert wall_clocks(file) == {"time", "time_ns", "now"}
