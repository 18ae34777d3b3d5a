"""Runs killed at random moments by SIGKILL and started again end with the same files, byte for byte, as a run that was
left in peace, and leave no process behind."""

import contextlib
import gzip
import random
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.helpers import (
    example_functions,
    example_responses,
    function_row,
    kill_and_look,
    lines_done,
    manifest_of,
    read_bytes,
    reexec,
    response,
    sleeper,
    start,
    wait_until,
    write_rows,
)

SECONDS_BETWEEN_FLUSHES = 0.5


def verify_input(folder: Path, rows: int) -> list[str]:
    """Good rows and, every 50th, one that is rejected, each with another reason; the command's arguments."""
    copies = rows // len(example_responses()) + 1
    good = example_responses(copies)[:rows]
    for index in range(0, len(good), 50):
        good[index] = [response(0, 999, 1), {"io_pred": "x"}, {**good[index], "id": "twice"}][index // 50 % 3]
    programs = example_functions(copies)
    for at in (rows // 3 + 1, 2 * rows // 3 + 1):  # else a quick machine is done before it is killed
        asleep, good[at] = sleeper(len(programs))
        programs.append(asleep)
    functions = write_rows(folder / "functions.jsonl", programs)
    return [str(write_rows(folder / "responses.jsonl", good)), "-f", str(functions)]


def audit_input(folder: Path, functions: int) -> Path:
    """Functions that take a while, one in forty with a pair that does not reproduce, one in twenty not usable."""
    source = "def f(n):\n    for i in range(20_000):\n        n += i\n    return n\n"
    total = sum(range(20_000))
    rows = []
    for number in range(functions):
        pairs = [({"n": n}, n + total + (number % 40 == 33 and n == 2)) for n in range(6)]
        rows.append(function_row(f"# {number}\n{source}", *pairs) if number % 20 != 7 else {"refcode": number})
    rows[functions // 2] = sleeper(functions // 2)[0]
    return write_rows(folder / "functions.jsonl", rows)


def files_of(output: Path, *more: Path) -> dict[str, bytes]:
    rejects = output.with_name(output.name.partition(".")[0] + ".rejects.jsonl")
    return {path.name: read_bytes(path) for path in (output, rejects)} | {path.name: read_bytes(path) for path in more}


def ended_or_saved(process: subprocess.Popen[str], output: Path, before: float | None) -> bool:
    return process.poll() is not None or manifest_of(output).get("saved") != before


def ended_or_came_further(process: subprocess.Popen[str], output: Path, lines: int) -> bool:
    return process.poll() is not None or lines_done(output) > lines


def kill_at_random_moments(command: list[str], output: Path, kills: int, seed: int) -> Iterator[int]:
    """Starts the command and kills it, `kills` times; how many lines were done each time."""
    source = random.Random(seed)
    for _ in range(kills):
        before, lines = manifest_of(output).get("saved"), lines_done(output)
        process = start(*command)
        if source.random() < 0.3:
            wait_until(partial(ended_or_saved, process, output, before), what="the run begins")
            moment = source.uniform(0, 2 * SECONDS_BETWEEN_FLUSHES)
        else:
            wait_until(partial(ended_or_came_further, process, output, lines), what="the run comes further")
            moment = source.uniform(0, 0.4 * SECONDS_BETWEEN_FLUSHES)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moment)
        kill_and_look(process)
        yield lines_done(output)


def killed_and_left_in_peace(command: list[str], output: Path, more: tuple[Path, ...], kills: int, seed: int) -> list[int]:
    """Compares the files of both; the progress after each kill."""
    progress = list(kill_at_random_moments(command, output, kills, seed))
    assert progress == sorted(progress), "a killed run never loses what it had"
    done = reexec(*command, "--json", timeout=600)
    assert done.code == 1, done.err  # there are rejects
    killed = files_of(output, *more)
    again = reexec(*command, "--json", "--overwrite", timeout=600)
    assert files_of(output, *more) == killed
    for field in ("rows", "rejected", "verdicts", "pass_rates", "pairs", "reproducible", "reasons", "missing_modules"):
        assert done.summary.get(field) == again.summary.get(field), field
    return progress


VERIFY_CASES = [
    pytest.param(4, 1_500, id="a few kills"),
    pytest.param(50, 40_000, id="fifty kills", marks=pytest.mark.slow),
]
AUDIT_CASES = [
    pytest.param(3, 50, id="a few kills"),
    pytest.param(50, 2_400, id="fifty kills", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("kills", "rows"), VERIFY_CASES)
def test_a_killed_verify_ends_with_the_files_of_one_left_in_peace(kills: int, rows: int, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    command = ["verify", *verify_input(tmp_path, rows), "-o", str(output)]
    progress = killed_and_left_in_peace(command, output, (), kills, seed=1)
    assert any(0 < lines < rows for lines in progress), f"no kill in the middle: {progress}"
    written = files_of(output)
    assert sum(content.count(b"\n") for content in written.values()) == rows


@pytest.mark.parametrize(("kills", "functions"), AUDIT_CASES)
def test_a_killed_audit_ends_with_the_files_of_one_left_in_peace(kills: int, functions: int, tmp_path: Path) -> None:
    output, kept = tmp_path / "out.jsonl", tmp_path / "kept.jsonl"
    command = ["audit", str(audit_input(tmp_path, functions)), "-o", str(output), "--keep", str(kept)]
    progress = killed_and_left_in_peace(command, output, (kept,), kills, seed=2)
    assert any(0 < lines < functions for lines in progress), f"no kill in the middle: {progress}"


@pytest.mark.parametrize(
    ("kills", "rows"), [pytest.param(2, 500, id="a few kills"), pytest.param(25, 10_000, id="many", marks=pytest.mark.slow)]
)
def test_compressed_output_is_whole_members_after_every_kill(kills: int, rows: int, tmp_path: Path) -> None:
    output, plain = tmp_path / "out.jsonl.gz", tmp_path / "plain.jsonl"
    given = verify_input(tmp_path, rows)
    command = ["verify", *given, "-o", str(output)]
    for _ in kill_at_random_moments(command, output, kills, seed=3):
        size = manifest_of(output).get("progress", {}).get("sizes", {}).get("output", 0)
        if size:  # what the manifest vouches for, any tool can read
            content = gzip.decompress(output.read_bytes()[:size])
            assert content.endswith(b"\n")
    assert reexec(*command, timeout=600).code == 1
    assert reexec("verify", *given, "-o", str(plain), timeout=600).code == 1
    assert gzip.decompress(output.read_bytes()) == plain.read_bytes()
    assert subprocess.run(["gzip", "-t", str(output)], check=False).returncode == 0
