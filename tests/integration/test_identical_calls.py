"""Identical calls of one stream: executed once where one outcome stands for all, each on its own where it does not, and the
verdicts are the same as without."""

from collections import Counter
from pathlib import Path

import pytest

from reexec import Check, Executor, Program, load_policy
from reexec.engine.cache import OutcomeCache, reuse

DOUBLE = Program("def f(n):\n    return 2 * n", "f")
FAILS = Program("def f(n):\n    return 1 // n", "f")


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize(("execution", "most"), [("call", 11), ("batch", 22)])
def test_identical_calls_are_executed_once_and_each_has_its_verdict(ordered: bool, execution: str, most: int) -> None:
    """Where a unit's answer is not accepted for one of them, that one is executed alone, for all others too."""
    policy = load_policy("codeio", settings=[f"execution={execution}"])
    checks = [Check(DOUBLE, {"n": n % 10}, 2 * (n % 7), id=str(n)) for n in range(3000)]
    checks += [Check(FAILS, {"n": 0}, 1, id=f"fails-{n}") for n in range(5)]
    with Executor(policy, workers=2) as executor:
        plain = [(verdict.id, verdict.word) for verdict in executor.check_many(checks)]
        assert executor.statistics().completed == len(checks)
    with Executor(policy, workers=2, share_identical=True) as executor:
        shared = [(verdict.id, verdict.word) for verdict in executor.check_many(checks, ordered=ordered)]
        counted = executor.statistics()
    assert (shared if ordered else sorted(shared)) == (plain if ordered else sorted(plain))
    assert 11 <= counted.completed <= most
    assert counted.shared == len(checks) - counted.completed


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("def f(n):\n    while True: pass", "cpu-limit"),
        ("def f(n):\n    raise SystemExit(3)", "early-exit"),
        ("def f(n):\n    import random\n    return 0 * random.random()", "accepted"),
    ],
)
def test_what_does_not_stand_for_another_time_is_executed_each_time(ordered: bool, source: str, word: str) -> None:
    policy = load_policy("codeio", settings=["limits.cpu_s=0.2"])
    with Executor(policy, workers=2, share_identical=True) as executor:
        checks = [Check(Program(source, "f"), {"n": 1}, 0) for _ in range(4)]
        assert [verdict.word for verdict in executor.check_many(checks, ordered=ordered)] == [word] * 4
        assert executor.statistics().completed >= 4
        assert executor.statistics().shared == 0


def test_calls_that_python_takes_for_equal_are_not_identical() -> None:
    kind = Program("def f(x):\n    return type(x).__name__", "f")
    given = [1, True, 1.0, 0.0, -0.0, "1", None]
    with Executor(workers=2, share_identical=True) as executor:
        verdicts = executor.check_many(Check(kind, {"x": x}, type(x).__name__) for x in given * 3)
        assert Counter(verdict.word for verdict in verdicts) == {"accepted": 21}
        assert executor.statistics().completed == len(given)


def test_what_a_stream_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reuse, "MOST_CALLS", 4)
    with Executor(workers=2, share_identical=True) as executor:
        checks = [Check(DOUBLE, {"n": n % 8}, 2 * (n % 8)) for n in range(800)]
        assert all(verdict.accepted for verdict in executor.check_many(checks))
        counted = executor.statistics()
        assert counted.completed + counted.shared == 800
        assert counted.completed > 8, "nothing was forgotten"


def test_a_closed_stream_leaves_an_executor_that_works() -> None:
    loops = Program("def f(n):\n    while True: pass", "f")
    with Executor(workers=2, share_identical=True) as executor:
        stream = executor.check_many([Check(DOUBLE, [1], 2), *[Check(loops, [1], 0)] * 300])
        assert next(stream).accepted
        stream.close()  # type: ignore[attr-defined]
        assert executor.check(DOUBLE, [2], 4, timeout=5).accepted
        counted = executor.statistics()
        assert counted.submitted == counted.completed + counted.cancelled


def test_with_a_cache_identical_calls_under_way_are_executed_once_too(tmp_path: Path) -> None:
    checks = [Check(DOUBLE, {"n": n % 5}, 2 * (n % 5)) for n in range(500)]
    for executed, recalled in ((5, 0), (0, 500)):
        with OutcomeCache(tmp_path) as cache, Executor(workers=2, cache=cache, share_identical=True) as executor:
            assert all(verdict.accepted for verdict in executor.check_many(checks))
            counted = executor.statistics()
            assert (counted.completed, counted.recalled, counted.shared) == (executed, recalled, 500 - executed - recalled)
