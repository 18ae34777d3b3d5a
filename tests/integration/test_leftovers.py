"""A run of the tests knows what is its own, and the next one ends what is left of a run that was killed."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from reexec import Executor, load_policy
from tests.conftest import ROOT
from tests.support import leftovers
from tests.support.helpers import all_gone, wait_until

RUN = """
import subprocess
from tests.support.leftovers import run_folder
folder = run_folder()
(folder / "killed").mkdir()
child = subprocess.Popen(["sleep", "600"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
print(folder, child.pid, flush=True)
input()
"""


def run(where: Path) -> tuple["subprocess.Popen[str]", Path, psutil.Process]:
    """A run that has a folder there and a child in a session of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        env=os.environ | {"TMPDIR": str(where)},
    )  # fmt: skip
    assert process.stdout is not None
    folder, pid = process.stdout.readline().split()
    return process, Path(folder), psutil.Process(int(pid))


def test_what_a_killed_run_left_is_ended_and_removed_and_a_living_ones_is_not(tmp_path: Path) -> None:
    killed, left, orphan = run(tmp_path)
    living, held, child = run(tmp_path)
    killed.kill()
    killed.communicate()
    for folder in (left, held):
        os.utime(folder, (0, 0))  # as if made long ago
    leftovers.sweep(tmp_path)
    assert [left.exists(), held.exists()] == [False, True]
    all_gone([orphan])
    assert child.is_running()
    living.communicate("\n")
    assert not held.exists()
    child.kill()


def test_a_young_folder_may_not_have_its_lock_yet(tmp_path: Path) -> None:
    young = tmp_path / "tests-of-reexec-young"
    young.mkdir()
    leftovers.sweep(tmp_path)
    assert young.exists()
    os.utime(young, (0, 0))
    leftovers.sweep(tmp_path)
    assert not young.exists()


@pytest.mark.parametrize("level", ["none", "nsjail"])
def test_workers_are_seen_while_they_run(level: str, own_temporary_folder: Path) -> None:
    policy = load_policy("codeio", settings=["isolation.lowest=none"])
    before = seen(own_temporary_folder)
    with Executor(policy, workers=1, isolation=level):
        ours = seen(own_temporary_folder) - before
        assert len(ours) == 1
        assert ours <= {child.pid for child in psutil.Process().children()}
    wait_until(lambda: not ours & seen(own_temporary_folder), 30, "the worker gone")


def seen(folder: Path) -> set[int]:
    return {process.pid for process in leftovers.processes_that_name(folder)}
