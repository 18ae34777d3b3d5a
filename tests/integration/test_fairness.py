"""Callers take turns: a check beside another caller's bulk waits for about one slot, whatever the bulk is."""

import threading
import time
from collections.abc import Iterator

import pytest

from reexec import Check, Executor, Program, Verdict, load_policy

POLICY = load_policy("codeio", settings=["limits.cpu_s=5", "limits.idle_s=5"])
DOUBLE = Program("def f(n):\n    return 2 * n", "f")
NUMPY = Program("import numpy as np\ndef f(n):\n    return int(np.int64(n) * 2)", "f")
NAP = Program("import time\ndef f(s):\n    time.sleep(s)\n    return s", "f")
MIXED = Program("import time\ndef f(n):\n    if n % 30 == 29:\n        time.sleep(1.5)\n    return n", "f")
SLOT_S = 0.2


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor(POLICY, workers=2) as executor:
        assert executor.check(DOUBLE, [1], 2).accepted
        assert executor.check(NUMPY, [1], 2).accepted
        yield executor


class Bulk:
    """Another caller's stream, in a thread of its own."""

    def __init__(self, executor: Executor, checks: list[Check]) -> None:
        self._verdicts = executor.check_many(checks)
        self._stop = threading.Event()
        self.done: list[Verdict] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        for verdict in self._verdicts:
            self.done.append(verdict)
            if self._stop.is_set():
                break
        self._verdicts.close()  # type: ignore[attr-defined]

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


@pytest.mark.parametrize("program", [DOUBLE, NUMPY], ids=["same-kind", "other-kind"])
def test_a_check_beside_a_bulk_of_slow_ones_waits_for_about_one_slot(executor: Executor, program: Program) -> None:
    bulk = Bulk(executor, [Check(NAP, [SLOT_S], SLOT_S)] * 300)
    try:
        while not bulk.done:
            time.sleep(0.01)
        waits = []
        for _ in range(3):
            began = time.monotonic()
            assert executor.check(program, [3], 6).accepted
            waits.append(time.monotonic() - began)
        done = len(bulk.done)
    finally:
        bulk.close()
    assert sorted(waits)[1] < 5 * SLOT_S, f"waited {waits}"  # without turns: 300 slots
    assert done < 100


def test_the_bulk_goes_on_beside_many_small_calls(executor: Executor) -> None:
    bulk = Bulk(executor, [Check(NAP, [0.01], 0.01)] * 400)
    try:
        before = len(bulk.done)
        began = time.monotonic()
        while time.monotonic() - began < 1.0:
            assert executor.check(DOUBLE, [3], 6).accepted
        assert len(bulk.done) > before
    finally:
        bulk.close()


def test_what_is_behind_a_check_that_takes_its_time_goes_elsewhere(executor: Executor) -> None:
    """Nearly all checks of this bulk are short, so many are handed out ahead; those behind a long one must not wait for it."""
    began = time.monotonic()
    verdicts = list(executor.check_many((Check(MIXED, [n], n, id=n) for n in range(59)), ordered=False))
    late = [verdict.id for verdict in verdicts[-2:]]
    assert time.monotonic() - began < 12
    assert 29 in late, "a short check came after the long one before it"


def test_streams_share_the_workers_evenly(executor: Executor) -> None:
    bulks = [Bulk(executor, [Check(NAP, [0.02], 0.02)] * 500) for _ in range(3)]
    time.sleep(2.0)
    done = [len(bulk.done) for bulk in bulks]
    for bulk in bulks:
        bulk.close()
    assert min(done) > 0
    assert max(done) < 4 * min(done) + 64, done


def test_groups_of_submitted_calls_get_turns_as_streams_do(executor: Executor) -> None:
    bulk = [executor.submit(NAP, [SLOT_S], group="bulk") for _ in range(100)]
    began = time.monotonic()
    assert executor.submit(DOUBLE, [4], group="small").result().value == 8
    waited = time.monotonic() - began
    unfinished = sum(not future.done() for future in bulk)
    for future in bulk:
        future.cancel()
    assert unfinished > 80
    assert waited < 6 * SLOT_S


def test_a_confirmation_runs_behind_other_work_and_alone() -> None:
    source = (
        "import time\ndef f(s):\n    began = time.process_time()\n    while time.process_time() - began < s:\n"
        "        pass\n    return s"
    )
    burn = Program(source, "f")
    policy = load_policy("codeio", settings=["limits.cpu_s=0.2"])
    with Executor(policy, workers=1) as executor:
        in_doubt = executor.submit(burn, [0.202])
        others = [executor.submit(DOUBLE, [n]) for n in range(20)]
        outcome = in_doubt.result()
        assert all(future.done() for future in others)
        assert (outcome.kind, outcome.attempts) == ("cpu-limit", 2)
        assert [future.result().value for future in others] == [2 * n for n in range(20)]


def test_far_more_workers_than_processors_are_not_started() -> None:
    import os

    from reexec.engine.executor import MOST_WORKERS_PER_PROCESSOR, TooManyWorkersWarning

    most = MOST_WORKERS_PER_PROCESSOR * len(os.sched_getaffinity(0))
    with pytest.warns(TooManyWorkersWarning, match=f"{most} are used"):
        executor = Executor(POLICY, workers=10 * most)
    with executor:
        assert executor.workers == most
        assert executor.check(DOUBLE, [1], 2).accepted
