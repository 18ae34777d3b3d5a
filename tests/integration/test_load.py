"""A busy machine decides no verdict (attack case 6): a program that needs 70 % of its processor allowance, beside nothing
and beside eight busy processes per core."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from reexec import Executor, Program, load_policy
from tests.support.busy import busy, busy_cores

BURN = """
import time
def f(s):
    start = time.process_time()
    while time.process_time() - start < s:
        pass
    return 'done'
"""
PROGRAM = Program(BURN, "f")
LOOP = Program("def f():\n    while True:\n        pass", "f")
NAP = Program("import time\ndef f(s):\n    time.sleep(s)\n    return 'woke'", "f")
SLEEP = Program("import time\ndef f():\n    time.sleep(1000)", "f")
CONTROL = "import time\nb = time.monotonic()\nwhile time.process_time() < 0.25: pass\nprint(time.monotonic() - b)"
PER_CORE = 8


def control_s() -> float:
    """Elapsed seconds of a process of 0.25 s of processor time, itself in a session of its own."""
    done = subprocess.run([sys.executable, "-c", CONTROL], capture_output=True, text=True, check=True, start_new_session=True)
    return float(done.stdout)


@contextmanager
def busy_machine() -> Iterator[None]:
    """More work than processors, seen to slow a control process down."""
    with busy(busy_cores(PER_CORE)):
        until = time.monotonic() + 20
        while control_s() < 4 * 0.25:
            assert time.monotonic() < until, "the load never slowed a control process to a quarter"
        yield


def words(executor: Executor, cpu_s: float, idle_s: float) -> list[str]:
    """Verdicts of what is well inside and well outside of each limit."""
    checks = [
        (PROGRAM, [0.7 * cpu_s], "done"),
        (NAP, [0.5 * idle_s], "woke"),
        (LOOP, [], "done"),
        (SLEEP, [], "woke"),
        (PROGRAM, [0.7 * cpu_s], "other"),
    ]
    return [executor.check(program, call, expected).word for program, call, expected in checks]


def lateness(executor: Executor, cpu_s: float, bound_s: float) -> float:
    """Seconds of processor time over the limit that an endless loop got, the least of up to five where it was late: a virtual
    machine may stand still for longer than that. Never early."""
    found: list[float] = []
    while len(found) < 5:
        outcome = executor.submit(LOOP, []).result()
        assert outcome.kind == "cpu-limit"
        assert outcome.usage.cpu_s >= cpu_s, "the deadline was early"
        found.append(outcome.usage.cpu_s - cpu_s)
        if found[-1] <= bound_s:
            break
    return min(found)


def compare_idle_and_busy(cpu_s: float, idle_s: float, rounds: int) -> None:
    policy = load_policy("codeio", settings=[f"limits.cpu_s={cpu_s}", f"limits.idle_s={idle_s}"])
    expected = ["accepted", "accepted", "cpu-limit", "wall-limit", "wrong-answer"]
    with Executor(policy, workers=1) as executor:
        for _ in range(rounds):
            assert words(executor, cpu_s, idle_s) == expected
        bound_s = max(0.05, 0.05 * cpu_s) + 0.02
        assert lateness(executor, cpu_s, bound_s) <= bound_s
        with busy_machine():
            for _ in range(rounds):
                assert words(executor, cpu_s, idle_s) == expected
            bound_s = max(0.075, 0.15 * cpu_s)
            late = lateness(executor, cpu_s, bound_s)
            assert control_s() >= 4 * 0.25, "the load was not there until the end"
        assert late <= bound_s
        statistics = executor.statistics()
        assert (statistics.engine_errors, statistics.worker_deaths) == (0, 0)


def test_load_changes_no_verdict() -> None:
    compare_idle_and_busy(cpu_s=0.3, idle_s=0.5, rounds=1)


@pytest.mark.slow
def test_load_changes_no_verdict_at_the_default_limits() -> None:
    compare_idle_and_busy(cpu_s=5.0, idle_s=2.0, rounds=1)
