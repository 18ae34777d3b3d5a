"""Checks that share forks, as their callers see them: the same verdicts and bytes, honest counts, and nothing lost."""

import contextlib
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reexec import Check, DeadlineExceededError, Executor, Program, load_policy
from tests.support.helpers import SMALL, function_row, read_rows, reexec, response, write_rows

DOUBLE = Program("def f(n):\n    return 2 * n", "f")
MIXED = Program("def f(n):\n    if n % 7 == 1:\n        raise ValueError(n)\n    return 2 * n if n % 5 else [n, {'a': n}]", "f")


def executor_of(execution: str, workers: int = 2, *settings: str) -> Executor:
    return Executor(load_policy("codeio", settings=[f"execution={execution}", "limits.cpu_s=1", *settings]), workers=workers)


@pytest.fixture(scope="module")
def batch() -> Iterator[Executor]:
    with executor_of("batch") as executor:
        yield executor


def checks(count: int = 300) -> list[Check]:
    """Right and wrong values and exceptions of two programs, in turn."""
    return [Check((DOUBLE, MIXED)[n % 2], [n], 2 * n + (n % 11 == 0), id=n) for n in range(count)]


def plain(verdicts: Any) -> list[Any]:
    return [(one.id, one.word, one.outcome.kind, one.outcome.value, one.outcome.exception) for one in verdicts]


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("execution", ["auto", "batch"])
def test_verdicts_are_those_of_single_calls(execution: str, ordered: bool) -> None:
    with executor_of("call") as single, executor_of(execution) as many:
        wanted = plain(single.check_many(checks()))
        found = plain(many.check_many(checks(), ordered=ordered))
        assert single.statistics().units == 0
        counts = many.statistics()
    assert (found if ordered else sorted(found, key=lambda one: one[0])) == wanted
    assert counts.units >= 2
    assert counts.unit_confirmations >= 2
    assert counts.unit_disagreements == 0
    assert counts.submitted == counts.completed == 300


def test_runs_are_counted_and_use_is_told(batch: Executor) -> None:
    verdicts = list(batch.check_many([Check(DOUBLE, [n], 2 * n + (n == 3)) for n in range(40)]))
    outcomes = [verdict.outcome for verdict in verdicts if verdict.outcome is not None]
    assert outcomes[3].attempts == 2, "once in the unit and once alone"
    assert 2 <= sum(outcome.attempts == 2 for outcome in outcomes) <= 10, "that one, and those that were confirmed"
    assert all(outcome.attempts in (1, 2) for outcome in outcomes)
    assert all(0 < outcome.usage.cpu_s < 0.5 for outcome in outcomes)


def test_a_rule_of_ones_own_decides_what_is_accepted(batch: Executor) -> None:
    half = Program("def f(n):\n    return n + 0.0000000001", "f")
    close = [Check(half, [n], n) for n in range(1, 21)]
    exact = [Check(half, [n], n, rule="exact") for n in range(1, 21)]
    assert Counter(verdict.word for verdict in batch.check_many(close)) == {"accepted": 20}
    assert Counter(verdict.word for verdict in batch.check_many(exact)) == {"wrong-answer": 20}


def test_nobody_who_is_not_asked_shares(batch: Executor) -> None:
    before = batch.statistics().units
    assert [outcome.value for outcome in batch.map(DOUBLE, [[n] for n in range(30)])] == [2 * n for n in range(30)]
    assert [outcome.value for outcome, _ in batch.run_many((DOUBLE, [n], n) for n in range(30)) if outcome] == [
        2 * n for n in range(30)
    ]
    assert batch.submit(DOUBLE, [4]).result().value == 8
    assert batch.statistics().units == before


def test_run_many_shares_where_it_is_told_what_is_accepted(batch: Executor) -> None:
    before = batch.statistics().units
    found = list(
        batch.run_many(((DOUBLE, [n], n) for n in range(30)), accepted_where=lambda outcome, n: outcome.value == 2 * n)
    )
    assert [outcome.value for outcome, _ in found if outcome] == [2 * n for n in range(30)]
    assert batch.statistics().units > before


def test_a_worker_that_is_killed_under_a_unit_costs_no_verdict() -> None:
    slow = Program("def f(n):\n    for _ in range(100_000):\n        pass\n    return n", "f")
    with executor_of("batch", 1) as executor:
        done = threading.Event()

        def kill() -> None:
            while not done.wait(0.3):
                for pid in executor.worker_pids():
                    with contextlib.suppress(ProcessLookupError):  # it may retire just then
                        os.kill(pid, signal.SIGKILL)
                    return

        killer = threading.Thread(target=kill)
        killer.start()
        words = Counter(verdict.word for verdict in executor.check_many(Check(slow, [n], n) for n in range(400)))
        done.set()
        killer.join()
        counts = executor.statistics()
    assert words == {"accepted": 400}
    assert counts.unit_disagreements == 0


def test_a_deadline_and_a_closed_iterator_end_units(batch: Executor) -> None:
    loop = Program("def f(n):\n    while n:\n        pass\n    return n", "f")
    before = batch.statistics()
    with pytest.raises(DeadlineExceededError):
        list(batch.check_many([Check(loop, [1], 1)] * 60, timeout=0.5))
    began = time.monotonic()
    assert all(verdict.accepted for verdict in batch.check_many([Check(DOUBLE, [n], 2 * n) for n in range(20)]))
    assert time.monotonic() - began < 10
    until = time.monotonic() + 20
    while (after := batch.statistics()).submitted != after.completed + after.cancelled:
        assert time.monotonic() < until, after
        time.sleep(0.01)
    assert after.cancelled - before.cancelled <= 60


SOURCES = (
    "def f(n):\n    return n * n",
    "def f(n):\n    return [n, str(n)] if n != 5 else 1 // 0",
    "import math\ndef f(n):\n    while n == 9:\n        pass\n    return math.sqrt(n)",
    "import os\ndef f(n):\n    os.seen = getattr(os, 'seen', 0) + 1\n    return os.seen + n",
)


def test_verdict_files_are_the_same_bytes_however_checks_are_executed(tmp_path: Path) -> None:
    def output(index: int, n: int) -> Any:
        return (n * n, [n, str(n)], n**0.5, n + 1)[index]

    functions = write_rows(
        tmp_path / "functions.jsonl",
        [function_row(source, *[({"n": n}, output(index, n)) for n in range(12)]) for index, source in enumerate(SOURCES)],
    )
    rows = [
        response(item, pair, {"n": pair + (pair + item) % 5 // 4}, "i") for pair in range(12) for item in range(len(SOURCES))
    ]
    responses = write_rows(tmp_path / "responses.jsonl", rows)
    written = {}
    for name, execution in (("call", "call"), ("auto", "auto"), ("batch", "batch"), ("environment", "")):
        out = tmp_path / f"{name}.jsonl"
        settings = ("--set", f"execution={execution}") if execution else ()
        extra = {} if execution else {"REEXEC_POLICY": f"execution=batch {os.environ.get('REEXEC_POLICY', '')}"}
        done = reexec("verify", responses, "-f", functions, "-o", out, *SMALL, *settings, env=extra)
        assert done.code == 0, done.err
        written[name] = out.read_bytes()
    assert {row["verdict"] for row in read_rows(tmp_path / "call.jsonl")} >= {"accepted", "wrong-answer", "runtime-error"}
    assert len(set(written.values())) == 1
