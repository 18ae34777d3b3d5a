"""Answers wait for each other while every worker has enough to do, and only where nobody else waits for anything."""

from collections.abc import Callable, Iterator

import pytest

from reexec.engine.pool.job import WINDOW_BYTES, Caller
from reexec.engine.pool.scheduler import Scheduler
from reexec.engine.pool.worker import State, ahead_of
from tests.support.workers import ScriptedWorker, job_for

NUMPY = frozenset({"numpy"})
Make = Callable[[], ScriptedWorker]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[ScriptedWorker] = []

    def one() -> ScriptedWorker:
        worker = ScriptedWorker()
        worker.hello()
        made.append(worker)
        return worker

    yield one
    for worker in made:
        worker.close()


def waiting(*callers: Caller) -> Scheduler:
    scheduler = Scheduler(2)
    for caller in callers:
        scheduler.add(job_for(caller), 0.0)
    return scheduler


def test_one_stream_that_waits_alone_need_not_wake_the_thread() -> None:
    stream = Caller(WINDOW_BYTES)
    assert waiting(stream).only_caller() is stream


def test_somebody_else_is_heard_at_once() -> None:
    stream, other = Caller(WINDOW_BYTES), Caller(WINDOW_BYTES)
    assert waiting().only_caller() is None
    assert waiting(stream, other).only_caller() is None
    assert waiting(Caller()).only_caller() is None, "futures are waited for one by one"
    two_kinds = waiting(stream)
    two_kinds.add(job_for(stream, NUMPY), 0.0)
    assert two_kinds.only_caller() is None


def test_a_stream_that_holds_as_much_as_it_may_is_heard_at_once() -> None:
    stream = Caller(WINDOW_BYTES)
    scheduler = waiting(stream)
    stream.delivered_bytes = WINDOW_BYTES
    assert scheduler.only_caller() is None


def test_workers_have_enough_to_do_for_as_long_as_the_one_with_the_least(make: Make) -> None:
    caller = Caller(WINDOW_BYTES)
    workers = [make(), make()]
    for worker, count in zip(workers, (3, 5), strict=True):
        for _ in range(count):
            worker.give(job_for(caller))
        worker.mean_s = 0.004
    assert ahead_of(workers, 2) == pytest.approx(0.012)
    assert ahead_of(workers, 3) == 0, "one more may be started"


@pytest.mark.parametrize("state", [State.STARTING, State.DRAINING, State.DEAD])
def test_a_worker_that_comes_or_goes_is_looked_at_at_once(make: Make, state: State) -> None:
    busy, other = make(), make()
    busy.give(job_for(Caller(WINDOW_BYTES)))
    assert ahead_of([busy, other], 1) > 0, "one of another kind stands idle"
    other.state = state
    assert ahead_of([busy, other], 1) == 0
