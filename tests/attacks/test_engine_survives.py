"""What needs the host's view: uids, a killed host, killed workers, zombies, claims for other programs."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from reexec import Check, Executor, Program, load_policy
from reexec.engine.conformance.outside import processes_of_workers
from reexec.engine.jail.config import own_uids

POLICY = load_policy("codeio", settings=["limits.cpu_s=20", "limits.idle_s=20"])
SLEEP = Program("import time\ndef f(s):\n    time.sleep(s)\n    return 'woke'", "f")
SPIN = Program("def f():\n    while True:\n        pass", "f")
DOUBLE = Program("def f(n):\n    return 2 * n", "f")


def wait_for(condition: Callable[[], object], seconds: float, what: str) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"not within {seconds} s: {what}"
        time.sleep(0.005)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run. One that has ended and waits for the system's own init to reap it does not."""
    found = []
    for process in processes:
        try:
            if process.is_running() and not (process.status() == psutil.STATUS_ZOMBIE and process.ppid() == 1):
                found.append(process)
        except psutil.NoSuchProcess:
            pass
    return found


def zombies() -> list[psutil.Process]:
    found = []
    for process in processes_of_workers():
        with contextlib.suppress(psutil.NoSuchProcess):
            found += [process] * (process.status() == psutil.STATUS_ZOMBIE)
    return found


def children_of_zygotes(executor: Executor) -> list[psutil.Process]:
    try:
        return [child for pid in executor.worker_pids() for child in psutil.Process(pid).children()]
    except psutil.NoSuchProcess:
        return []


@pytest.fixture
def executor() -> Iterator[Executor]:
    with Executor(POLICY, workers=1) as executor:
        yield executor


def test_a_running_check_has_no_uid_of_root(executor: Executor) -> None:
    assert executor.submit(SLEEP, [0]).result().value == "woke"  # compiled: the next child is the check's
    future = executor.submit(SLEEP, [19])
    wait_for(lambda: children_of_zygotes(executor), 60, "a child of the zygote")
    child = children_of_zygotes(executor)[0]
    uids, gids = child.uids(), child.gids()
    assert 0 not in (uids.real, uids.effective, uids.saved, gids.real, gids.effective, gids.saved)
    zygote = psutil.Process(executor.worker_pids()[0])
    assert zygote.uids().real != 0
    assert child.is_running()
    assert not future.done()


def test_limits_seen_from_inside_are_the_policys(executor: Executor) -> None:
    program = Program(
        """
import os, resource
def f(memory):
    get = lambda name: list(resource.getrlimit(getattr(resource, "RLIMIT_" + name)))
    return {"nice": os.getpriority(os.PRIO_PROCESS, 0), "cpu": get("CPU"), "files": get("NOFILE"), "stack": get("STACK"),
            "core": get("CORE"), "processes": get("NPROC"), "file": get("FSIZE"), "as": get("AS")[0] > memory}
""",
        "f",
    )
    limits = POLICY.limits
    assert executor.submit(program, [limits.memory_bytes]).result().value == {
        "nice": os.getpriority(os.PRIO_PROCESS, 0),  # the caller's, not nsjail's 19
        "cpu": [-1, -1],
        "files": [limits.open_files] * 2,
        "stack": [limits.stack_bytes] * 2,
        "core": [0, 0],
        "processes": [1 + limits.processes] * 2,
        "file": [0, 0],
        "as": True,
    }


HOST = """
import sys, threading
from reexec import Executor, Program, load_policy
policy = load_policy("codeio", settings=["limits.cpu_s=60", "limits.idle_s=60", "limits.memory_bytes=64MiB"])
spinning, sleeping = Executor(policy, workers=1), Executor(policy, workers=1)
spinning.submit(Program("def f():\\n    while True:\\n        pass", "f"), [])
sleeping.submit(Program("import time\\ndef f():\\n    time.sleep(1000)", "f"), [])
print("ready", flush=True)
threading.Event().wait()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_host_leaves_no_process(number: signal.Signals) -> None:
    host = subprocess.Popen([sys.executable, "-c", HOST], stdout=subprocess.PIPE, text=True)
    assert host.stdout is not None
    try:
        assert host.stdout.readline() == "ready\n"
        seen = psutil.Process(host.pid)
        # two of nsjail, two zygotes, two checks
        wait_for(lambda: len(seen.children(recursive=True)) >= 6, 60, "both checks running")
        processes = seen.children(recursive=True)
        host.send_signal(number)
        host.wait()
        wait_for(lambda: not alive(processes), 20, "everything of the host gone")
        uids = own_uids(host.pid)
        if os.geteuid() == 0:
            left = [p for p in psutil.process_iter(["uids"]) if p.info["uids"].real in uids]
            assert not alive(left)
    finally:
        host.kill()
        host.wait()
        host.stdout.close()


def test_a_worker_killed_from_outside_is_replaced_and_the_check_gets_its_verdict(executor: Executor) -> None:
    future = executor.submit(SLEEP, [2])
    wait_for(lambda: children_of_zygotes(executor), 60, "the check running")
    (zygote,) = executor.worker_pids()
    os.kill(zygote, signal.SIGKILL)
    outcome = future.result(60)
    assert outcome.value == "woke"
    assert outcome.attempts == 2
    assert executor.worker_pids() != [zygote]
    statistics = executor.statistics()
    assert (statistics.retried, statistics.worker_deaths, statistics.worker_kills) == (1, 1, 0)
    assert statistics.engine_errors == 0


def test_other_checks_of_a_killed_worker_keep_their_place(executor: Executor) -> None:
    checks = [Check(SLEEP, [2], "woke", id=0)] + [Check(DOUBLE, [n], 2 * n, id=n) for n in range(1, 40)]
    verdicts = executor.check_many(checks)
    seen = []

    def kill() -> None:
        wait_for(lambda: children_of_zygotes(executor), 60, "the check running")
        os.kill(executor.worker_pids()[0], signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    for verdict in verdicts:
        seen.append((verdict.id, verdict.word))
    thread.join()
    assert seen == [(n, "accepted") for n in range(40)]


def hang_up(executor: Executor) -> None:
    """Ends the worker as a program would that found a way: the zygote is gone and nobody outside sent a signal."""
    wait_for(lambda: children_of_zygotes(executor), 60, "the check running")
    zygote = executor.worker_pids()[0]
    for worker in executor._loop._workers:
        if worker.zygote_pid == zygote:
            worker.launched.channel.shutdown(2)
    wait_for(lambda: zygote not in executor.worker_pids(), 60, "the worker buried")


def test_a_program_that_ends_its_worker_every_time_is_denied_after_one_retry_alone(executor: Executor) -> None:
    future = executor.submit(SLEEP, [15])
    hang_up(executor)
    hang_up(executor)
    outcome = future.result(60)
    assert outcome.kind == "denied"
    assert outcome.attempts == 2
    assert executor.check(DOUBLE, [4], 8).accepted
    statistics = executor.statistics()
    assert (statistics.worker_kills, statistics.engine_errors) == (1, 0)


def test_a_program_whose_worker_ended_once_gets_its_verdict(executor: Executor) -> None:
    future = executor.submit(SLEEP, [2])
    hang_up(executor)
    assert future.result(60).value == "woke"
    assert executor.statistics().worker_kills == 0


def test_a_worker_that_goes_silent_is_replaced_seconds_after_the_backstop() -> None:
    """Whatever holds a zygote up, here a SIGSTOP from outside: its check waits for wall_s and a few seconds, not minutes."""
    policy = load_policy("codeio", settings=["limits.cpu_s=0.5", "limits.idle_s=0.5", "limits.wall_s=1"])
    with Executor(policy, workers=1) as executor:
        assert executor.check(DOUBLE, [1], 2).accepted
        os.kill(executor.worker_pids()[0], signal.SIGSTOP)
        began = time.monotonic()
        assert executor.check(DOUBLE, [2], 4).accepted, "run again on another worker"
        assert time.monotonic() - began < 40, "minutes"
        assert executor.statistics().worker_deaths == 1


@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_thousands_of_checks_leave_no_zombie(count: int) -> None:
    with Executor(POLICY, workers=2) as executor:
        before = len(processes_of_workers())
        assert before > 0, "the processes of workers are not seen"
        words = {verdict.word for verdict in executor.check_many(Check(DOUBLE, [n], 2 * n) for n in range(count))}
        assert words == {"accepted"}
        assert len(processes_of_workers()) <= 2 * before  # the second worker has come up meanwhile
        wait_for(lambda: not zombies(), 30, "the last one reaped")


def test_claims_never_count_for_another_program(executor: Executor) -> None:
    forger = Program(
        """
import os, struct
def f():
    body = b'"forged"'
    frame = struct.pack("<2sBBII", b"rx", 1, 0, len(body), 0) + body
    for fd in range(256):
        try:
            os.write(fd, frame * 50)
        except OSError:
            pass
    os._exit(0)
""",
        "f",
    )
    honest = [Check(DOUBLE, [n], 2 * n, id=n) for n in range(30)]
    checks = [item for check in honest for item in (Check(forger, [], "secret", id="forger"), check)]
    for verdict in executor.check_many(checks):
        assert verdict.word == ("wrong-answer" if verdict.id == "forger" else "accepted")


def test_nothing_is_left_after_shutdown() -> None:
    before = psutil.Process().num_fds()
    with Executor(POLICY, workers=2) as executor:
        executor.submit(SPIN, [])
        wait_for(lambda: children_of_zygotes(executor), 60, "the check running")
        processes = psutil.Process().children(recursive=True)
    wait_for(lambda: not alive(processes), 20, "all of it gone")
    assert psutil.Process().num_fds() == before
