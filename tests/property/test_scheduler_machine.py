"""The scheduler as a state machine over real workers whose zygotes are scripted: whatever happens in whatever order, no job is
lost, none is run by two workers at once, none is answered twice, none begins after it was cancelled, and callers take turns."""

from types import SimpleNamespace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from reexec.engine.pool import worker as worker_module
from reexec.engine.pool.answer import Answer
from reexec.engine.pool.job import Caller, Job
from reexec.engine.pool.retry import History, Rerun
from reexec.engine.pool.scheduler import Scheduler
from reexec.engine.pool.worker import LONG_S, MAX_IN_FLIGHT, State, Worker
from reexec.engine.protocol import frames
from tests.support.workers import ScriptedWorker, job_for

ACTIVE = 3
KINDS = [frozenset[str](), frozenset({"numpy"}), frozenset({"scipy"})]


class WatchedWorker(ScriptedWorker):
    machine: "PoolMachine"

    def give(self, job: Job) -> None:
        assert self.state in (State.IDLE, State.BUSY)
        assert not job.cancelled, "a job that nobody waits for begins"
        alone = self.machine.must_be_alone
        assert job not in alone or not self.in_flight, "a job that must be alone is not"
        assert alone.isdisjoint(self.in_flight), "a job travels with one that must be alone"
        ran_nothing = not self.in_flight and self.answered == 0
        assert ran_nothing or job not in self.machine.must_be_fresh, (
            "the worker of a job that saw one die has run something else"
        )
        assert self.key == job.key
        assert len(self.in_flight) < MAX_IN_FLIGHT
        if self.in_flight:
            assert self.machine.now() - self.head_since < LONG_S, "given behind a check that takes its time"
        self.machine.watch_turns(self, job)
        super().give(job)


class PoolMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.scheduler = Scheduler(ACTIVE)
        self.workers: list[Worker] = []
        self.callers = [Caller(), Caller(), Caller()]
        self.jobs: list[Job] = []
        self.answered: list[Job] = []
        self.passed_over: dict[Caller, int] = {}
        self.time_s = 1000.0
        self.clock = vars(worker_module)["time"]
        worker_module.__dict__["time"] = SimpleNamespace(monotonic=self.now)
        self.count = 0
        self.opened: list[WatchedWorker] = []
        self.must_be_alone: set[Job] = set()
        self.must_be_fresh: set[Job] = set()

    def now(self) -> float:
        return self.time_s

    def busy(self) -> list[WatchedWorker]:
        return [worker for worker in self.workers if isinstance(worker, WatchedWorker) and worker.in_flight]

    def watch_turns(self, worker: Worker, given: Job) -> None:
        """No caller with something for a kind of worker is passed over by that kind more often than there are others."""
        if given.alone:
            return
        self.passed_over[given.caller] = 0
        for caller in self.callers:
            queue = caller.queues.get(worker.key)
            if caller is not given.caller and queue is not None and queue.live:
                self.passed_over[caller] = self.passed_over.get(caller, 0) + 1
                assert self.passed_over[caller] < len(self.callers), "a caller does not get its turn"

    @rule(key=st.sampled_from(KINDS), count=st.integers(1, 6), number=st.integers(0, 2))
    def submit(self, key: frozenset[str], count: int, number: int) -> None:
        for _ in range(count):
            self.count += 1
            job = job_for(self.callers[number], key, self.count)
            self.jobs.append(job)
            self.scheduler.add(job, self.now())

    @rule(seconds=st.sampled_from([0.001, 0.03, 0.5, 2.0]))
    def time_passes(self, seconds: float) -> None:
        self.time_s += seconds

    @rule()
    def assign(self) -> None:
        self.scheduler.assign(self.workers, self.now())

    @rule(kinds=st.sets(st.sampled_from(KINDS)))
    def pause(self, kinds: set[frozenset[str]]) -> None:
        """Starts of these kinds keep ending, those of the others do not."""
        self.scheduler.paused = frozenset(kinds)

    @rule()
    def start_workers(self) -> None:
        for _ in range(10):
            key = self.scheduler.wanted(self.workers)
            if key is None:
                return
            assert key not in self.scheduler.paused
            worker = WatchedWorker(key)
            worker.machine = self
            self.workers.append(worker)
            self.opened.append(worker)
        raise AssertionError("it asks for workers without end")

    @rule()
    def hello(self) -> None:
        for worker in self.workers:
            if worker.state is State.STARTING:
                assert isinstance(worker, WatchedWorker)
                worker.hello()

    def finish(self, worker: WatchedWorker) -> Job:
        job = worker.answer(wall_us=int(self.count % 5 * 4000))
        job.answer = Answer("value")
        return job

    @precondition(lambda self: self.busy())
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        self.answered.append(self.finish(data.draw(st.sampled_from(self.busy()))))

    @precondition(lambda self: self.busy())
    @rule(data=st.data(), rerun=st.sampled_from([Rerun.ALONE, Rerun.LATER]))
    def run_again(self, data: st.DataObject, rerun: Rerun) -> None:
        job = self.finish(data.draw(st.sampled_from(self.busy())))
        if not job.cancelled:
            job.answer = None
            self.must_be_alone.add(job)
            self.scheduler.again(job, rerun, self.now())

    @precondition(lambda self: any(len(worker.in_flight) > 1 for worker in self.busy()))
    @rule(data=st.data())
    def hand_back(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from([worker for worker in self.busy() if len(worker.in_flight) > 1]))
        returned = worker.hand_back()
        assert len(worker.in_flight) == 1
        assert returned
        self.scheduler.put_back([job for job in returned if not job.cancelled])

    @precondition(lambda self: self.workers)
    @rule(data=st.data(), retired=st.booleans())
    def die(self, data: st.DataObject, retired: bool) -> None:
        worker = data.draw(st.sampled_from(self.workers))
        self.workers.remove(worker)
        jobs = [job for job in worker.in_flight if not job.cancelled]
        heads = [] if retired else [job for job in list(worker.in_flight)[:1] if not job.cancelled]
        for job in worker.in_flight:
            job.worker = None
        worker.in_flight.clear()
        worker.state = State.DEAD
        self.scheduler.put_back([job for job in jobs if job not in heads])
        for head in heads:
            head.history = head.history or History()
            head.history.deaths += 1
            self.must_be_alone.add(head)
            self.must_be_fresh.add(head)
            self.scheduler.again(head, Rerun.FRESH, self.now())

    @precondition(lambda self: self.busy())
    @rule(data=st.data())
    def drain_one(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.busy())).say(frames.Retires(b""))

    @precondition(lambda self: self.unfinished())
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """As the loop does it."""
        job = data.draw(st.sampled_from(self.unfinished()))
        job.cancelled = True
        if job.worker is None:
            self.scheduler.cancel(job)

    def unfinished(self) -> list[Job]:
        return [job for job in self.jobs if job.answer is None and not job.cancelled]

    @invariant()
    def no_job_is_lost_or_doubled(self) -> None:
        flying = [job for worker in self.workers for job in worker.in_flight]
        assert len(flying) == len(set(flying)), "a job is with two workers"
        assert len(self.answered) == len(set(self.answered)), "a job was answered twice"
        waiting = [job for job in self.unfinished() if job not in flying]
        assert len(self.scheduler) == len(waiting), "a job is lost, or one that nobody waits for still counts"

    @invariant()
    def no_more_workers_are_busy_than_allowed(self) -> None:
        assert len(self.busy()) <= ACTIVE

    def teardown(self) -> None:
        try:
            self.finish_everything()
        finally:
            worker_module.__dict__["time"] = self.clock
            for worker in self.opened:
                worker.close()

    def finish_everything(self) -> None:
        """From every state the pool can finish everything: what may not start holds nobody else up, and then may again."""
        self.finish_what_is_not(self.scheduler.paused)
        self.scheduler.paused = frozenset()
        self.finish_what_is_not(frozenset())
        assert len(self.answered) == len(set(self.answered))

    def finish_what_is_not(self, paused: frozenset[frozenset[str]]) -> None:
        for _ in range(20 + 4 * len(self.jobs)):
            self.start_workers()
            self.hello()
            self.time_passes(0.01)
            self.assign()
            for worker in list(self.workers):
                assert isinstance(worker, WatchedWorker)
                draining = worker.state is State.DRAINING
                while worker.in_flight:
                    self.answered.append(self.finish(worker))
                if draining:
                    self.workers.remove(worker)
            idle = [worker for worker in self.workers if worker.state is State.IDLE]
            if len(self.workers) >= 3 * ACTIVE and idle:
                self.workers.remove(min(idle, key=lambda worker: worker.idle_since))
        assert all(job.key in paused for job in self.unfinished()), "jobs that never run"


TestPoolMachine = PoolMachine.TestCase
TestPoolMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
