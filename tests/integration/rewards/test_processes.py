"""Trainers start processes in every way there is; each has executors of its own, and leaves nothing behind."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from tests.conftest import ROOT

RIGHT = [1.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver", "os.fork"])
def test_every_process_has_executors_of_its_own_and_leaves_none(method: str) -> None:
    with tempfile.TemporaryDirectory(prefix="reexec-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "tests.integration.rewards.processes", method],
            cwd=ROOT, env={**os.environ, "TMPDIR": folder}, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        left = [path.name for path in Path(folder).iterdir() if path.name.startswith("reexec")]
    assert left == []
    found = json.loads(done.stdout.splitlines()[-1])
    parent, children = found["before"], found["children"]
    assert found["after"] == parent, "the parent's executors went on"
    assert [each["rewards"] for each in (parent, *children)] == [RIGHT] * (1 + len(children))
    everyone = [pid for each in (parent, *children) for pid in each["workers"]]
    assert len(everyone) == len(set(everyone)) == 2 * (1 + len(children)), "one worker for each of two policies and processes"
    assert found["left"] == []
    assert not [pid for pid in everyone if psutil.pid_exists(pid)]
