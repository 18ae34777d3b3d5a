"""The scheduler as a state machine over fake workers: whatever happens in whatever order, no job is lost, none is run by
two workers at once, none is answered twice."""

from typing import Any, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from reexec.engine.outcome import Outcome
from reexec.engine.pool.job import Job
from reexec.engine.pool.scheduler import Scheduler
from reexec.engine.pool.worker import State, Worker
from reexec.engine.program import Program

ACTIVE = 3
KEYS = [frozenset[str](), frozenset({"numpy"}), frozenset({"scipy"})]
PROGRAM = Program("def f():\n    return 1", "f")


class FakeWorker:
    """What the scheduler sees of a worker, and nothing behind it."""

    def __init__(self, key: frozenset[str], clock: int) -> None:
        self.key = key
        self.state = State.STARTING
        self.fresh = True
        self.idle_since = float(clock)
        self.jobs: list[Job] = []

    def room(self) -> bool:
        if self.state is State.IDLE:
            return True
        return self.state is State.BUSY and len(self.jobs) < 4 and not self.jobs[0].alone

    def give(self, job: Job) -> None:
        assert self.state in (State.IDLE, State.BUSY)
        assert not job.alone or not self.jobs, "a job that must be alone is not"
        assert self.fresh or not job.needs_fresh_worker, "the worker of a job that saw one die has run something else"
        self.fresh = False
        self.state = State.BUSY
        self.jobs.append(job)


class PoolMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.scheduler = Scheduler(ACTIVE)
        self.workers: list[FakeWorker] = []
        self.answered: list[int] = []
        self.submitted: dict[int, Job] = {}
        self.clock = 0

    def busy(self) -> list[FakeWorker]:
        return [worker for worker in self.workers if worker.jobs]

    @rule(key=st.sampled_from(KEYS), count=st.integers(1, 6))
    def submit(self, key: frozenset[str], count: int) -> None:
        for _ in range(count):
            self.clock += 1
            job = Job(PROGRAM, b"", 0, lambda done: self.answered.append(done.sequence))
            job.key, job.sequence = key, self.clock
            self.submitted[job.sequence] = job
            self.scheduler.add(job)

    @rule()
    def assign(self) -> None:
        self.scheduler.assign(cast(list[Worker], self.workers))

    @rule()
    def start_workers(self) -> None:
        for _ in range(10):
            key = self.scheduler.wanted(cast(list[Worker], self.workers))
            if key is None:
                return
            self.clock += 1
            self.workers.append(FakeWorker(key, self.clock))
        raise AssertionError("it asks for workers without end")

    @rule()
    def hello(self) -> None:
        for worker in self.workers:
            if worker.state is State.STARTING:
                worker.state = State.IDLE

    @precondition(lambda self: self.busy())
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from(self.busy()))
        worker.jobs.pop(0).finish(Outcome("value"))
        if not worker.jobs and worker.state is State.BUSY:
            self.clock += 1
            worker.state, worker.idle_since = State.IDLE, float(self.clock)

    @precondition(lambda self: self.busy())
    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from(self.busy()))
        job = worker.jobs.pop(0)
        if not worker.jobs and worker.state is State.BUSY:
            self.clock += 1
            worker.state, worker.idle_since = State.IDLE, float(self.clock)
        job.alone = True
        self.scheduler.put_back([job])

    @precondition(lambda self: self.workers)
    @rule(data=st.data(), retired=st.booleans())
    def die(self, data: st.DataObject, retired: bool) -> None:
        worker = data.draw(st.sampled_from(self.workers))
        self.workers.remove(worker)
        jobs, worker.jobs, worker.state = worker.jobs, [], State.DEAD
        if jobs and not retired:
            head, *jobs = jobs
            self.scheduler.put_back(jobs)
            head.alone, head.deaths = True, head.deaths + 1
            self.scheduler.put_back([head])
        else:
            self.scheduler.put_back(jobs)

    @precondition(lambda self: self.busy())
    @rule(data=st.data())
    def drain_one(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.busy())).state = State.DRAINING

    @precondition(lambda self: self.submitted)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.submitted[data.draw(st.sampled_from(sorted(self.submitted)))].cancelled = True

    @invariant()
    def no_job_is_lost_or_doubled(self) -> None:
        flying = [job.sequence for worker in self.workers for job in worker.jobs]
        seen = flying + self.answered
        assert len(seen) == len(set(seen)), "a job is with two workers, or was answered twice"
        unseen = {number: job for number, job in self.submitted.items() if number not in set(seen)}
        needed = [number for number, job in unseen.items() if not job.cancelled]
        assert len(self.scheduler) >= len(needed), "a job is lost"

    @invariant()
    def no_more_workers_are_busy_than_allowed(self) -> None:
        assert len(self.busy()) <= ACTIVE

    def teardown(self) -> None:
        """From every state the pool can finish everything."""
        for _ in range(20 + 4 * len(self.submitted)):
            self.start_workers()
            self.hello()
            self.assign()
            for worker in list(self.workers):
                while worker.jobs:
                    worker.jobs.pop(0).finish(Outcome("value"))
                if worker.state is State.BUSY:
                    worker.state = State.IDLE
                elif worker.state is State.DRAINING:
                    self.workers.remove(worker)
            idle = [worker for worker in self.workers if worker.state is State.IDLE]
            if len(self.workers) >= 3 * ACTIVE and idle:
                self.workers.remove(min(idle, key=lambda worker: worker.idle_since))
        left = [number for number, job in self.submitted.items() if not job.cancelled and number not in self.answered]
        assert not left, "jobs that never run"
        assert len(self.answered) == len(set(self.answered))


TestPoolMachine = PoolMachine.TestCase
TestPoolMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_jobs_put_back_keep_their_place() -> None:
    scheduler = Scheduler(1)
    jobs: list[Any] = []
    for number in range(5):
        job = Job(PROGRAM, b"", 0, lambda done: None)
        job.sequence = number
        jobs.append(job)
    for job in jobs[2:]:
        scheduler.add(job)
    scheduler.put_back(jobs[:2])
    assert [job.sequence for job in scheduler.drain()] == [0, 1, 2, 3, 4]
    assert len(scheduler) == 0
