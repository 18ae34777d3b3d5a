"""Callers take turns: a check beside another caller's bulk waits for about one slot, whatever the bulk is."""

import threading
import time
from collections.abc import Iterator

import pytest

from reexec import Check, Executor, Program, Verdict, load_policy
from reexec.engine.pool import scheduler
from tests.support.helpers import wait_until

POLICY = load_policy("codeio", settings=["limits.cpu_s=5", "limits.idle_s=60"])
DOUBLE = Program("def f(n):\n    return 2 * n", "f")
NUMPY = Program("import numpy as np\ndef f(n):\n    return int(np.int64(n) * 2)", "f")
NAP = Program("import time\ndef f(s):\n    time.sleep(s)\n    return s", "f")
MIXED = Program("import time\ndef f(n):\n    if n % 30 == 29:\n        time.sleep(50)\n    return n", "f")
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
        before = []
        for _ in range(3):
            done = len(bulk.done)
            assert executor.check(program, [3], 6).accepted
            before.append(len(bulk.done) - done)
    finally:
        bulk.close()
    assert sorted(before)[1] < 40, f"so many of the bulk's came before it: {before}"  # without turns: 300


def test_the_bulk_goes_on_beside_many_small_calls(executor: Executor) -> None:
    bulk = Bulk(executor, [Check(NAP, [0.01], 0.01)] * 400)
    try:
        before, until = len(bulk.done), time.monotonic() + 60
        while len(bulk.done) < before + 3:
            assert executor.check(DOUBLE, [3], 6).accepted
            assert time.monotonic() < until, "it stands still"
    finally:
        bulk.close()


def test_what_is_behind_a_check_that_takes_its_time_goes_elsewhere(executor: Executor) -> None:
    """Nearly all checks of this bulk are short, so many are handed out ahead; those behind a long one must not wait for it."""
    verdicts = executor.check_many((Check(MIXED, [n], n, id=n) for n in range(59)), ordered=False)
    first = {next(verdicts).id for _ in range(57)}
    verdicts.close()  # type: ignore[attr-defined]
    assert 29 not in first, "a short check came after the long one before it"


def test_streams_share_the_workers_evenly(executor: Executor) -> None:
    bulks = [Bulk(executor, [Check(NAP, [0.02], 0.02)] * 500) for _ in range(3)]
    wait_until(lambda: sum(len(bulk.done) for bulk in bulks) >= 150, 120)
    done = [len(bulk.done) for bulk in bulks]
    for bulk in bulks:
        bulk.close()
    assert min(done) > 0
    assert max(done) < 4 * min(done) + 64, done


def test_groups_of_submitted_calls_get_turns_as_streams_do(executor: Executor) -> None:
    bulk = [executor.submit(NAP, [SLOT_S], group="bulk") for _ in range(100)]
    assert executor.submit(DOUBLE, [4], group="small").result().value == 8
    unfinished = sum(not future.done() for future in bulk)
    for future in bulk:
        future.cancel()
    assert unfinished > 50, "it came behind the bulk"


def test_a_confirmation_runs_behind_other_work_and_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "LATER_S", 600.0)  # however long the other work takes here
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
