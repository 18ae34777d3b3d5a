"""One kind of worker cannot start here: its checks are told so, and those of other kinds notice nothing."""

import os
import signal
import time
from itertools import pairwise

import pytest

from reexec import Executor, Program
from reexec.engine.jail.launch import setup_message
from reexec.engine.pool import starts
from reexec.engine.pool.fleet import Fleet
from tests.reliability.test_lying_workers import DOUBLE, POLICY

WAIT_S = 300
NUMPY = Program("import numpy\n\ndef f(n):\n    return int(numpy.int64(n))", "f")


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When workers with numpy were begun; each is killed at once."""
    start, begun = Fleet.start, list[float]()

    def start_and_kill(self: Fleet, key: frozenset[str]) -> object:
        error = start(self, key)
        if "numpy" in key and error is None:
            begun.append(time.monotonic())
            os.kill(self.workers[-1].launched.process.pid, signal.SIGKILL)
        return error

    monkeypatch.setattr(Fleet, "start", start_and_kill)
    monkeypatch.setattr(starts, "KILLED_STARTS_ALLOWED", 4)
    monkeypatch.setattr(starts, "KILLED_FOR_S", 2.0)
    return begun


@pytest.mark.parametrize("workers", [1, 2])
def test_a_kind_that_is_always_killed_ends_however_often_another_comes_up(begun: list[float], workers: int) -> None:
    with Executor(POLICY, workers=workers, isolation="nsjail") as executor:
        dead = executor.submit(NUMPY, [1], group="numpy")
        until, answered = time.monotonic() + WAIT_S, 0
        while not dead.done():
            assert time.monotonic() < until
            future = executor.submit(DOUBLE, [answered], group="plain")
            assert future.result(WAIT_S).value == 2 * answered
            answered += 1
            for pid in executor.worker_pids():  # the next check of the other kind needs a worker that comes up
                os.kill(pid, signal.SIGKILL)
        outcome = dead.result()
        assert outcome.kind == "engine-error"
        assert "killed from outside" in str(outcome.detail)
        assert answered > 2, "the other kind went on"
        pauses = [after - before for before, after in pairwise(begun)]
        assert all(pause >= starts.SHORTEST_PAUSE_S for pause in pauses[starts.STARTS_WITHOUT_PAUSE - 1 :]), pauses
        assert executor.submit(DOUBLE, [21]).result(WAIT_S).value == 42


def test_a_kind_that_fails_ends_its_own_checks_only(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = list[str]()
    start_failed = Fleet.start_failed

    def count(self: Fleet, kind: frozenset[str], from_outside: bool, log: str, reason: str) -> object:
        failed.append(reason)
        return start_failed(self, kind, from_outside, log, reason)

    def broken_for_numpy(policy: object, key: frozenset[str], terms: object) -> bytes:
        return b"no JSON" if "numpy" in key else setup_message(policy, key, terms)  # type: ignore[arg-type]

    monkeypatch.setattr(Fleet, "start_failed", count)
    monkeypatch.setattr("reexec.engine.pool.fleet.setup_message", broken_for_numpy)
    with Executor(POLICY, workers=1, isolation="nsjail") as executor:
        futures = [executor.submit(program, [n]) for n in range(6) for program in (NUMPY, DOUBLE)]
        outcomes = [future.result(WAIT_S) for future in futures]
        assert [outcome.kind for outcome in outcomes[::2]] == ["engine-error"] * 6
        assert [outcome.value for outcome in outcomes[1::2]] == [2 * n for n in range(6)]
        assert len(failed) <= starts.FAILED_STARTS_ALLOWED * 2, "room is made once for each place"
        before = len(failed)
        assert executor.submit(NUMPY, [1]).result(WAIT_S).kind == "engine-error"
        assert len(failed) == before + starts.FAILED_STARTS_ALLOWED, "nobody makes room for it again"
