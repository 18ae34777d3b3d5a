"""One call on its way through the pool, who it is for, and where its consumer waits."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from ..outcome import Outcome
from ..own_terms import CallLimits, Files
from ..program import Program, Stdin
from .answer import Answer
from .retry import History

WINDOW_BYTES = 64 << 20
"""What a caller may hold: arguments that wait, and answers that it has not taken yet."""


class Caller:
    """A stream, or all calls of `submit` that share a group: what workers are shared out between.

    Its queues are the scheduler's. `delivered_bytes` is written by the I/O thread only, `consumed_bytes` by the consumer only.
    """

    __slots__ = ("__weakref__", "consumed_bytes", "delivered_bytes", "gated", "head", "limit_bytes", "queues", "served_at")

    def __init__(self, limit_bytes: int | None = None) -> None:
        self.queues: dict[frozenset[str], Queue] = {}
        self.served_at = 0.0
        self.limit_bytes = limit_bytes
        self.delivered_bytes = 0
        self.consumed_bytes = 0
        self.head: Job | None = None
        """The job that the consumer waits for: begun whatever is held, so that there is always progress."""
        self.gated = False
        """Set by the scheduler when it passes over a job because too much is held: the consumer is to wake it."""

    def held_bytes(self) -> int:
        """Bytes of answers that the consumer has not taken."""
        return self.delivered_bytes - self.consumed_bytes

    def is_full(self) -> bool:
        return self.limit_bytes is not None and self.delivered_bytes - self.consumed_bytes >= self.limit_bytes


class Queue:
    """Jobs of one caller for workers of one kind, oldest first. Those that were cancelled are skipped when they come up."""

    __slots__ = ("jobs", "live")

    def __init__(self) -> None:
        self.jobs: deque[Job] = deque()
        self.live = 0
        """Without the cancelled ones."""

    def head(self) -> "Job | None":
        jobs = self.jobs
        while jobs and jobs[0].cancelled:
            jobs.popleft()
        return jobs[0] if jobs else None

    def forget_one(self) -> None:
        """One of its jobs was cancelled."""
        self.live -= 1
        if self.live < len(self.jobs) // 2:
            self.jobs = deque(job for job in self.jobs if not job.cancelled)


class Job:
    """A call to execute, or many calls of one program that share a fork (`members`): one fork. `deliver` is run by the I/O
    thread, once, with the answer in place; not for a job that was cancelled. It must not decode, wait or raise."""

    __slots__ = (
        "alone", "answer", "attempts", "call", "caller", "cancelled", "cancelled_at", "checks", "deliver", "files",
        "held_bytes", "history",
        "item", "judged", "key", "limits", "members",
        "options", "outcome", "program", "sent_bytes", "sequence", "shared_runs", "since",
        "stdin", "tag", "worker",
    )  # fmt: skip

    def __init__(
        self, program: Program, call: bytes, options: int, deliver: "Callable[[Job], None]", caller: Caller, item: Any = None
    ) -> None:
        self.program = program
        self.call = call
        self.options = options
        self.deliver = deliver
        self.caller = caller
        self.item = item
        """The caller's own."""
        self.answer: Answer | None = None
        self.sequence = 0
        """Its number in the pool; 0 until the pool has it."""
        self.held_bytes = 0
        """Of its answer."""
        self.attempts = 0
        self.history: History | None = None
        self.alone = False
        self.cancelled = False
        self.worker: object = None
        """The Worker where it is in flight."""
        self.members: tuple[Job, ...] = ()
        """Of a unit: the checks that share its fork. Its call is all of theirs (protocol/unit.py)."""
        self.checks = 1
        """How many it counts for: none where a unit counted for it already."""
        self.shared_runs = 0
        """Units that it was part of before it ran alone."""
        self.outcome: Outcome | None = None
        """Of its answer, where somebody had to look before it was handed out."""
        self.judged: Any = None
        """The consumer's own, of that outcome."""
        self.stdin: Stdin | None = None
        """Of a script, in place of a call."""
        self.limits: CallLimits | None = None
        """Its own, where they are lower than the policy's."""
        self.files: Files | None = None
        """Around a script."""

    # Set by the I/O thread.
    key: frozenset[str]
    since: float
    tag: int
    sent_bytes: int
    """That travel for it to its worker."""
    cancelled_at: float

    @property
    def loaded(self) -> tuple[str, ...]:
        """Digests of what its worker must have loaded."""
        parts = (self.program, self.stdin, self.files)
        return tuple(part.id for part in parts if part is not None)

    def size(self) -> int:
        """Bytes of its input."""
        return len(self.call) if self.stdin is None else len(self.stdin.data)

    @property
    def needs_fresh_worker(self) -> bool:
        return self.history is not None and self.history.needs_fresh_worker


class Mailbox:
    """Where a consumer waits for jobs of its own; the I/O thread rings once a round, not once a job."""

    __slots__ = ("_bell", "_rings")

    def __init__(self) -> None:
        self._bell = threading.Condition()
        self._rings = 0

    def ring(self) -> None:
        with self._bell:
            self._rings += 1
            self._bell.notify_all()

    def count(self) -> int:
        return self._rings

    def wait(self, seen: int, timeout_s: float = 1.0) -> None:
        """Returns when the bell has rung since `seen`, and after `timeout_s` at the latest: a signal is handled even where
        waits are not interruptible."""
        with self._bell:
            if self._rings == seen:
                self._bell.wait(timeout_s)
