"""Which worker gets which job: pure bookkeeping, no I/O, and time only as it is told.

Callers take turns. Each has a queue per kind of worker (the modules that its programs want imported); a worker takes from the
next caller that has something for it. At most `active` workers have checks in flight at a time; idle workers of other kinds are
kept for when their programs come back. Idle workers are reused last-in first-out: the one used last has its memory in the
processor's caches, and those that nobody needs stay idle until they are retired.

A job may come to stand for many checks of one program in one fork; nothing here would change: it is handed out as one.
"""

from collections import deque
from collections.abc import Iterable, Iterator

from .job import Caller, Job, Queue
from .retry import Rerun
from .worker import State, Worker

YIELD_S = 0.05
"""A kind of worker yields its place to another kind whose caller has waited for longer, and for more than this."""
FAIRNESS = 2048
"""Within one caller: a kind yields to another one whose next job is older by this many."""
LATER_S = 1.0
"""A confirmation waits for other work no longer than this."""

Kind = frozenset[str]


class Scheduler:
    def __init__(self, active: int) -> None:
        self.active = active
        self.paused: frozenset[Kind] = frozenset()
        """Kinds of which no worker is started now, because their starts keep ending: no place is kept for their jobs."""
        self._callers: deque[Caller] = deque()
        """Those that have something queued; the next one to be served is first."""
        self._waiting: dict[Kind, int] = {}
        self._alone: deque[Job] = deque()
        """To run again at once."""
        self._later: deque[Job] = deque()
        """To run again behind other work."""
        self._yielding: frozenset[Kind] = frozenset()
        self._now = 0.0

    def __len__(self) -> int:
        return len(self._alone) + len(self._later) + sum(self._waiting.values())

    # -- in and out -------------------------------------------------------------------------------------------

    def add(self, job: Job, now: float) -> None:
        job.since = now
        queue = job.caller.queues.get(job.key) or self._queue_of(job)
        queue.jobs.append(job)
        queue.live += 1
        self._waiting[job.key] = self._waiting.get(job.key, 0) + 1

    def put_back(self, jobs: Iterable[Job]) -> None:
        """Jobs that a worker had and did not begin: they keep their place."""
        for job in reversed(list(jobs)):
            if job.alone:
                self._alone.appendleft(job)
            else:
                queue = self._queue_of(job)
                queue.jobs.appendleft(job)
                queue.live += 1
                self._waiting[job.key] = self._waiting.get(job.key, 0) + 1

    def again(self, job: Job, rerun: Rerun, now: float) -> None:
        """A job that is to run once more, as `retry` ruled."""
        job.alone = True
        job.since = now
        (self._later if rerun is Rerun.LATER else self._alone).append(job)

    def cancel(self, job: Job) -> None:
        """Takes out a job that waits here; the caller has marked it."""
        if job.alone:
            (self._alone if job in self._alone else self._later).remove(job)
            return
        queue = job.caller.queues[job.key]
        queue.forget_one()
        self._gone(job.caller, job.key, queue)
        if not job.caller.queues:
            self._callers.remove(job.caller)

    def only_caller(self) -> Caller | None:
        """The stream whose checks wait here, where only one's do, all of one kind, and it may have more answers."""
        if len(self._callers) != 1 or len(self._waiting) != 1 or self._alone or self._later:
            return None
        caller = self._callers[0]
        return None if caller.limit_bytes is None or caller.gated or caller.is_full() else caller

    def drain(self, kind: Kind) -> list[Job]:
        """Takes out all jobs that wait for workers of this kind."""
        jobs: list[Job] = []
        for held in (self._alone, self._later):
            jobs += [job for job in held if job.key == kind]
            others = [job for job in held if job.key != kind]
            held.clear()
            held.extend(others)
        for caller in self._callers:
            queue = caller.queues.pop(kind, None)
            jobs += [job for job in queue.jobs if not job.cancelled] if queue is not None else []
        self._callers = deque(caller for caller in self._callers if caller.queues)
        self._waiting.pop(kind, None)
        return jobs

    def _queue_of(self, job: Job) -> Queue:
        caller = job.caller
        queue = caller.queues.get(job.key)
        if queue is None:
            if not caller.queues:
                self._callers.append(caller)
            queue = caller.queues[job.key] = Queue()
        return queue

    def _gone(self, caller: Caller, kind: Kind, queue: Queue) -> None:
        if not queue.live:
            del caller.queues[kind]
        left = self._waiting[kind] - 1
        if left:
            self._waiting[kind] = left
        else:
            del self._waiting[kind]

    # -- handing out ------------------------------------------------------------------------------------------

    def assign(self, workers: list[Worker], now: float) -> None:
        """Gives waiting jobs to workers with room. Every place is filled once before any worker gets a second check: the
        checks that travel ahead of their answers hide latency, and must not wait behind a long one while a place is free."""
        if not len(self):
            return
        starting = busy = 0
        idle: list[Worker] = []
        for worker in workers:
            state = worker.state
            if state is State.IDLE:
                idle.append(worker)
            elif state is State.STARTING:
                starting += 1
            elif state is not State.DEAD:
                busy += 1
        self._yielding = self._kinds_that_yield(now)
        for worker in sorted(idle, key=_idle_since, reverse=True):
            if busy >= self.active:
                break
            job = self._for_idle(worker, now, starting)
            if job is not None:
                worker.give(job)
                busy += 1
        if busy + starting < self.active or self._somebody_waits_alone(now, starting):
            return
        deepening = [worker for worker in workers if worker.state is State.BUSY and worker.key not in self._yielding]
        while deepening:
            deepening = [worker for worker in deepening if self._deepen(worker, now)]

    def _for_idle(self, worker: Worker, now: float, starting: int) -> Job | None:
        job = self._take_alone(self._alone, worker)
        if job is not None:
            return job
        if self._later and now - self._later[0].since > LATER_S:
            job = self._take_alone(self._later, worker)
        if job is None and worker.key not in self._yielding and not self._somebody_waits_alone(now, starting):
            job = self._next(worker.key, now) or self._take_alone(self._later, worker)
        return job

    def _deepen(self, worker: Worker, now: float) -> bool:
        """One more check for a busy worker; False where it takes none."""
        if not worker.room(now):
            return False
        job = self._next(worker.key, now)
        if job is not None:
            worker.give(job)
        return job is not None

    def _next(self, kind: Kind, now: float) -> Job | None:
        """The next job for such a worker; its caller goes to the end of the line, those passed over keep their places."""
        if kind not in self._waiting:
            return None
        callers = self._callers
        for place, caller in enumerate(callers):
            job = self._of(caller, kind)
            if job is not None:
                caller.served_at = now
                if place or len(callers) > 1 or not caller.queues:
                    del callers[place]
                    if caller.queues:
                        callers.append(caller)
                return job
        return None

    def _of(self, caller: Caller, kind: Kind) -> Job | None:
        queue = caller.queues.get(kind)
        if queue is None:
            return None
        jobs = queue.jobs
        job = jobs[0] if jobs else None
        if job is None or job.cancelled:
            job = queue.head()
        if job is None or (caller.limit_bytes is not None and _is_gated(caller, job)):
            return None
        jobs.popleft()
        queue.live -= 1
        waiting = self._waiting
        if queue.live and waiting[kind] > 1:
            waiting[kind] -= 1
        else:
            self._gone(caller, kind, queue)
        return job

    @staticmethod
    def _take_alone(jobs: deque[Job], worker: Worker) -> Job | None:
        for job in jobs:
            if job.key == worker.key and (worker.fresh or not job.needs_fresh_worker):
                jobs.remove(job)
                return job
        return None

    # -- who makes room for whom ------------------------------------------------------------------------------

    def _somebody_waits_alone(self, now: float, starting: int) -> bool:
        """Whether a place is to become free for a job that must be alone, and no worker is on its way for it."""
        if not self._alone and not self._later:
            return False
        self._now = now
        paused = self.paused
        alone = sum(job.key not in paused for job in self._alone) if paused else len(self._alone)
        return alone + sum(1 for _ in self._overdue()) > starting

    def _overdue(self) -> Iterator[Job]:
        return (job for job in self._later if self._now - job.since > LATER_S and job.key not in self.paused)

    def _kinds_that_yield(self, now: float) -> frozenset[Kind]:
        """Kinds of workers that take no more jobs, because another kind's have waited for longer. Of any two kinds at most one
        yields to the other, and there is no circle: waiting times are compared first, ages of jobs only between equals."""
        if len(self._waiting) < 2:
            return frozenset()
        waited: dict[Kind, float] = {}
        oldest: dict[Kind, int] = {}
        for caller, kind, job in self._heads():
            waited[kind] = max(waited.get(kind, 0.0), now - max(job.since, caller.served_at))
            oldest[kind] = min(oldest.get(kind, job.sequence), job.sequence)

        def yields(own: Kind, other: Kind) -> bool:
            if waited[other] > max(waited[own], YIELD_S):
                return True
            return waited[other] >= waited[own] and oldest[other] + FAIRNESS < oldest[own]

        return frozenset(own for own in waited if any(yields(own, other) for other in waited if other != own))

    def _heads(self) -> Iterator[tuple[Caller, Kind, Job]]:
        for caller in self._callers:
            for kind, queue in caller.queues.items():
                job = queue.head() if kind not in self.paused else None
                if job is not None and not _is_gated(caller, job):
                    yield caller, kind, job

    def wanted(self, workers: list[Worker]) -> Kind | None:
        """The kind of a worker that should be started now, if any."""
        live = [worker for worker in workers if worker.state is not State.DEAD]
        working = sum(worker.state in (State.BUSY, State.DRAINING, State.STARTING) for worker in live)
        if working >= self.active or not len(self):
            return None
        starting = [worker.key for worker in live if worker.state is State.STARTING]
        for job in self._alone:
            if job.key not in starting and job.key not in self.paused:
                return job.key
        # Nothing else is handed out while a confirmation is overdue, so it must not wait for a worker that nobody starts.
        for job in self._overdue():
            takers = (worker for worker in live if worker.state is State.IDLE and worker.key == job.key)
            if job.key not in starting and not any(worker.fresh or not job.needs_fresh_worker for worker in takers):
                return job.key
        longest = sorted(self._heads(), key=lambda head: max(head[2].since, head[0].served_at))
        kinds = dict.fromkeys([kind for _, kind, _ in longest] + [job.key for job in self._later if job.key not in self.paused])
        for kind in kinds:
            count = self._waiting.get(kind, 0) + sum(job.key == kind for job in self._later)
            idle = sum(worker.key == kind and worker.state is State.IDLE for worker in live)
            if count > idle + starting.count(kind):
                return kind
        return None


def _idle_since(worker: Worker) -> float:
    return worker.idle_since


def _is_gated(caller: Caller, job: Job) -> bool:
    """Whether the caller holds so much that only the job it waits for may begin, and those that hold others back."""
    if not caller.is_full() or job is caller.head or job.shared_runs:
        return False
    caller.gated = True
    return caller.is_full() and job is not caller.head  # the consumer may have taken something in between
