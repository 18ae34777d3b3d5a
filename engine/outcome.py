"""What happened when a call ran: a value, an exception, or the limit that ended it."""

from dataclasses import dataclass, field
from typing import Any, Literal

OutcomeKind = Literal[
    "value",
    "exception",
    "cpu-limit",
    "wall-limit",
    "memory-limit",
    "output-limit",
    "process-limit",
    "denied",
    "early-exit",
    "bad-result",
    "engine-error",
]
KINDS: frozenset[str] = frozenset(OutcomeKind.__args__)  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Usage:
    """What a check used, as the zygote measured it from outside the check's process."""

    cpu_s: float = 0.0
    """User and system seconds of the process, all threads."""
    wall_s: float = 0.0
    """Elapsed seconds from fork to claim or end."""
    peak_bytes: int = 0
    """Growth of resident memory over the zygote's."""


@dataclass(frozen=True, slots=True)
class RaisedException:
    """An exception that the program did not catch; a fatal signal is reported in the same shape, by its name."""

    type: str
    message: str
    lines: tuple[tuple[int, str], ...] = ()
    """(line, function) of the program's own frames, outermost first."""
    missing_module: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a program did. Data, never an exception: a hostile program cannot make the caller raise."""

    kind: OutcomeKind
    value: Any = None
    exception: RaisedException | None = None
    detail: str = ""
    """One line for a person: where a result was refused, which code a program exited with, what failed on the host."""
    usage: Usage = field(default=Usage(), compare=False)
    arguments_changed: bool | None = None
    """Whether the call changed its arguments; None where the check did not watch them."""
    sources: tuple[str, ...] = ()
    """Sources of nondeterminism that the call read, where the check watched them."""
    attempts: int = field(default=1, compare=False)
    """Runs it took: more than 1 where a worker died, a limit on time was confirmed, or SIGKILL ended the check."""
    disagreed_with: str | None = field(default=None, compare=False)
    """The kind of the other run, where a limit on time and its confirmation disagreed (pool/confirmation.py)."""
    exit_status: int | None = field(default=None, compare=False)
    """Of a program that left without returning, where it is known."""
    stdout: str = ""
    """What the program wrote to standard output, where the policy captures it; bytes that are not UTF-8 are replaced. What a
    limit ended may have printed more or less of it each time."""
    stderr: str = ""

    @property
    def ok(self) -> bool:
        return self.kind == "value"

    def describe(self) -> str:
        """One line for a person."""
        if self.kind == "value":
            return "returned a value"
        if self.exception is not None:
            text = f"{self.exception.type}: {self.exception.message}".rstrip(": ")
            where = f" (line {self.exception.lines[-1][0]})" if self.exception.lines else ""
            return text + where
        return f"{self.kind}: {self.detail}" if self.detail else self.kind
