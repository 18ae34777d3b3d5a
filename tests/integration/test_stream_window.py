"""What a stream holds is bounded in rows and in bytes, arguments and answers alike, and everything arrives all the same."""

import time
from collections.abc import Iterator

import psutil
import pytest

from reexec import Check, Executor, Program
from reexec.engine.pool.job import WINDOW_BYTES

MIB = 1 << 20
LENGTH = Program("def f(text):\n    return len(text)", "f")
LONG = Program("def f(n):\n    return 'x' * n", "f")
FIRST_SLOW = Program("import time\ndef f(n, first):\n    if first:\n        time.sleep(1)\n    return 'x' * n", "f")


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor(workers=2) as executor:
        yield executor


def test_more_arguments_than_the_window_holds_go_through(executor: Executor) -> None:
    read = 0

    def checks() -> Iterator[Check]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield Check(LENGTH, ["y" * MIB], MIB)

    verdicts = executor.check_many(checks())
    assert next(verdicts).accepted
    is_quiet(executor)
    assert read <= WINDOW_BYTES // MIB + 2, "read further ahead than the window"
    assert all(verdict.accepted for verdict in verdicts)
    assert read == 100


def is_quiet(executor: Executor) -> None:
    """Nothing more is answered: the window is full."""
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < 0.5:
        if executor.statistics().completed != seen:
            seen, since = executor.statistics().completed, time.monotonic()
        time.sleep(0.02)


@pytest.mark.parametrize("ordered", [True, False])
def test_answers_that_nobody_takes_are_bounded_and_all_arrive(executor: Executor, ordered: bool) -> None:
    size, count = 1_000_000, 150
    process = psutil.Process()
    before = process.memory_info().rss
    outcomes = executor.run_many(((LONG, [size], n) for n in range(count)), ordered=ordered)
    first, _ = next(outcomes)
    assert first is not None
    is_quiet(executor)
    grown = process.memory_info().rss - before
    assert grown < WINDOW_BYTES + 64 * MIB, f"{grown >> 20} MiB"
    rest = [tag for outcome, tag in outcomes if outcome is not None and len(outcome.value) == size]
    assert len(rest) == count - 1


def test_answers_behind_a_slow_head_are_bounded_and_the_head_is_not_held_up(executor: Executor) -> None:
    size, count = 1_000_000, 120
    process = psutil.Process()
    before = process.memory_info().rss
    most = 0
    items = ((FIRST_SLOW, {"n": size, "first": n == 0}, n) for n in range(count))
    for outcome, _ in executor.run_many(items):
        most = max(most, process.memory_info().rss - before)
        assert outcome is not None
        assert len(outcome.value) == size
    assert most < WINDOW_BYTES + 96 * MIB, f"{most >> 20} MiB"
