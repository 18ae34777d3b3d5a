"""A host that lacks something: descriptors, memory, room on the disk. The command ends with one line and a documented code,
what is written is whole and right, nothing runs on, and the same command comes to the same end once there is enough again."""

import functools
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from reexec.engine.errors import IsolationUnavailableError
from reexec.engine.jail import cgroup
from tests.conftest import lacking
from tests.reliability.outside import Tree, assert_nothing_runs
from tests.support import limited_host
from tests.support.helpers import (
    COMMAND,
    Done,
    environment,
    example_functions,
    example_responses,
    lines_done,
    read_rows,
    reexec,
    reexec_cold,
    sleeper,
    start,
    wait_until,
    write_rows,
)

COPIES, MANY = 1, 8


def arguments(folder: Path, name: str = "out", copies: int = COPIES) -> list[str]:
    responses = folder / "responses.jsonl"
    functions = folder / "functions.jsonl"
    if not responses.exists():
        programs, rows = example_functions(copies), example_responses(copies)
        if copies == MANY:  # it has to last until it is disturbed
            asleep, about_it = sleeper(len(programs))
            programs, rows = [*programs, asleep], [*rows, about_it]
        write_rows(responses, rows)
        write_rows(functions, programs)
    return ["verify", str(responses), "-f", str(functions), "-o", str(folder / f"{name}.jsonl"), "-w", "2", "--json"]


def only_right_or_engine_errors(output: Path) -> int:
    """How many rows ended as engine-error; every other one has its verdict."""
    rows = read_rows(output) if output.exists() else []
    wrong = [row for row in rows if row["verdict"] not in (row["expected_verdict"], "engine-error")]
    assert not wrong, wrong[:3]
    return sum(row["verdict"] == "engine-error" for row in rows)


def ended_well(done: Done, output: Path) -> None:
    """A summary that counts every row, or one line that says what is missing."""
    assert "Traceback" not in done.err, done.err
    errors = only_right_or_engine_errors(output)
    if done.code in (0, 1) and done.out:
        assert done.summary["engine_errors"] == errors
        assert done.summary["rows"] == len(read_rows(output)) == len(example_responses(COPIES))
        assert done.code == (1 if errors else 0)
    else:
        assert done.code in (1, 2, 3)
        done.one_line()


@functools.cache
def in_peace(copies: int) -> bytes:
    """What the command writes where nothing is missing."""
    with tempfile.TemporaryDirectory() as folder:
        done = reexec(*arguments(Path(folder), copies=copies))
        assert done.code == 0, done.err
        return (Path(folder) / "out.jsonl").read_bytes()


def goes_on_to_the_same_end(folder: Path, copies: int = COPIES) -> None:
    """The command once more, with all that it needs. Rows that ended as engine-error are rows, so then from the start."""
    again = ["--overwrite"] if only_right_or_engine_errors(folder / "out.jsonl") else []
    done = reexec(*arguments(folder), *again)
    assert done.code == 0, done.err
    assert (folder / "out.jsonl").read_bytes() == in_peace(copies)


# -- descriptors ------------------------------------------------------------------------------------------------------


SLOW_COUNTS = [pytest.param(count, marks=pytest.mark.slow) for count in (*range(8, 28, 2), 30, 32, 40)]


@pytest.mark.parametrize("count", [28, *SLOW_COUNTS])
def test_too_few_descriptors_give_one_line_or_rows_that_say_so(count: int, tmp_path: Path) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    few = functools.partial(resource.setrlimit, resource.RLIMIT_NOFILE, (count, hard))
    done = reexec_cold(*arguments(tmp_path), preexec=few)
    ended_well(done, tmp_path / "out.jsonl")
    goes_on_to_the_same_end(tmp_path)


def running(folder: Path) -> "subprocess.Popen[str]":
    process = start(*arguments(folder, copies=MANY))
    wait_until(lambda: lines_done(folder / "out.jsonl") > 0 or process.poll() is not None, 60, "the first rows")
    assert process.poll() is None, "too quick to be disturbed"
    return process


def take_away(process: "subprocess.Popen[str]", which: int, wanted: int) -> Done:
    """Lowers a limit of the running command and kills its workers, so that it needs what it no longer has."""
    hard = resource.prlimit(process.pid, which)[1]
    resource.prlimit(process.pid, which, (wanted, hard))
    tree = Tree.below(process.pid)
    for zygote in tree.zygotes:
        os.kill(zygote, signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    assert_nothing_runs(process.pid, [*tree.jails, *tree.zygotes, *tree.checks])
    return Done(process.returncode, out, err)


@pytest.mark.slow
def test_descriptors_that_run_out_in_the_middle_cost_no_right_verdict(tmp_path: Path) -> None:
    process = running(tmp_path)
    done = take_away(process, resource.RLIMIT_NOFILE, psutil.Process(process.pid).num_fds() - 6)
    assert "Traceback" not in done.err, done.err
    assert done.code in (1, 2)
    goes_on_to_the_same_end(tmp_path, MANY)


# -- memory -----------------------------------------------------------------------------------------------------------


def address_space(pid: int) -> int:
    found = re.search(r"VmSize:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found.group(1)) << 10


def test_two_gigabytes_of_address_space_are_enough(tmp_path: Path) -> None:
    if limited_host.is_limited():
        lacking("two gigabytes of addresses (ulimit -Hv)")
    done = reexec_cold(
        *arguments(tmp_path), preexec=functools.partial(resource.setrlimit, resource.RLIMIT_AS, (2 << 30, 2 << 30))
    )
    assert done.code == 0, done.err
    assert (tmp_path / "out.jsonl").read_bytes() == in_peace(COPIES)


def test_memory_that_runs_out_in_the_middle_is_one_line_and_the_run_goes_on(tmp_path: Path) -> None:
    process = running(tmp_path)
    done = take_away(process, resource.RLIMIT_AS, address_space(process.pid))
    assert "Traceback" not in done.err, done.err
    assert done.code in (0, 1, 2)
    goes_on_to_the_same_end(tmp_path, MANY)


@contextmanager
def memory_group(limit: int) -> Iterator[Path]:
    """A control group with so much memory, made where this process may make one."""
    try:
        where = cgroup.hierarchy()
    except IsolationUnavailableError as error:
        lacking(str(error))
        raise
    folder = Path(tempfile.mkdtemp(prefix="short-of-memory-", dir=where.memory))
    (folder / ("memory.limit_in_bytes" if where.version == 1 else "memory.max")).write_text(str(limit))
    try:
        yield folder
    finally:
        for inner in folder.glob("reexec-*"):
            inner.rmdir()
        wait_until(lambda: not (folder / "cgroup.procs").read_text(), 5, "the group empty")
        folder.rmdir()


def test_a_host_in_a_group_with_little_memory_gives_the_same_verdicts(tmp_path: Path) -> None:
    with memory_group(400 << 20) as folder:

        def enter() -> None:
            (folder / "cgroup.procs").write_text("0")

        done = reexec_cold(*arguments(tmp_path), preexec=enter)
    assert done.code == 0, done.err
    assert (tmp_path / "out.jsonl").read_bytes() == in_peace(COPIES)


# -- disk -------------------------------------------------------------------------------------------------------------


def test_a_disk_that_is_full_and_then_has_room_again(tmp_path: Path) -> None:
    """A file system of 256 KiB, a run that fills it, a bigger one in its place, the same command."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        lacking("a file system of its own takes root and `unshare`")
    folder = tmp_path / "small"
    folder.mkdir()
    command = [COMMAND, *arguments(tmp_path, copies=2)]
    command[command.index("-o") + 1] = str(folder / "out.jsonl")
    script = """
        mount -t tmpfs -o size=256k none "$0" || exit 99
        "$@"; echo "code $?"
        wc -l < "$0/out.jsonl"
        mount -o remount,size=64m "$0" || exit 99
        "$@"; echo "code $?"
        cp "$0/out.jsonl" "$0/../out.jsonl"
    """
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, str(folder), *command],
        capture_output=True, text=True, env=environment(), timeout=120, check=False,
    )  # fmt: skip
    if done.returncode == 99 or "unshare:" in done.stderr:
        lacking(f"a mount namespace: {done.stderr.strip()}")
    codes = [line for line in done.stdout.splitlines() if line.startswith("code ")]
    assert codes == ["code 2", "code 0"], done.stderr
    first, *going_on = done.stderr.splitlines()
    assert "cannot be written (no space left on device)" in first
    assert all(line.startswith("resuming after ") for line in going_on)
    assert (tmp_path / "out.jsonl").read_bytes() == in_peace(2)
