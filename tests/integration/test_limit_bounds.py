"""Limits by their own clocks and figures: sleep below the processor's limit, the backstop where the kernel does not tell, and
what a check is said to have used."""

import time
from collections.abc import Iterator

import pytest

from reexec import Executor, Outcome, Program, load_policy
from reexec.engine.jail import run_delay
from reexec.engine.protocol import frames

SLEEPS = Program("import time\ndef f(s):\n    time.sleep(s)\n    return 'woke'", "f")
BURNS = Program(
    "import time\ndef f(s):\n    until = time.process_time() + s\n"
    "    while time.process_time() < until: pass\n    return 'done'",
    "f",
)
ALLOCATES = Program(
    "def f(size):\n    data = bytearray(size)\n    for at in range(0, size, 4096): data[at] = 1\n    return len(data)", "f"
)


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor(load_policy("codeio", settings=["limits.cpu_s=60", "limits.idle_s=0.3"]), workers=1) as executor:
        yield executor


def test_idle_below_cpu_ends_a_sleeper_by_its_own_word(executor: Executor) -> None:
    """Long before the processor's limit would, and a check that works for as long is left alone."""
    assert executor.submit(SLEEPS, [0]).result().value == "woke"
    began = time.monotonic()
    outcome = executor.submit(SLEEPS, [100]).result()
    assert outcome.kind == "wall-limit"
    assert time.monotonic() - began < 45, "it waited for the processor's limit"
    assert executor.submit(BURNS, [0.6]).result().value == "done"


def test_a_check_below_its_limit_keeps_its_value(executor: Executor) -> None:
    outcome = executor.submit(BURNS, [0.8]).result()  # more than a hundredth of the limit
    assert (outcome.kind, outcome.value, outcome.attempts) == ("value", "done", 1)


def test_where_the_kernel_does_not_tell_only_the_backstop_ends_a_sleeper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_delay.RunDelays, "of", lambda self, check_id: (-1, 0, False))
    policy = load_policy(
        "codeio", settings=["limits.cpu_s=0.5", "limits.idle_s=0.2", "limits.wall_s=4", "limits.confirm=false"]
    )
    with Executor(policy, workers=1) as executor:
        assert executor.submit(SLEEPS, [0.8]).result().value == "woke", "idle_s cannot be measured here"
        outcome = executor.submit(SLEEPS, [60]).result()
    assert outcome.kind == "wall-limit"
    assert outcome.usage.wall_s >= 4


def test_a_kernel_that_tells_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for a processor is no sleep: a host that says so keeps the check alive."""
    monkeypatch.setattr(run_delay.RunDelays, "of", lambda self, check_id: (int(time.monotonic() * 1e6), 0, True))
    assert frames.RunDelay._fields == ("check_id", "waited_us", "idle_us", "runnable")
    policy = load_policy("codeio", settings=["limits.cpu_s=5", "limits.idle_s=0.2", "limits.confirm=false"])
    with Executor(policy, workers=1) as executor:
        assert executor.submit(SLEEPS, [0.7]).result().value == "woke"


def used(executor: Executor, program: Program, argument: object) -> Outcome:
    outcome = executor.submit(program, [argument]).result()
    assert outcome.ok, outcome.describe()
    return outcome


def test_processor_time_and_memory_are_what_was_used(executor: Executor) -> None:
    assert 0.2 <= used(executor, BURNS, 0.2).usage.cpu_s < 0.45
    for size in (64 << 20, 192 << 20):
        assert 0.97 * size <= used(executor, ALLOCATES, size).usage.peak_bytes < size + (48 << 20)
    assert used(executor, ALLOCATES, 4096).usage.peak_bytes < 32 << 20


def test_elapsed_time_is_told_beside_processor_time(executor: Executor) -> None:
    usage = used(executor, SLEEPS, 0.15).usage
    assert usage.wall_s >= 0.15
    assert usage.cpu_s < 0.1
