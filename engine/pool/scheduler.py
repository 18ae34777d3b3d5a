"""Which worker gets which job: pure bookkeeping, no I/O and no clock.

Jobs wait in one queue per warmth key. At most `active` workers have checks in flight at a time; idle workers of other
keys are kept for when their programs come back. Idle workers are reused last-in first-out: the one used last has its
memory in the processor's caches, and those that nobody needs stay idle until they are retired.
"""

from collections import deque
from collections.abc import Iterable

from .job import Job
from .worker import State, Worker

FAIRNESS = 2048  # a worker stops taking its own key's jobs while another key's job is older by this many


class Scheduler:
    def __init__(self, active: int) -> None:
        self.active = active
        self._queues: dict[frozenset[str], deque[Job]] = {}
        self._alone: deque[Job] = deque()
        self.cancelled = 0
        """Jobs dropped because their caller no longer waits for them."""

    def __len__(self) -> int:
        return len(self._alone) + sum(map(len, self._queues.values()))

    def add(self, job: Job) -> None:
        self._queues.setdefault(job.key, deque()).append(job)

    def put_back(self, jobs: Iterable[Job]) -> None:
        """Jobs whose worker died under another one: they keep their place."""
        for job in reversed(list(jobs)):
            if job.alone:
                self._alone.appendleft(job)
            else:
                self._queues.setdefault(job.key, deque()).appendleft(job)

    def drain(self) -> list[Job]:
        """Takes out everything that waits."""
        jobs = [*self._alone, *(job for queue in self._queues.values() for job in queue)]
        self._alone.clear()
        self._queues.clear()
        return jobs

    def assign(self, workers: list[Worker]) -> None:
        """Gives waiting jobs to workers with room. Every place is filled once before any worker gets a second check: the
        checks that travel ahead of their answers hide latency, and must not wait behind a long one while a place is free."""
        busy = sum(worker.state in (State.BUSY, State.DRAINING) for worker in workers)
        for worker in sorted(workers, key=lambda worker: -worker.idle_since):
            if busy >= self.active:
                break
            if worker.state is State.IDLE:
                job = self._next_alone(worker.key, worker.fresh) or self._next(worker.key)
                if job is not None:
                    worker.give(job)
                    busy += 1
        if busy < self.active:
            return
        deepening = [worker for worker in workers if worker.state is State.BUSY]
        while deepening:
            deepening = [worker for worker in deepening if self._deepen(worker)]

    def _deepen(self, worker: Worker) -> bool:
        """One more check for a busy worker; False where it takes none."""
        if not worker.room():
            return False
        job = self._next(worker.key, yielding=True)
        if job is not None:
            worker.give(job)
        return job is not None

    def _next(self, key: frozenset[str], *, yielding: bool = False) -> Job | None:
        queue = self._queues.get(key)
        while queue:
            if queue[0].cancelled:
                queue.popleft()
                self.cancelled += 1
            elif yielding and self._must_yield(queue[0]):
                return None
            else:
                return queue.popleft()
        return None

    def wanted(self, workers: list[Worker]) -> frozenset[str] | None:
        """The key of a worker that should be started now, if any."""
        live = [worker for worker in workers if worker.state is not State.DEAD]
        working = sum(worker.state in (State.BUSY, State.DRAINING, State.STARTING) for worker in live)
        if working >= self.active:
            return None
        starting = [worker.key for worker in live if worker.state is State.STARTING]
        for job in self._alone:
            if job.key not in starting:
                return job.key
        waiting = [(queue[0].sequence, key, len(queue)) for key, queue in self._queues.items() if queue]
        for _, key, count in sorted(waiting, key=lambda item: item[0]):
            idle = sum(worker.key == key and worker.state is State.IDLE for worker in live)
            if count > idle + starting.count(key):
                return key
        return None

    def _next_alone(self, key: frozenset[str], fresh: bool) -> Job | None:
        for job in self._alone:
            if job.key == key and (fresh or not job.needs_fresh_worker):
                self._alone.remove(job)
                return job
        return None

    def _must_yield(self, own: Job) -> bool:
        if self._alone:
            return True
        return any(queue and queue[0].sequence + FAIRNESS < own.sequence for queue in self._queues.values())
