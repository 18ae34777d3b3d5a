"""The I/O thread: starts workers, moves frames, holds the backstops and applies the retry rule.

Its own failures must not leave callers waiting: whatever escapes ends every job as `engine-error` and closes the pool.
"""

import os
import selectors
import signal
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from reexec.policies.model import IsolationLevel, Policy

from ..decoding import read_outcome
from ..errors import EngineError
from ..jail.interpreter import Interpreter
from ..jail.launch import setup_message
from ..jail.levels import backend_of
from ..outcome import Outcome
from ..protocol import claim, frames
from ..protocol.endings import WorkerEnd
from .cpu_affinity import Placement
from .job import OUTSIDE_KILLS_ALLOWED, Job, Mailbox
from .preload import Preload
from .retry import KILLS_BELIEVED, settle
from .scheduler import Scheduler
from .worker import State, Worker, WorkerDiedError, start_error

START_S = 120.0
FAILED_STARTS_ALLOWED = 3
KILLED_STARTS_ALLOWED = 30
TRY_AGAIN_S = 10.0
LATE_S = 5.0
"""Past `wall_s` without an answer a worker is stuck, for whatever reason."""
_TICK_S = 0.5
_BELL_S = 0.02


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts since the executor began; `submitted` = `completed` + `cancelled` + what is on its way."""

    submitted: int = 0
    completed: int = 0
    cancelled: int = 0
    retried: int = 0
    """Runs that had to be repeated because a worker died."""
    engine_errors: int = 0
    workers_started: int = 0
    worker_deaths: int = 0
    worker_kills: int = 0
    """Checks that a program ended by killing its worker twice."""
    kills_repeated: int = 0
    """Runs repeated because SIGKILL had ended the check's own process."""
    limits_confirmed: int = 0
    """Limits on time that a second run alone came to as well."""
    limit_disagreements: int = 0
    """Limits on time that a second run did not come to, or came to another one."""


class Loop:
    def __init__(self, policy: Policy, interpreter: Interpreter, isolation: IsolationLevel, workers: int) -> None:
        self.policy, self.interpreter, self.isolation = policy, interpreter, isolation
        self._backend = backend_of(isolation)
        self._scheduler = Scheduler(workers)
        self._preload = Preload(policy)
        self._placement = Placement()
        self._active = workers
        self._workers: list[Worker] = []
        self._inbox: deque[Job] = deque()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._bells: set[Mailbox] = set()
        self._last_bell = 0.0
        self._stopping = False
        self._sequence = 0
        self._index = 0
        self._failed_starts = 0
        self._killed_starts = 0
        self._try_again_at = 0.0
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
        """Starts the thread and waits for the first worker. Raises EngineError where none comes up."""
        self._thread.start()
        self._first.wait()
        if self._start_error is not None:
            self.stop()
            raise self._start_error

    def submit(self, jobs: list[Job]) -> None:
        with self._door:
            if not self._closed:
                self._inbox.extend(jobs)
                os.eventfd_write(self._wake, 1)
                return
        for job in jobs:
            _cancel(job)
        self._ring_bells()

    def stop(self) -> None:
        """Ends the thread and every worker; jobs that are not done end cancelled."""
        if os.getpid() != self._pid:
            return  # in a fork of the caller: thread and workers are the parent's
        self._stopping = True
        with self._door:
            if not self._closed:
                os.eventfd_write(self._wake, 1)
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def is_running(self) -> bool:
        return self._thread.is_alive() and not self._stopping

    def bell_after_round(self, mailbox: Mailbox) -> None:
        """Called by a job's `deliver`, in the I/O thread: rings `mailbox` after this round or one of the next."""
        self._bells.add(mailbox)

    def statistics(self) -> Statistics:
        return Statistics(**self._counts | {"cancelled": self._counts["cancelled"] + self._scheduler.cancelled})

    def worker_pids(self) -> list[int]:
        """Outside pids of the live zygotes."""
        return [worker.zygote_pid for worker in list(self._workers) if worker.zygote_pid is not None]

    # -- the thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            self._start_worker(frozenset())
            while not self._stopping:
                self._round()
        except Exception as error:
            self.failure = EngineError(f"the executor failed: {type(error).__name__}: {error}", stage="I/O loop")
            self._give_up(self.failure)
        finally:
            self._stopping = True
            with self._door:
                self._closed = True
            self._counts["submitted"] += len(self._inbox)
            for job in [*self._scheduler.drain(), *self._inbox, *(j for w in self._workers for j in w.in_flight)]:
                self._counts["cancelled"] += 1
                _cancel(job)
            for worker in self._workers:
                worker.end()
            self._workers.clear()
            self._ring_bells()
            self._selector.close()
            os.close(self._wake)
            self._first.set()

    def _round(self) -> None:
        self._take_inbox()
        self._scheduler.assign(self._workers)
        while (key := self._scheduler.wanted(self._workers)) is not None and not self._stopping:
            self._start_worker(key)
        for worker in list(self._workers):
            if worker.wants_to_write():
                self._attempt(worker, worker.flush)
        for worker in self._workers:
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if worker.wants_to_write() else 0)
            if self._selector.get_key(worker).events != events:
                self._selector.modify(worker, events)
        quiet = all(worker.state is State.IDLE for worker in self._workers) and not len(self._scheduler)
        self._ring_bells(quiet)
        wait_s = None if quiet and not self._inbox else _BELL_S if self._bells else _TICK_S
        for key_, _ in self._selector.select(wait_s):
            if key_.fileobj == self._wake:
                os.eventfd_read(self._wake)
            elif isinstance(key_.fileobj, Worker):
                self._attempt(key_.fileobj, self._receive, key_.fileobj)
        if not quiet:
            self._hold_backstops()

    def _take_inbox(self) -> None:
        inbox = self._inbox
        for job in tuple(inbox):  # all of them first, so that a kind has grown before its worker starts
            self._preload.learn(job.program)
        while inbox:
            job = inbox.popleft()
            self._counts["submitted"] += 1
            self._sequence += 1
            job.sequence = self._sequence
            job.key = self._preload.of(job.program)
            self._scheduler.add(job)

    def _ring_bells(self, now: bool = True) -> None:
        """Wakes the consumers: at once where nothing else is on its way, else not more often than every few milliseconds,
        because a switch between threads costs as much as several checks' bookkeeping."""
        if self._bells and (now or time.monotonic() - self._last_bell >= _BELL_S):
            for mailbox in self._bells:
                mailbox.ring()
            self._bells.clear()
            self._last_bell = time.monotonic()

    def _attempt(self, worker: Worker, action: Any, *arguments: Any) -> None:
        try:
            action(*arguments)
        except WorkerDiedError as death:
            self._bury(worker, death.end, str(death))

    def _receive(self, worker: Worker) -> None:
        was_starting = worker.state is State.STARTING
        done = worker.receive()
        if worker.returned:
            self._scheduler.put_back(worker.returned)
            worker.returned = []
        for job, frame in done:
            outcome = read_outcome(
                frame,
                python_values=bool(job.options & frames.PYTHON_VALUES),
                watched=bool(job.options & frames.WATCH_ARGUMENTS),
                attempts=job.attempts,
                max_bytes=self.policy.limits.output_bytes,
                script=job.stdin is not None,
            )
            self._finish(job, outcome, frame.kind == claim.KILLED, bool(frame.flags & claim.IN_DOUBT))
        if was_starting and worker.state is State.IDLE:
            self._placement.place(worker)
            self._failed_starts = self._killed_starts = 0
            self.missing_modules = worker.info.get("missing", [])
            self._first.set()
        if worker.state is State.DRAINING and not worker.in_flight:
            self._bury(worker, WorkerEnd.RETIRED)

    def _finish(self, job: Job, outcome: Outcome, killed: bool = False, in_doubt: bool = False) -> None:
        if killed:
            job.kills += 1
            if job.kills < KILLS_BELIEVED:
                self._counts["kills_repeated"] += 1
                self._again(job)
                return
        if job.first is None and in_doubt and outcome.kind in ("cpu-limit", "wall-limit"):
            job.first = outcome
            self._again(job)
            return
        if job.first is not None:
            outcome = settle(job.first, outcome)
            self._counts["limit_disagreements" if outcome.disagreed_with else "limits_confirmed"] += 1
        self._counts["completed"] += 1
        self._counts["engine_errors"] += outcome.kind == "engine-error"
        job.finish(outcome)

    def _again(self, job: Job) -> None:
        job.alone = True
        self._scheduler.put_back([job])

    # -- workers ----------------------------------------------------------------------------------------------

    def _start_worker(self, key: frozenset[str]) -> None:
        idle = [worker for worker in self._workers if worker.state is State.IDLE]
        if len(self._workers) >= 3 * self._active and idle:
            oldest = min(idle, key=lambda worker: worker.idle_since)
            self._bury(oldest, WorkerEnd.RETIRED)
        self._index += 1
        self._counts["workers_started"] += 1
        try:
            launched = self._backend.launch(self.policy, self.interpreter)
        except EngineError as error:
            self._count_failed_start(error)
            return
        setup = setup_message(self.policy, key, launched.terms)
        worker = Worker(launched, key, setup, self.policy.limits, self._index)
        self._workers.append(worker)
        self._selector.register(worker, selectors.EVENT_READ)

    def _count_failed_start(self, error: EngineError) -> None:
        self._failed_starts += 1
        if (not self._first.is_set() or self._failed_starts >= FAILED_STARTS_ALLOWED) and not self._make_do():
            self._give_up(error)

    def _make_do(self) -> bool:
        """There is no room for one more worker (descriptors, processes, memory): those that run go on, and an idle one makes
        room for one with other modules. False where there are none."""
        idle = [worker for worker in self._workers if worker.state is State.IDLE]
        busy = sum(worker.state in (State.BUSY, State.DRAINING) for worker in self._workers)
        self._failed_starts = 0
        if idle:
            self._bury(min(idle, key=lambda worker: worker.idle_since), WorkerEnd.RETIRED)
        elif busy:
            self._scheduler.active = busy
            self._try_again_at = time.monotonic() + TRY_AGAIN_S
        return bool(idle or busy)

    def _give_up(self, error: EngineError) -> None:
        self._start_error = self._start_error or error
        self._take_inbox()
        for job in self._scheduler.drain():
            self._finish(job, Outcome("engine-error", detail=str(error)))
        self._failed_starts = 0
        if not self._first.is_set():
            self._stopping = True

    def _bury(self, worker: Worker, end: WorkerEnd, reason: str = "") -> None:
        """Removes a worker and decides what becomes of the checks it had: the retry rule."""
        was_starting = worker.state is State.STARTING
        retired = end is WorkerEnd.RETIRED or worker.state is State.DRAINING  # it said so before it hung up
        self._selector.unregister(worker)
        self._workers.remove(worker)
        self._placement.forget(worker)
        jobs = list(worker.in_flight)
        worker.in_flight.clear()
        reported = None if retired else _exit_status_if_gone(worker)
        _, log = worker.end()
        if was_starting:
            if self._backend.knows_outside_kills and _from_outside(reported) and self._killed_starts < KILLED_STARTS_ALLOWED:
                self._killed_starts += 1  # says nothing about what this host can do
                return
            self._count_failed_start(start_error(log, reason))
            return
        if retired:
            self._scheduler.put_back(jobs)
            return
        self._counts["worker_deaths"] += 1
        if jobs:
            head, *others = jobs
            self._scheduler.put_back(others)
            self._judge_death(head, end, reason, reported)

    def _judge_death(self, job: Job, end: WorkerEnd, reason: str, status: int | None) -> None:
        self._counts["retried"] += 1
        no_room = end is WorkerEnd.CANNOT_FORK
        if no_room or (self._backend.knows_outside_kills and _from_outside(status)):
            job.outside_kills += 1
            if job.outside_kills > OUTSIDE_KILLS_ALLOWED:
                detail = f"its workers were killed from outside {job.outside_kills} times"
                if no_room:
                    detail = reason.strip().splitlines()[-1].rpartition("CannotForkError: ")[2] + " (`ulimit -u`, pids.max)"
                self._finish(job, Outcome("engine-error", detail=detail, attempts=job.attempts))
                return
        else:
            job.deaths += 1
            if job.deaths > 1:
                self._counts["worker_kills"] += 1
                kind: Any = "memory-limit" if end is WorkerEnd.OUT_OF_MEMORY else "denied"
                detail = f"the program ended its worker twice ({reason.strip().splitlines()[-1]})"
                self._finish(job, Outcome(kind, detail=detail, attempts=job.attempts))
                return
        job.alone = True
        self._scheduler.put_back([job])

    def _hold_backstops(self) -> None:
        now = time.monotonic()
        self._placement.review(now, self._workers)
        if self._scheduler.active < self._active and now >= self._try_again_at:
            self._scheduler.active = self._active
        # A zygote holds wall_s itself, for compiling and again for running, and says when a long compilation is over.
        limit = self.policy.limits.backstop_s + LATE_S
        for worker in list(self._workers):
            if worker.in_flight and now - worker.head_since > limit:
                self._bury(worker, WorkerEnd.SILENT, "the worker stayed silent past the backstop")
            elif worker.state is State.STARTING and now - worker.head_since > START_S:
                self._bury(worker, WorkerEnd.SILENT, f"no hello within {START_S:.0f} s")


def _cancel(job: Job) -> None:
    job.cancelled = True
    job.finish(Outcome("engine-error", detail="the executor was shut down"))


def _exit_status_if_gone(worker: Worker) -> int | None:
    """The exit status of a worker that ended by itself or by somebody else's hand; None while it still runs."""
    try:
        return worker.launched.process.wait(0.5)
    except Exception:
        return None


def _from_outside(status: int | None) -> bool:
    """Nothing inside a PID namespace can send nsjail a signal, nor SIGKILL to the namespace's first process, which nsjail
    reports as 128 + 9. So these two are somebody else's doing: an operator's, or the kernel's for want of memory."""
    return status is not None and (status < 0 or status == 128 + signal.SIGKILL)
