"""The I/O thread fails, wherever it is: every call is answered, and the numbers add up."""

import contextlib
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import pytest

from reexec import Executor, Outcome, Program, ReexecError
from reexec.engine.pool.fleet import Fleet
from reexec.engine.pool.future import OutcomeFuture
from reexec.engine.pool.job import Job
from reexec.engine.pool.preload import Preload
from reexec.engine.pool.retry import History
from reexec.engine.pool.scheduler import Scheduler
from reexec.engine.pool.worker import Worker
from tests.reliability.test_lying_workers import POLICY

WAIT_S = 60
CALLS = 40
ENDS_ITSELF = Program("import os\n\ndef f(n):\n    if n == 3:\n        os.kill(os.getpid(), 9)\n    return n", "f")
"""One call of it runs again, alone, three times."""
WAITS = Program("import time\n\ndef f(n):\n    time.sleep(0.1)\n    return n", "f")


def of_its_own(n: int) -> Program:
    """Neighbours of one program are looked up together."""
    return Program(f"{ENDS_ITSELF.source}\n# {n}\n", "f")


def fail_once(owner: type, name: str, passes: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A method raises at the call after so many; how often it was called."""
    run, runs = getattr(owner, name), [0]

    def fails_once(*arguments: Any, **named: Any) -> Any:
        runs[0] += 1
        if runs[0] == passes + 1:
            raise RuntimeError("out of order")
        return run(*arguments, **named)

    monkeypatch.setattr(owner, name, fails_once)
    return runs


def test_every_call_is_answered_where_the_end_fails_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where memory is what has run out: no job can be told the first time, nor can workers be ended."""
    deliver, tried = OutcomeFuture.deliver, set[int]()

    def no_memory_yet(self: OutcomeFuture, job: Job) -> None:
        if id(self) not in tried and threading.get_ident() == self._callbacks.io_thread:
            tried.add(id(self))
            raise MemoryError
        deliver(self, job)

    end_all = Fleet.end_all

    def ends_and_fails(self: Fleet) -> None:
        end_all(self)
        raise MemoryError

    monkeypatch.setattr(OutcomeFuture, "deliver", no_memory_yet)
    monkeypatch.setattr(Fleet, "end_all", ends_and_fails)
    with Executor(POLICY, workers=1, isolation="none") as executor:
        runs = fail_once(Worker, "give", 0, monkeypatch)
        futures = list[Future[Outcome]]()
        with contextlib.suppress(ReexecError):
            for n in range(CALLS):
                futures.append(executor.submit(ENDS_ITSELF, [n]))
        all_are_answered(executor, futures)
        assert runs[0]


def all_are_answered(executor: Executor, futures: Sequence[Future[Outcome]]) -> None:
    outcomes = [future.result(WAIT_S) for future in futures]
    ended = [outcome for outcome in outcomes if outcome.kind == "engine-error"]
    assert ended
    assert all("out of order" in str(outcome.detail) for outcome in ended)
    executor.shutdown()
    statistics = executor.statistics()
    assert statistics.submitted == len(futures) == statistics.completed + statistics.cancelled


@pytest.mark.parametrize(
    ("owner", "name", "passes"),
    [
        (Preload, "learn", 1),
        (Preload, "of", CALLS // 2),
        (Scheduler, "add", CALLS // 2),
        (Scheduler, "assign", 1),
        (Scheduler, "again", 0),
        (Worker, "give", 2),
        (Worker, "flush", 2),
        (Worker, "receive", 2),
        (History, "answered", 0),
        (OutcomeFuture, "deliver", 2),
    ],
    ids=lambda part: getattr(part, "__name__", str(part)),
)
def test_every_call_is_answered_where_the_thread_fails(
    owner: type, name: str, passes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Executor(POLICY, workers=2, isolation="none") as executor:
        runs = fail_once(owner, name, passes, monkeypatch)
        futures: list[Future[Outcome]] = []
        with contextlib.suppress(ReexecError):  # told at once that it has ended
            for n in range(CALLS):
                futures.append(executor.submit(of_its_own(n) if owner is Preload else ENDS_ITSELF, [n]))
        all_are_answered(executor, futures)
        assert runs[0] > passes


@pytest.mark.parametrize(
    ("owner", "name"),
    [(Fleet, "end"), (Fleet, "memory_ran_out"), (History, "died"), (Scheduler, "put_back"), (Scheduler, "again")],
)
def test_every_call_is_answered_where_a_worker_cannot_be_buried(
    owner: type, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check that it ran, and those sent behind it, are with neither worker nor queue in this moment."""
    with Executor(POLICY, workers=1, isolation="nsjail") as executor:
        runs = fail_once(owner, name, 0, monkeypatch)
        futures = [executor.submit(WAITS, [n]) for n in range(CALLS)]
        futures[0].result(WAIT_S)
        os.kill(executor.worker_pids()[0], signal.SIGKILL)
        all_are_answered(executor, futures)
        assert runs[0]
