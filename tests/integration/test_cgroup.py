"""A control group for every worker's checks: limits of the whole tree, nothing left over, nothing to reach from inside."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from reexec import Executor, Outcome, Program, load_policy
from reexec.engine.errors import IsolationUnavailableError
from reexec.engine.jail import cgroup
from reexec.policies.model import IsolationLevel
from tests.conftest import lacking

TREE = load_policy(
    "codeio", settings=["limits.processes=16", "limits.memory_bytes=100000000", "limits.cpu_s=0.5", "limits.idle_s=2"]
)


def where() -> cgroup.Hierarchy:
    try:
        return cgroup.hierarchy()
    except IsolationUnavailableError as error:
        lacking(str(error))
        raise


@pytest.fixture
def tree() -> Iterator[Executor]:
    where()
    with Executor(TREE, workers=1) as executor:
        assert executor.isolation is IsolationLevel.NSJAIL_CGROUP
        yield executor


def run(executor: Executor, source: str) -> Outcome:
    return executor.submit(Program("import os, time\n" + source, "f"), []).result(60)


def folders() -> list[Path]:
    return [folder for parent in where().parents for folder in parent.glob(f"reexec-{os.getpid()}-*")]


def test_children_that_burn_time_are_charged_to_the_check(tree: Executor) -> None:
    burn = "def f():\n    if not os.fork():\n        while True:\n            pass\n    os.wait()\n    return 1"
    outcome = run(tree, burn)
    assert outcome.kind == "cpu-limit"
    assert 0.5 <= outcome.usage.cpu_s < 0.8


def test_children_within_the_limits_are_fine(tree: Executor) -> None:
    source = (
        "def f():\n    for i in range(8):\n        if not os.fork():\n            x = bytearray(1 << 20)\n"
        "            os._exit(i)\n    return sorted(os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(8))"
    )
    assert run(tree, source).value == list(range(8))


def test_a_check_runs_in_a_group_of_its_own_and_the_zygote_does_not(tree: Executor) -> None:
    future = tree.submit(Program("import time\ndef f():\n    time.sleep(1)\n    return 1", "f"), [])
    (pid,) = tree.worker_pids()
    name = folders()[0].name
    found = ""
    while name not in found and not future.done():
        for child in psutil.Process(pid).children():
            with contextlib.suppress(OSError):  # the one that compiles is soon gone
                found = Path(f"/proc/{child.pid}/cgroup").read_text()
    assert name in found
    assert name not in Path(f"/proc/{pid}/cgroup").read_text()
    assert future.result(10).value == 1


def test_a_program_has_none_of_the_groups_descriptors(tree: Executor) -> None:
    source = (
        "import stat\ndef f():\n    found = []\n    for fd in range(64):\n"
        "        try:\n            mode = os.fstat(fd).st_mode\n"
        "        except OSError:\n            continue\n        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):\n"
        "            found.append(fd)\n    return found"
    )
    assert run(tree, source).value == []


def test_groups_go_with_their_workers() -> None:
    where()
    with Executor(TREE, workers=2) as executor:
        run(executor, "def f():\n    return 1")
        assert folders()
    assert folders() == []


def test_groups_of_a_killed_host_are_swept_and_living_ones_are_not(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom reexec import Executor, Program, load_policy\n"
        "executor = Executor(load_policy(settings=['limits.memory_bytes=64MiB']), workers=1)\n"
        "executor.submit(Program('def f():\\n    return 1', 'f'), []).result()\n"
        "print(executor.isolation.value, flush=True)\nsys.stdin.read()\n"
    )
    parent = where().parents[0]
    hosts = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for host in hosts:
        assert host.stdout is not None
        assert host.stdout.readline() == "nsjail+cgroup\n"
    left, living = (next(iter(parent.glob(f"reexec-{host.pid}-*"))) for host in hosts)
    hosts[0].send_signal(signal.SIGKILL)
    hosts[0].communicate()
    for folder in (left, living):
        os.utime(folder, (0, 0))  # as if made long ago
    cgroup.sweep(where())
    assert not left.exists()
    assert living.exists()
    hosts[1].communicate()
    assert not living.exists() or not list(living.iterdir())


V1 = """9:name=systemd:/
4:memory:/jobs/7
2:cpu,cpuacct:/
0::/
"""
MOUNTS_V1 = """30 20 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
31 20 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 20 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""
CONTAINER = "0::/docker/ab12\n"
MOUNTS_CONTAINER = "40 30 0:30 /docker/ab12 /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n"
MOUNTS_OTHER_ROOT = "40 30 0:30 /docker/other /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n"


def test_own_groups_are_found_on_v1_hybrid_and_v2_hosts_and_in_containers() -> None:
    hybrid = cgroup.own_groups(V1, MOUNTS_V1)
    assert hybrid["memory"] == Path("/sys/fs/cgroup/memory/jobs/7")
    assert hybrid["cpuacct"] == Path("/sys/fs/cgroup/cpu,cpuacct")
    assert hybrid[""] == Path("/sys/fs/cgroup/unified")
    assert cgroup.own_groups(CONTAINER, MOUNTS_CONTAINER) == {"": Path("/sys/fs/cgroup")}
    assert cgroup.own_groups(CONTAINER, MOUNTS_OTHER_ROOT) == {}


def test_a_check_whose_group_was_taken_away_is_run_again_elsewhere() -> None:
    where()
    with Executor(workers=1) as executor:
        assert run(executor, "def f():\n    return 1").value == 1
        for folder in folders():
            folder.rmdir()
        outcome = run(executor, "def f():\n    return 2")
        assert (outcome.kind, outcome.value, outcome.attempts) == ("value", 2, 2)


def test_a_worker_that_may_start_no_process_is_the_hosts_fault() -> None:
    groups = cgroup.own_groups(Path("/proc/self/cgroup").read_text(), Path("/proc/self/mountinfo").read_text())
    if "pids" not in groups or not os.access(groups["pids"], os.W_OK):
        lacking("a pids hierarchy in which this user may make groups")
    group = groups["pids"] / f"reexec-test-{os.getpid()}"
    group.mkdir()
    try:
        with Executor(workers=1) as executor:
            assert run(executor, "def f():\n    return 1").value == 1
            (pid,) = executor.worker_pids()
            (group / "cgroup.procs").write_text(str(pid))
            (group / "pids.max").write_text("1")
            outcome = run(executor, "def f():\n    return 2")
            assert (outcome.kind, outcome.value, outcome.attempts) == ("value", 2, 2)
            assert executor.statistics().worker_kills == 0
    finally:
        group.rmdir()
