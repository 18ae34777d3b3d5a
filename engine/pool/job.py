"""One call on its way through the pool, and the place where its outcome is delivered."""

import threading
from collections.abc import Callable
from typing import Any

from ..outcome import Outcome
from ..program import Program, Stdin

OUTSIDE_KILLS_ALLOWED = 5


class Job:
    """A call to execute. `deliver` is run by the I/O thread, once, with the job done."""

    __slots__ = (
        "alone", "attempts", "call", "cancelled", "deaths", "deliver", "first", "key", "kills", "options", "outcome",
        "outside_kills", "program", "sent_bytes", "sequence", "stdin", "tag",
    )  # fmt: skip

    def __init__(self, program: Program, call: bytes, options: int, deliver: "Callable[[Job], None]") -> None:
        self.program = program
        self.call = call
        self.options = options
        self.deliver = deliver
        self.outcome: Outcome | None = None
        self.key: frozenset[str] = frozenset()
        self.sequence = 0
        self.attempts = 0
        self.deaths = 0
        self.outside_kills = 0
        self.kills = 0
        """Runs that ended by SIGKILL to the process of the check itself."""
        self.alone = False
        self.first: Outcome | None = None
        """The outcome that a second run is to confirm."""
        self.cancelled = False
        self.tag: Any = None
        self.stdin: Stdin | None = None
        """Of a script, in place of a call."""
        self.sent_bytes = 0
        """That travel for it to its worker."""

    @property
    def loaded(self) -> tuple[str, ...]:
        """Digests of what its worker must have loaded."""
        return (self.program.id,) if self.stdin is None else (self.program.id, self.stdin.id)

    @property
    def needs_fresh_worker(self) -> bool:
        """Whether a worker died under it: the next one must have run nothing else. Alone is enough for a confirmation."""
        return self.deaths > 0 or self.outside_kills > 0

    def finish(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.deliver(self)


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

    def wait(self, seen: int) -> int:
        """Returns when the bell has rung since `seen`; the new count."""
        with self._bell:
            while self._rings == seen:
                self._bell.wait(1.0)  # bounded, so that a signal is handled even where waits are not interruptible
            return self._rings
