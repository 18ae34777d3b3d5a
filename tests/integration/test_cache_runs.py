"""An executor with a cache: what was executed once is recalled, what may vary or was disturbed is executed again, and verdicts
are the same with and without."""

from pathlib import Path

import pytest

from reexec import Check, Executor, Policy, Program, load_policy
from reexec.engine.cache import OutcomeCache, store

DOUBLE = Program("def f(n):\n    return 2 * n", "f")


def words(executor: Executor, checks: list[Check], ordered: bool = True) -> list[str]:
    return [verdict.word for verdict in executor.check_many(checks, ordered=ordered)]


def executed(executor: Executor) -> int:
    return executor.statistics().completed


@pytest.mark.parametrize("ordered", [True, False])
def test_a_second_run_executes_nothing_and_says_the_same(ordered: bool, tmp_path: Path) -> None:
    failing = Program("def f(n):\n    return 1 // n", "f")
    checks = [Check(DOUBLE, {"n": n}, 2 * (n % 7)) for n in range(300)] + [Check(failing, [0], 1), Check(failing, [1], 1)]
    with OutcomeCache(tmp_path) as cache, Executor(workers=2, cache=cache) as executor:
        first = words(executor, checks)
        assert executed(executor) == len(checks)
    with OutcomeCache(tmp_path) as cache, Executor(workers=2, cache=cache) as executor:
        assert sorted(words(executor, checks, ordered)) == sorted(first)
        assert executed(executor) == 0
        assert cache.hits == len(checks)
        assert words(executor, [Check(DOUBLE, {"n": 1000}, 2000)]) == ["accepted"]
        assert executed(executor) == 1
    with Executor(workers=2) as executor:
        assert words(executor, checks) == first


@pytest.mark.parametrize(
    "source",
    [
        "import time\ndef f(n):\n    return n",
        "import random\ndef f(n):\n    return n",
        "def f(n):\n    return id(n) * 0",
        "def f(n):\n    while True: pass",
        "def f(n):\n    return bytearray(1 << 40)",
        "def f(n):\n    raise SystemExit(3)",
    ],
)
def test_what_may_vary_and_what_a_limit_ended_is_executed_each_time(source: str, tmp_path: Path) -> None:
    policy = load_policy("codeio", settings=["limits.cpu_s=0.3", "limits.idle_s=0.3"])
    with OutcomeCache(tmp_path) as cache, Executor(policy, workers=1, cache=cache) as executor:
        checks = [Check(Program(source, "f"), {"n": 1}, 1)]
        first = words(executor, checks)
        assert words(executor, checks) == first
        assert executed(executor) == 2
        assert cache.hits == 0


def test_another_policy_program_or_call_is_another_outcome(tmp_path: Path) -> None:
    with OutcomeCache(tmp_path) as cache:
        for policy in (Policy.preset("codeio"), load_policy("codeio", settings=["limits.output_bytes=1000"])):
            with Executor(policy, workers=1, cache=cache) as executor:
                assert words(executor, [Check(DOUBLE, {"n": 1}, 2), Check(DOUBLE, [1], 2)]) == ["accepted"] * 2
                assert executed(executor) == 2


def test_a_spoiled_entry_is_executed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "COMMIT_S", 3600.0)  # the entry still waits in memory when it is spoiled
    check = [Check(DOUBLE, {"n": 4}, 8)]
    with OutcomeCache(tmp_path) as cache, Executor(workers=1, cache=cache) as executor:
        assert words(executor, check) == ["accepted"]
        (key,) = cache._waiting
        cache._waiting.clear()
        cache.put(key, b"no answer of ours")
        assert words(executor, check) == ["accepted"]
        assert executed(executor) == 2


@pytest.mark.parametrize("commit_s", [0.0, 3600.0])
def test_what_a_unit_answered_is_recalled_only_where_it_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commit_s: float
) -> None:
    """Each run: which expected value is wrong, how checks are executed, and how many are executed."""
    monkeypatch.setattr(store, "COMMIT_S", commit_s)  # what is on disk and what still waits is recalled alike
    runs = ((7, "batch", 100), (7, "batch", 0), (9, "batch", 1), (9, "batch", 0), (3, "call", None), (3, "call", 0))
    with OutcomeCache(tmp_path) as cache:
        for wrong, execution, count in runs:
            policy = load_policy("codeio", settings=[f"execution={execution}"])
            with Executor(policy, workers=1, cache=cache) as executor:
                found = words(executor, [Check(DOUBLE, {"n": n}, 2 * n + (n == wrong)) for n in range(100)])
                assert found == ["wrong-answer" if n == wrong else "accepted" for n in range(100)]
                if count is None:
                    assert executed(executor) >= 90, "`call` takes nothing from units"
                else:
                    assert executed(executor) == count
