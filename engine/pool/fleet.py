"""Workers come and go: started, counted when they do not come up, made do without, ended and reaped.

Knows nothing of jobs: who buries a worker takes its jobs first. Used by the I/O thread only.
"""

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import psutil

from reexec.policies.model import IsolationLevel, Policy

from ..errors import EngineError
from ..jail.interpreter import Interpreter
from ..jail.launch import setup_message
from ..jail.levels import backend_of
from ..jail.progress import is_leaving, memory_kills, status_of_zombie
from ..protocol.endings import WorkerEnd
from .cpu_affinity import Placement
from .starts import Attempts
from .worker import Kills, State, Worker, start_error

TRY_AGAIN_S = 10.0
LEAVING_S = 10.0
"""How long a worker that hung up, and is on its way out, may take to be gone: then its exit status is not waited for."""


class Fleet:
    """`watch` and `unwatch` are told of each worker whose socket is to be read; `retire` ends an idle worker."""

    def __init__(
        self, policy: Policy, interpreter: Interpreter, isolation: IsolationLevel, active: int,
        watch: Callable[[Worker], Any], unwatch: Callable[[Worker], Any],
    ) -> None:  # fmt: skip
        self._policy, self._interpreter, self._backend = policy, interpreter, backend_of(isolation)
        self._watch, self._unwatch = watch, unwatch
        self.workers: list[Worker] = []
        self.active = active
        """How many may have checks in flight: fewer than wanted while this host gives no more."""
        self._wanted = active
        self._try_again_at = 0.0
        self._index = 0
        self._attempts = Attempts()
        self._outside_kills = 0
        self.placement = Placement()
        self.started = 0
        self.closes = False
        """Set by whoever ends the pool: then nothing is waited for."""

    def start(self, key: frozenset[str]) -> EngineError | None:
        """Starts a worker; an error where none came up and there is none to make do with."""
        if len(self.workers) >= 3 * self._wanted:
            self._retire_oldest()
        self._index += 1
        self.started += 1
        try:
            launched = self._backend.launch(self._policy, self._interpreter)
        except EngineError as error:
            return self._failed(key, error)
        setup = setup_message(self._policy, key, launched.terms)
        worker = Worker(launched, key, setup, self._policy.limits, self._index)
        worker.kills_before = self._kills()
        self.workers.append(worker)
        self._watch(worker)
        return None

    def is_up(self, worker: Worker) -> None:
        self.placement.place(worker)
        self._attempts.came_up(worker.key)

    def paused(self, now: float) -> frozenset[frozenset[str]]:
        """Kinds of which none is to be started yet, because their starts keep ending."""
        return self._attempts.paused(now)

    def end(self, worker: Worker, end: WorkerEnd) -> tuple[bool, str]:
        """Kills and reaps a worker; whether somebody outside had ended it, which is asked where it may be gone; its log."""
        self._unwatch(worker)
        self.workers.remove(worker)
        self.placement.forget(worker)
        status = None
        if end in (WorkerEnd.HUNG_UP, WorkerEnd.SILENT):
            with contextlib.suppress(OSError, psutil.Error):  # it is ended whatever it had been
                status = self._exit_status_if_gone(worker, hung_up=end is WorkerEnd.HUNG_UP)
        _, log = worker.end()
        from_outside = self._backend.knows_outside_kills and _from_outside(status)
        self._outside_kills += from_outside
        return from_outside, log

    def memory_ran_out(self, worker: Worker) -> bool:
        """Whether the kernel has killed for memory since this worker was started, which was killed itself and is the only one.
        Where control groups hold every check, such kills are theirs and say nothing."""
        before, now = worker.kills_before, self._kills()
        if before is None or before.for_memory is None or now.for_memory is None or self._backend.limits_tree:
            return False
        return now.for_memory > before.for_memory and now.of_workers == before.of_workers + 1

    def retire(self, worker: Worker) -> None:
        """Ends one that nobody needs, or that is to be believed no more; quick."""
        self._unwatch(worker)
        self.workers.remove(worker)
        self.placement.forget(worker)
        worker.end()

    def start_failed(self, kind: frozenset[str], from_outside: bool, log: str, reason: str) -> EngineError | None:
        """A worker of this kind ended before it was up; as `start`."""
        if from_outside or (self._backend.knows_outside_kills and ENDED_AMID_START in log):
            if self._attempts.killed(kind, time.monotonic()):
                return None
            said = [] if from_outside else [line for line in log.splitlines() if line.startswith("[E]")]
            return self._give_up_on(kind, start_error("", "; nsjail says: ".join([KILLED, *said[:1]])), killed=True)
        return self._failed(kind, start_error(log, reason))

    def review(self, now: float) -> None:
        self.placement.review(now, self.workers)
        if self.active < self._wanted and now >= self._try_again_at:
            self.active = self._wanted

    def end_all(self) -> None:
        for worker in self.workers:
            with contextlib.suppress(Exception):  # the others have to be ended too
                worker.end()
        self.workers.clear()

    def _kills(self) -> Kills:
        return Kills(self._outside_kills, memory_kills())

    def _exit_status_if_gone(self, worker: Worker, *, hung_up: bool) -> int | None:
        """The exit status of a worker that ended by itself or by somebody else's hand; None while it still runs. On a busy
        machine it takes nsjail a while to notice that its zygote is gone, and one that is stopped does not notice at all; it
        holds the zygote's end of the channel too, so that the zygote seems to be silent."""
        until = time.monotonic() + LEAVING_S
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return worker.launched.process.wait(0.5)
            zygote = worker.launched.zygote_pid()
            status = status_of_zombie(zygote) if worker.launched.zygote_is_child else None
            leaves = hung_up if zygote is None else is_leaving(zygote)  # a silent start without a zygote may be any
            if status is not None or not leaves or self.closes or time.monotonic() > until:
                return status

    def _failed(self, kind: frozenset[str], error: EngineError) -> EngineError | None:
        if self._attempts.failed(kind, time.monotonic()):
            return None
        return self._give_up_on(kind, error, killed=False)

    def _give_up_on(self, kind: frozenset[str], error: EngineError, *, killed: bool) -> EngineError | None:
        """None where the pool makes do without one more worker of this kind, or makes room for it."""
        runs = any(worker.key == kind and worker.state in _UP for worker in self.workers)
        if not (runs or self._attempts.may_make_room(kind, 1 if killed else self._wanted)) or not self._makes_do():
            return error
        while killed and self._retire_oldest():
            pass  # perhaps for lack of memory, and it has lasted for minutes
        return None

    def _makes_do(self) -> bool:
        """There is no room for one more worker (descriptors, processes, memory): those that run go on, and an idle one makes
        room for one with other modules. False where there are none."""
        busy = sum(worker.state in (State.BUSY, State.DRAINING) for worker in self.workers)
        if self._retire_oldest():
            return True
        if busy:
            self.active = busy
            self._try_again_at = time.monotonic() + TRY_AGAIN_S
        return bool(busy)

    def _retire_oldest(self) -> bool:
        idle = [worker for worker in self.workers if worker.state is State.IDLE]
        if idle:
            self.retire(min(idle, key=lambda worker: worker.idle_since))
        return bool(idle)


_UP = (State.IDLE, State.BUSY, State.DRAINING)
KILLED = (
    "one after the other was killed from outside while it started (by an operator, a container's filter, or the kernel because "
    "memory ran out)"
)
ENDED_AMID_START = "Couldn't signal the new process via a socketpair"
"""What nsjail logs whose child is gone before nsjail has told it to begin: the child waits for that and does nothing else."""
_FAULTS = frozenset((
    signal.SIGSYS, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGTRAP, signal.SIGXCPU,
    signal.SIGXFSZ,
))  # fmt: skip
"""Signals that the kernel sends to a process for what it did itself: nsjail is broken here, or may not do something."""


def _from_outside(status: int | None) -> bool:
    """Nothing inside a PID namespace can send nsjail a signal, nor SIGKILL to the namespace's first process, which nsjail
    reports as 128 + 9. So these two are somebody else's doing: an operator's, or the kernel's when memory runs out."""
    return status is not None and ((status < 0 and -status not in _FAULTS) or status == 128 + signal.SIGKILL)
