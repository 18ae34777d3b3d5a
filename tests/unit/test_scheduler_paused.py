"""A kind whose starts keep ending gets no worker for a while, and no place is kept for what waits for one: others go on."""

from collections.abc import Iterator
from typing import cast

import pytest

from reexec.engine.pool.job import Caller
from reexec.engine.pool.retry import Rerun
from reexec.engine.pool.scheduler import LATER_S, Scheduler
from reexec.engine.pool.worker import Worker
from tests.support.workers import ScriptedWorker, job_for

PLAIN, NUMPY = frozenset[str](), frozenset({"numpy"})


@pytest.fixture
def plain() -> Iterator[ScriptedWorker]:
    worker = ScriptedWorker(PLAIN)
    worker.hello()
    yield worker
    worker.close()


def paused(rerun: Rerun | None, also_plain: bool = True) -> Scheduler:
    """One place; a check with numpy that is to run again, or for the first time, and one without."""
    scheduler, caller = Scheduler(1), Caller()
    job = job_for(caller, NUMPY, 1)
    if rerun is None:
        scheduler.add(job, 0.0)
    else:
        scheduler.again(job, rerun, 0.0)
    if also_plain:
        scheduler.add(job_for(caller, PLAIN, 2), 0.0)
    scheduler.paused = frozenset({NUMPY})
    return scheduler


EVERY_WAY = pytest.mark.parametrize("rerun", [None, Rerun.ALONE, Rerun.FRESH, Rerun.LATER])
NOW = LATER_S + 1


@EVERY_WAY
def test_no_worker_of_it_is_asked_for(rerun: Rerun | None, plain: ScriptedWorker) -> None:
    scheduler = paused(rerun)
    scheduler.assign([], NOW)
    assert scheduler.wanted([]) == PLAIN
    scheduler = paused(rerun, also_plain=False)
    scheduler.assign([plain], NOW)
    assert scheduler.wanted([plain]) is None
    scheduler.paused = frozenset()
    scheduler.assign([plain], NOW)
    assert scheduler.wanted([plain]) == NUMPY


@EVERY_WAY
def test_a_free_worker_takes_the_checks_of_others(rerun: Rerun | None, plain: ScriptedWorker) -> None:
    scheduler = paused(rerun)
    scheduler.assign([cast(Worker, plain)], NOW)
    assert [job.key for job in plain.in_flight] == [PLAIN]


@EVERY_WAY
def test_a_busy_worker_is_given_more_checks_ahead(rerun: Rerun | None, plain: ScriptedWorker) -> None:
    scheduler, caller = paused(rerun), Caller()
    for number in range(3, 6):
        scheduler.add(job_for(caller, PLAIN, number), 0.0)
    scheduler.assign([cast(Worker, plain)], NOW)
    assert len(plain.in_flight) == 4


@pytest.mark.parametrize("rerun", [Rerun.ALONE, Rerun.FRESH, Rerun.LATER])
def test_what_must_run_alone_holds_others_back_where_it_is_not_paused(rerun: Rerun, plain: ScriptedWorker) -> None:
    scheduler = paused(rerun)
    scheduler.paused = frozenset()
    scheduler.assign([plain], NOW)
    assert not plain.in_flight
