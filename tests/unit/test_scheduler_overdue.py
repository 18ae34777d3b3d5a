"""A confirmation that is overdue holds everything else back, so a worker that can run it must be asked for."""

from reexec.engine.pool.job import Caller, Job
from reexec.engine.pool.retry import Rerun
from reexec.engine.pool.scheduler import LATER_S, Scheduler
from reexec.engine.pool.worker import Worker
from tests.support.workers import ScriptedWorker, job_for

MOST = 6
PLAIN, NUMPY = frozenset[str](), frozenset({"numpy"})


def close(worker: ScriptedWorker) -> None:
    worker.theirs.close()
    worker.launched.channel.close()


def up(kind: frozenset[str]) -> ScriptedWorker:
    worker = ScriptedWorker(kind)
    worker.hello()
    return worker


def test_overdue_confirmations_of_another_kind_do_not_stop_the_rest_for_ever() -> None:
    scheduler, caller = Scheduler(2), Caller()
    waiting = [job_for(caller, PLAIN, number) for number in range(10)]
    for job in waiting:
        scheduler.add(job, 0.0)
    for number in range(3):
        scheduler.again(job_for(caller, NUMPY, 100 + number), Rerun.LATER, 0.0)
    now = LATER_S + 1
    workers: list[ScriptedWorker] = [up(PLAIN) for _ in range(4)]
    given: list[Job] = []
    for _ in range(20):
        held: list[Worker] = [*workers]
        scheduler.assign(held, now)
        started: list[ScriptedWorker] = []
        while (kind := scheduler.wanted([*workers, *started])) is not None:
            started.append(ScriptedWorker(kind))
        for worker in started:
            worker.hello()
        workers += started
        while len(workers) > MOST:  # as the fleet does
            oldest = min((worker for worker in workers if not worker.in_flight), key=lambda worker: worker.idle_since)
            workers.remove(oldest)
            close(oldest)
        for worker in workers:
            while worker.in_flight:
                given.append(worker.answer())
    for worker in workers:
        close(worker)
    assert len(given) == 13
