"""`--cache` on commands that judge: it saves executions and decides nothing. Whatever happens to the command, the disk or the
file, the verdicts are those of a run without it, and no row is lost."""

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from reexec.cli.commands import load
from reexec.engine.cache import health
from tests.conftest import lacking
from tests.support.helpers import Done, example_responses, function_row, reexec, response, start, write_rows

ROWS = 600
LESS = ("--set", "limits.memory_bytes=192MiB", "-w", "2", "--json")
"""So that the runs fit small machines."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Input predictions, a third of them wrong and some of them failing, and their verdicts without a cache."""
    folder = tmp_path_factory.mktemp("files")
    source = "def f(n):\n    return [n // (n - 17)] * (n % 5)\n"
    write_rows(folder / "functions.jsonl", [function_row(source, ({"n": 3}, [-1, -1, -1]))])
    write_rows(folder / "responses.jsonl", [response(0, 0, {"n": n // 2}, "i", index=n + 1) for n in range(ROWS)])
    plain = verify(folder, folder / "plain.jsonl", "--cache", "off")
    assert plain.code == 0
    assert len(plain.summary["verdicts"]) == 3
    return folder


def arguments(files: Path, output: Path, *more: str | Path) -> list[str | Path]:
    given = files / "responses.jsonl"
    return ["verify", given, "-f", files / "functions.jsonl", "-o", output, *LESS, *more]


def verify(files: Path, output: Path, *more: str | Path, env: dict[str, str] | None = None) -> Done:
    return reexec(*arguments(files, output, *more), env=env)


def same(files: Path, output: Path) -> bool:
    return output.read_bytes() == (files / "plain.jsonl").read_bytes()


@pytest.fixture(scope="module")
def filled(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with all outcomes, of which tests take a copy."""
    cache = tmp_path_factory.mktemp("filled") / "cache"
    assert verify(files, cache.with_name("1.jsonl"), "--cache", cache).code == 0
    return cache


def test_a_second_run_executes_nothing_and_writes_the_same(files: Path, tmp_path: Path) -> None:
    first = verify(files, tmp_path / "1.jsonl", "--cache", tmp_path / "cache")
    again = verify(files, tmp_path / "2.jsonl", env={"REEXEC_CACHE": str(tmp_path / "cache")})
    off = verify(files, tmp_path / "3.jsonl", "--cache", "off", env={"REEXEC_CACHE": str(tmp_path / "cache")})
    assert [done.code for done in (first, again, off)] == [0, 0, 0]
    assert (first.summary["recalled"], first.summary["shared"]) == (0, ROWS // 2)
    assert (again.summary["recalled"], again.summary["shared"]) == (ROWS, 0)
    assert (off.summary["recalled"], off.summary["shared"]) == (0, ROWS // 2)
    assert all(same(files, tmp_path / f"{number}.jsonl") for number in (1, 2, 3))


def test_the_users_folder_is_used_where_the_cache_is_on(files: Path, tmp_path: Path) -> None:
    env = {"XDG_CACHE_HOME": str(tmp_path)}
    assert verify(files, tmp_path / "1.jsonl", "--cache", "on", env=env).code == 0
    assert (tmp_path / "reexec" / "outcomes" / health.DATA).is_file()
    assert reexec("cache", "stats", "--json", env=env).summary["entries"] == ROWS // 2


def test_commands_that_prove_or_show_an_execution_have_no_cache() -> None:
    reads = {name: any(one.name == "cache" for one in load(name).params) for name in ("verify", "audit", "generate", "call")}
    assert reads == {"verify": True, "audit": False, "generate": False, "call": False}
    assert all(any(one.name == "cache" for one in command.params) for command in load("grade").commands.values())


def test_the_bundled_rows_have_the_same_verdicts_however_they_are_executed_or_recalled(tmp_path: Path) -> None:
    given = write_rows(tmp_path / "responses.jsonl", example_responses())
    functions = Path(__file__).parents[3] / "examples" / "functions.jsonl"
    found, recalled = [], 0
    ways = [("off", "call"), ("off", "batch"), ("a", "batch"), ("a", "call"), ("a", "batch"), ("b", "call"), ("b", "auto")]
    for number, (cache, execution) in enumerate(ways):
        output = tmp_path / f"{number}.jsonl"
        how = ("--cache", cache, "--set", f"execution={execution}")
        done = reexec("verify", given, "-f", functions, "-o", output, *how, *LESS, cwd=tmp_path)
        assert done.code == 0
        found.append(output.read_bytes())
        recalled = done.summary["recalled"]
    assert recalled > 50
    assert len(set(found)) == 1


def test_graded_samples_are_the_same_with_a_cold_and_a_warm_cache(tmp_path: Path) -> None:
    graders = Path(__file__).parents[3] / "examples" / "graders"
    given: list[str | Path] = ["--problems", graders / "mbpp.jsonl", "--samples", graders / "mbpp-samples.jsonl"]
    found = []
    for number, cache in enumerate(("off", "c", "c")):
        output = tmp_path / f"{number}.jsonl"
        done = reexec("grade", "mbpp", *given, "-o", output, "--cache", cache, *LESS, cwd=tmp_path)
        assert done.code == 0
        found.append(output.read_bytes())
    assert done.summary["recalled"] > 0
    assert found[0] == found[1] == found[2]


def test_kill_9_at_any_moment_loses_no_row_and_makes_no_verdict_wrong(files: Path, tmp_path: Path) -> None:
    chance = random.Random(5)
    for turn in range(4):
        output = tmp_path / f"{turn}.jsonl"
        process = start(*arguments(files, output, "--cache", tmp_path / "cache"))
        time.sleep(chance.uniform(0.3, 2.0))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
        done = verify(files, output, "--cache", tmp_path / "cache")
        assert done.code == 0
        assert same(files, output)
    last = verify(files, tmp_path / "last.jsonl", "--cache", tmp_path / "cache")
    assert last.summary["recalled"] == ROWS


def test_two_commands_share_a_cache_at_the_same_time(files: Path, tmp_path: Path) -> None:
    outputs = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    running = [start(*arguments(files, output, "--cache", tmp_path / "cache")) for output in outputs]
    for process in running:
        said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    assert all(same(files, output) for output in outputs)
    assert verify(files, tmp_path / "c.jsonl", "--cache", tmp_path / "cache").summary["recalled"] == ROWS


@pytest.mark.parametrize("what", ["truncated", "garbage", "a file in its place", "not writable"])
def test_a_cache_that_cannot_be_used_is_one_line_and_the_run_goes_on(
    what: str, files: Path, filled: Path, tmp_path: Path
) -> None:
    cache = shutil.copytree(filled, tmp_path / "cache")
    data = cache / health.DATA
    if what == "truncated":
        os.truncate(data, data.stat().st_size // 2)
    elif what == "garbage":
        data.write_bytes(random.Random(3).randbytes(50_000))
    elif what == "a file in its place":
        cache = data
    else:
        cache = Path("/proc/cache")
    done = verify(files, tmp_path / "2.jsonl", "--cache", cache)
    assert done.code == 0
    assert done.one_line().startswith("reexec: no cache in this run: ")
    assert str(cache) in done.err
    assert done.summary["recalled"] == 0
    assert same(files, tmp_path / "2.jsonl")


def test_a_full_disk_is_one_line_and_the_run_goes_on(files: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=48k", "none", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        lacking("mounting a tmpfs")
    try:
        done = verify(files, tmp_path / "1.jsonl", "--cache", small / "cache")
        assert done.code == 0
        assert "no space left" in done.one_line()
        assert same(files, tmp_path / "1.jsonl")
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)
