"""The I/O thread: takes jobs in, moves frames, ends what was cancelled, holds the backstops, delivers answers as bytes.

Its own failures must not leave callers waiting: whatever escapes ends every job as `engine-error` and closes the pool.
"""

import contextlib
import heapq
import mmap
import os
import select
import signal
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterable
from typing import Any

from reexec.policies.model import IsolationLevel, Policy

from ..errors import DeadlineExceededError, EngineError
from ..jail.interpreter import Interpreter
from ..program import Program
from ..protocol.endings import WorkerEnd
from .answer import Answer, of_the_host
from .fleet import Fleet
from .future import Callbacks, OutcomeFuture
from .job import Caller, Job, Mailbox
from .preload import Preload
from .retry import LOST_UNIT, TO_BE_RULED, History, Ruling
from .scheduler import YIELD_S, Scheduler
from .starts import START_S
from .statistics import Statistics
from .worker import State, Worker, WorkerDiedError, ahead_of

RECALL_S = 0.1
"""How long a worker has to end a check that was cancelled; then it is given up."""
LATE_S = 5.0
"""Time that a worker has had past `wall_s` without an answer: it is stuck, for whatever reason."""
RESERVE_BYTES = 4 << 20
"""Addresses, and no memory: nothing is written there."""
_TICK_S = 0.5
_BELL_S = 0.02
_LOOK_S = 0.1
GATHER_S = 0.02
"""Answers wait for each other so long at most, while every worker has enough to do: a round costs as much as many answers."""


NO_THREAD = "start executor"
"""The stage of the EngineError where its thread cannot be started."""


class Loop:
    def __init__(self, policy: Policy, interpreter: Interpreter, isolation: IsolationLevel, workers: int) -> None:
        self.policy, self.isolation = policy, isolation
        self._poller = select.epoll()
        self._watched: dict[int, Worker] = {}
        """By the descriptor of its socket."""
        self._fleet = Fleet(policy, interpreter, isolation, workers, self._watch, self._unwatch)
        self._workers = self._fleet.workers
        self._scheduler = Scheduler(workers)
        self._preload = Preload(policy)
        self._inbox: deque[Job] = deque()
        self._recalls: deque[Job] = deque()
        self._deadlines: list[tuple[float, int, weakref.ref[OutcomeFuture]]] = []
        self._new_deadlines: deque[tuple[float, OutcomeFuture]] = deque()
        self._recalled: set[Worker] = set()
        """Workers whose check was cancelled and is not ended yet."""
        self.callbacks = Callbacks()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poller.register(self._wake, select.EPOLLIN)
        self._callers_poller = select.poll()
        """Of callers alone, while workers' answers gather."""
        self._callers_poller.register(self._wake, select.POLLIN)
        self._served: Caller | None = None
        """A caller that need not wake this thread for more of its jobs: none of them can begin before a worker has answered."""
        self._next_look_s = 0.0
        """When workers are looked at for the next time, beside what they say."""
        self._bells: set[Mailbox] = set()
        self._last_bell = 0.0
        self._stopping = False
        self._sequence = 0
        self._unanswered: dict[int, Job] = {}
        """By number, every job that came in and is neither answered nor dropped: here, wherever the thread fails."""
        self._reserve = mmap.mmap(-1, RESERVE_BYTES, mmap.MAP_PRIVATE)
        """Given back where the thread ends, perhaps for lack of memory, so that everybody can be told."""
        self._counts = dict.fromkeys(Statistics.__dataclass_fields__, 0)
        self._first = threading.Event()
        self._start_error: EngineError | None = None
        self.failure: EngineError | None = None
        """What ended the thread, where that was neither its caller nor the end of the process."""
        self.missing_modules: list[str] = []
        self._pid = os.getpid()
        # Callers enter through it, and the thread shuts it when it ends: a job that comes later must not wait in vain, and
        # the number of a closed descriptor may be another file's by then.
        self._door = threading.RLock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="reexec-io", daemon=True)

    # -- called from any thread -------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts the thread and waits for the first worker. Raises EngineError where either does not come up."""
        try:
            self._thread.start()
        except RuntimeError as error:
            self._stopping = self._closed = True
            self._poller.close()
            os.close(self._wake)
            message = f"this process may start no thread ({error}); `ulimit -v` and `ulimit -u` bound that"
            raise EngineError(message, stage=NO_THREAD, retry_helps=True) from None
        self._first.wait()
        if self._start_error is not None:
            self.stop()
            raise self._start_error

    def submit(self, jobs: list[Job]) -> None:
        with self._door:
            if not self._closed:
                self._inbox.extend(jobs)
                if self._served is None or any(job.caller is not self._served for job in jobs):
                    os.eventfd_write(self._wake, 1)
                return
        for job in jobs:
            self._shut_out(job)
        self._ring_bells()

    def expect_by(self, deadline: float, future: OutcomeFuture) -> None:
        """Ends the future with DeadlineExceededError when the monotonic clock reads `deadline`."""
        self._new_deadlines.append((deadline, future))
        self.wake()

    def cancel(self, jobs: Iterable[Job]) -> None:
        """Nobody waits for these any more: what waits is dropped, what runs is ended."""
        self._recalls.extend(jobs)
        self.wake()

    def wake(self) -> None:
        with self._door:
            if not self._closed:
                os.eventfd_write(self._wake, 1)

    def stop(self) -> None:
        """Ends the thread and every worker; jobs that are not done end cancelled."""
        if os.getpid() != self._pid:
            return  # in a fork of the caller: thread and workers are the parent's
        self._stopping = self._fleet.closes = True
        self.wake()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join()

    @property
    def is_ending(self) -> bool:
        """Whether it takes no jobs any more."""
        return self._stopping

    def bell_after_round(self, mailbox: Mailbox) -> None:
        """Called by a job's `deliver`, in the I/O thread: rings `mailbox` after this round or one of the next."""
        self._bells.add(mailbox)

    def statistics(self) -> Statistics:
        return Statistics(**self._counts | {"workers_started": self._fleet.started})

    def worker_pids(self) -> list[int]:
        """Outside pids of the live zygotes."""
        return [worker.zygote_pid for worker in list(self._workers) if worker.zygote_pid is not None]

    # -- the thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        self.callbacks.io_thread = threading.get_ident()
        try:
            self._start_worker(frozenset())
            while not self._stopping:
                self._round()
        except Exception as error:
            self.failure = EngineError(f"the executor failed: {type(error).__name__}: {error}", stage="I/O loop")
            self._start_error = self._start_error or self.failure
        finally:
            self._stopping = True
            with self._door:
                self._closed = True
            try:
                self._let_everybody_go()
            finally:
                self._first.set()

    def _let_everybody_go(self) -> None:
        """The end of the thread. What fails for one job or worker here must not keep the others waiting for ever."""
        self._reserve.close()
        for step in (
            self._mark_recalled, self._end_jobs, self._fleet.end_all, self._end_jobs, self._ring_bells, self.callbacks.stop,
            self._poller.close,
        ):  # fmt: skip
            with contextlib.suppress(Exception):
                step()
        os.close(self._wake)

    def _mark_recalled(self) -> None:
        while self._recalls:  # no worker is told any more
            job = self._recalls.popleft()
            job.cancelled = job.cancelled or job.answer is None

    def _end_jobs(self) -> None:
        """Answers every job that has no answer. Those whose turn fails stay for the next time."""
        while self._inbox:
            self._come_in(self._inbox[0])
            self._inbox.popleft()
        answer = self._of_the_end()
        for number in list(self._unanswered):
            job = self._unanswered[number]
            with contextlib.suppress(Exception):
                if not job.cancelled:
                    job.answer = answer
                    job.deliver(job)
                self._drop(job)

    def _round(self) -> None:
        now = time.monotonic()
        scheduler, workers = self._scheduler, self._workers
        self._take_inbox(now)
        self._take_recalls()
        scheduler.active, scheduler.paused = self._fleet.active, self._fleet.paused(now)
        scheduler.assign(workers, now)
        while (key := scheduler.wanted(workers)) is not None and not self._stopping:
            self._start_worker(key)
            # Where none came up, it makes do with fewer, or with others.
            scheduler.active, scheduler.paused = self._fleet.active, self._fleet.paused(time.monotonic())
        idle = True
        for worker in tuple(workers):
            if worker.wants_to_write():
                self._attempt(worker, worker.flush)
            idle = idle and worker.state is State.IDLE
            if worker.wants_to_write() is not worker.waits_for_room and worker.state is not State.DEAD:
                self._wait_for_room(worker)
        quiet = idle and not len(scheduler)
        self._ring_bells(quiet)
        self._gather(now)
        for descriptor, _ in self._poller.poll(self._pause_s(quiet)):
            worker_ = self._watched.get(descriptor)
            if worker_ is not None:
                self._attempt(worker_, self._receive, worker_)
            elif descriptor == self._wake:
                os.eventfd_read(self._wake)
        self._hold_deadlines()
        if not quiet:
            self._hold_backstops()

    def _gather(self, began: float) -> None:
        """Lets answers wait for each other where that keeps nobody waiting: one caller's checks wait, every worker has enough
        to do meanwhile, and nobody else wants anything."""
        self._served = caller = None if self._recalled else self._scheduler.only_caller()
        if caller is None:
            return
        ahead_s = ahead_of(self._workers, self._scheduler.active)
        if not ahead_s:
            self._served = None
        elif not self._deadlines:
            pause_s = began + min(GATHER_S, ahead_s / 2) - time.monotonic()
            if pause_s > 0:
                self._callers_poller.poll(pause_s * 1000)

    def _pause_s(self, quiet: bool) -> float | None:
        """How long to wait for a worker or a caller."""
        if self._inbox and self._served is None:
            return 0.0
        pause = None if quiet else _BELL_S if self._bells else _TICK_S if self._served is None else YIELD_S
        if self._recalled or self._scheduler.paused:
            pause = _BELL_S
        if self._deadlines:
            left = max(0.0, self._deadlines[0][0] - time.monotonic())
            pause = left if pause is None else min(pause, left)
        return pause

    def _take_inbox(self, now: float) -> None:
        inbox = self._inbox
        program: Program | None = None
        for job in tuple(inbox):  # all of them first, so that a kind has grown before its worker starts
            if job.program is not program:
                program = job.program
                self._preload.learn(program)
        program, key = None, frozenset[str]()
        while inbox:
            job = inbox[0]
            self._come_in(job)
            inbox.popleft()
            if job.program is not program:
                program = job.program
                key = self._preload.of(program)
            job.key = key
            self._scheduler.add(job, now)
        while self._new_deadlines:
            deadline, future = self._new_deadlines.popleft()
            self._sequence += 1
            heapq.heappush(self._deadlines, (deadline, self._sequence, weakref.ref(future)))

    def _come_in(self, job: Job) -> None:
        """Begins to answer for it. Once, however often it is called where something failed behind it."""
        if self._unanswered.get(job.sequence) is not job:
            self._sequence += 1
            self._unanswered[self._sequence] = job
            job.sequence = self._sequence
            self._counts["submitted"] += job.checks

    def _take_recalls(self) -> None:
        if not self._recalls:
            return
        self._take_inbox(time.monotonic())  # they may be there still
        while self._recalls:
            job = self._recalls.popleft()
            if job.answer is not None or job.cancelled or not job.sequence:
                continue
            job.cancelled = True
            job.cancelled_at = time.monotonic()
            if isinstance(job.worker, Worker):
                self._recalled.add(job.worker)
                self._end_cancelled_head(job.worker)
            else:
                self._scheduler.cancel(job)
                self._drop(job)

    def _end_cancelled_head(self, worker: Worker) -> None:
        """A zygote is told of the check that it is at. Those behind it come back if it takes its time, else they are short."""
        if worker.in_flight and worker.in_flight[0].cancelled and worker.state is not State.DEAD:
            worker.cancel_head()

    def _hold_deadlines(self) -> None:
        now = time.monotonic() if self._deadlines else 0.0
        while self._deadlines and self._deadlines[0][0] <= now:
            future = heapq.heappop(self._deadlines)[2]()
            if future is not None and not future.done():
                future.expire(DeadlineExceededError("the call's timeout is over"))
                if future.job is not None:
                    self.cancel([future.job])

    def _ring_bells(self, now: bool = True) -> None:
        """Wakes the consumers: at once where nothing else is on its way, else not more often than every few milliseconds,
        because a switch between threads costs as much as several checks' bookkeeping."""
        if self._bells and (now or time.monotonic() - self._last_bell >= _BELL_S):
            for mailbox in self._bells:
                mailbox.ring()
            self._bells.clear()
            self._last_bell = time.monotonic()

    # -- answers ----------------------------------------------------------------------------------------------

    def _attempt(self, worker: Worker, action: Any, *arguments: Any) -> None:
        try:
            action(*arguments)
        except WorkerDiedError as death:
            self._bury(worker, death.end, death.words)

    def _receive(self, worker: Worker) -> None:
        was_starting = worker.state is State.STARTING
        done = worker.receive()
        self._put_back(worker.take_returned())
        for job, answer in done:
            self._answered(job, answer)
        if done and worker in self._recalled:
            self._end_cancelled_head(worker)
        if was_starting and worker.state is State.IDLE:
            self._fleet.is_up(worker)
            self.missing_modules = worker.info.get("missing", [])
            self._first.set()
        if worker.state is State.DRAINING and not worker.in_flight:
            self._bury(worker, WorkerEnd.RETIRED)

    def _answered(self, job: Job, answer: Answer) -> None:
        if job.cancelled:
            self._drop(job)
        elif job.history is None and answer.kind not in TO_BE_RULED:
            self._deliver(job, answer)
        else:
            job.history = job.history or History()
            self._apply(job, job.history.answered(answer))

    def _apply(self, job: Job, ruling: Ruling) -> None:
        for name in ruling.counts:
            self._counts[name] += 1
        if ruling.rerun is not None:
            self._scheduler.again(job, ruling.rerun, time.monotonic())
        elif ruling.answer is not None:
            self._deliver(job, ruling.answer)

    def _deliver(self, job: Job, answer: Answer) -> None:
        job.answer = answer if job.attempts == 1 else answer._replace(attempts=job.attempts)
        failed = job.checks * (answer.kind == "engine-error")
        self._counts["completed"] += job.checks
        self._counts["engine_errors"] += failed
        job.held_bytes = size = answer.size()
        job.caller.delivered_bytes += size
        try:
            job.deliver(job)
        except BaseException:  # the thread ends, and this job with the others
            self._counts["completed"] -= job.checks
            self._counts["engine_errors"] -= failed
            raise
        self._unanswered.pop(job.sequence, None)

    def _drop(self, job: Job) -> None:
        """One that nobody waits for any more, or that the end has answered."""
        self._counts["cancelled"] += job.checks
        self._unanswered.pop(job.sequence, None)

    def _put_back(self, jobs: Iterable[Job]) -> None:
        """Jobs that a worker had and did not begin, or whose run counts for nothing."""
        self._scheduler.put_back([job for job in jobs if not job.cancelled])
        for job in jobs:
            job.worker = None
            job.attempts -= 1
            if job.cancelled:
                self._drop(job)

    def _shut_out(self, job: Job) -> None:
        job.answer = self._of_the_end()
        job.deliver(job)

    def _of_the_end(self) -> Answer:
        return of_the_host("engine-error", str(self.failure or "the executor was shut down"))

    # -- workers ----------------------------------------------------------------------------------------------

    def _watch(self, worker: Worker) -> None:
        self._poller.register(worker, select.EPOLLIN)
        self._watched[worker.fileno()] = worker

    def _unwatch(self, worker: Worker) -> None:
        self._poller.unregister(worker)
        del self._watched[worker.fileno()]

    def _wait_for_room(self, worker: Worker) -> None:
        """Its socket has taken all that there was for it, or has not: whether we are to be told when it takes more."""
        worker.waits_for_room = worker.wants_to_write()
        self._poller.modify(worker, select.EPOLLIN | (select.EPOLLOUT if worker.waits_for_room else 0))

    def _start_worker(self, key: frozenset[str]) -> None:
        error = self._fleet.start(key)
        if error is not None:
            self._give_up(key, error)

    def _give_up(self, kind: frozenset[str], error: EngineError) -> None:
        """There is no worker of this kind and none comes up: every job that waits for one ends."""
        self._start_error = self._start_error or error
        self._take_inbox(time.monotonic())
        for job in self._scheduler.drain(kind):
            job.attempts = max(1, job.attempts)
            self._deliver(job, of_the_host("engine-error", str(error)))
        if not self._first.is_set():
            self._stopping = True

    def _bury(self, worker: Worker, end: WorkerEnd, words: str = "") -> None:
        """Ends a worker and asks what becomes of the check that it had."""
        was_starting = worker.state is State.STARTING
        self._put_back(worker.take_returned())
        jobs = list(worker.in_flight)
        worker.in_flight.clear()
        self._recalled.discard(worker)
        if not was_starting and (end is WorkerEnd.RETIRED or worker.state is State.DRAINING):
            self._fleet.retire(worker)
            self._put_back(jobs)
            return
        from_outside, log = self._fleet.end(worker, end)
        if was_starting:
            error = self._fleet.start_failed(worker.key, from_outside, log, words)
            if error is not None:
                self._give_up(worker.key, error)
            elif not self._first.is_set():  # nothing waits yet, so that nobody else asks for it
                self._start_worker(worker.key)
            return
        self._counts["worker_deaths"] += 1
        if jobs:
            head, *others = jobs
            self._put_back(others)
            head.worker = None
            if head.cancelled:
                self._drop(head)
                return
            if head.members:
                self._deliver(head, LOST_UNIT)
                return
            head.history = head.history or History()
            memory_ran_out = from_outside and self._fleet.memory_ran_out(worker)
            self._apply(head, head.history.died(end, from_outside, words, memory_ran_out=memory_ran_out))

    def _hold_backstops(self) -> None:
        now = time.monotonic()
        if self._recalled:
            self._give_up_recalled(now)
        if now < self._next_look_s:
            return
        self._next_look_s = now + _LOOK_S
        self._fleet.review(now)
        # A zygote holds wall_s itself, for compiling and again for running, and says when a long compilation is over.
        for worker in list(self._workers):
            if worker.in_flight:
                if worker.overdue_s(now, self.policy.limits.backstop_s) > LATE_S:
                    self._bury(worker, WorkerEnd.SILENT, "the worker stayed silent past the backstop")
            elif worker.state is State.STARTING and worker.overdue_s(now, 0.0) > START_S:
                self._bury(worker, WorkerEnd.SILENT, f"no hello within {START_S:.0f} s of its own time")

    def _give_up_recalled(self, now: float) -> None:
        """Workers that do not end a check which was cancelled."""
        for worker in list(self._recalled):
            head = worker.in_flight[0] if worker.in_flight else None
            if head is not None and head.cancelled:
                if now - max(head.cancelled_at, worker.head_since) > RECALL_S:
                    self._bury(worker, WorkerEnd.RETIRED)
            elif not any(job.cancelled for job in worker.in_flight):
                self._recalled.discard(worker)
