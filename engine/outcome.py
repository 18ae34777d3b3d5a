"""What happened when a call ran: a value, an exception, or the limit that ended it."""

from dataclasses import dataclass, field
from typing import Any, Literal

from .errors import UsageError
from .json_form import from_plain, members, to_plain

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

    def to_json(self) -> dict[str, Any]:
        lines = [list(line) for line in self.lines]
        return {"type": self.type, "message": self.message, "lines": lines, "missing_module": self.missing_module}

    @classmethod
    def from_json(cls, data: Any) -> "RaisedException":
        """The exception of `to_json`. Raises UsageError."""
        fields = members(data, "an exception", "type", "message", "lines", optional=("missing_module",))
        if type(fields["lines"]) is not list or not all(type(line) is list and len(line) == 2 for line in fields["lines"]):
            raise UsageError("expected pairs of a number and a name, at $.exception.lines")
        return cls(
            fields["type"], fields["message"], tuple((line, name) for line, name in fields["lines"]), fields["missing_module"]
        )


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
    """The kind of the other run, where a limit on time and its confirmation disagreed (pool/retry.py)."""
    exit_status: int | None = field(default=None, compare=False)
    """Of a program that left without returning, where it is known."""
    stdout: str = ""
    """What the program wrote to standard output, where the policy captures it; bytes that are not UTF-8 are replaced. What a
    limit ended may have printed more or less of it each time."""
    stderr: str = ""
    varies: bool | None = field(default=None, compare=False)
    """Whether a second run gave another value; None where nobody asked for one."""

    @property
    def ok(self) -> bool:
        return self.kind == "value"

    def to_json(self) -> dict[str, Any]:
        """As objects that every JSON writer takes; `from_json` makes an equal Outcome of it, usage included."""
        raised, usage = self.exception, self.usage
        return {
            "kind": self.kind,
            "value": to_plain(self.value, "$.value"),
            "exception": None if raised is None else raised.to_json(),
            "detail": self.detail,
            "usage": {"cpu_s": usage.cpu_s, "wall_s": usage.wall_s, "peak_bytes": usage.peak_bytes},
            "arguments_changed": self.arguments_changed,
            "sources": list(self.sources),
            "attempts": self.attempts,
            "disagreed_with": self.disagreed_with,
            "exit_status": self.exit_status,
            "stdout": self.stdout,
            "stderr": self.stderr,
            "varies": self.varies,
        }

    @classmethod
    def from_json(cls, data: Any) -> "Outcome":
        """The Outcome of `to_json`. Raises UsageError."""
        names = ("kind", "value", "exception", "detail", "usage", "arguments_changed", "sources", "attempts")
        fields = members(data, "an outcome", *names, "disagreed_with", "exit_status", "stdout", "stderr", "varies")
        if fields["kind"] not in KINDS:
            raise UsageError(f"no kind of outcome: {fields['kind']!r}, at $.kind")
        usage = members(fields["usage"], "usage", "cpu_s", "wall_s", "peak_bytes")
        raised = fields["exception"]
        return cls(
            **fields
            | {
                "value": from_plain(fields["value"], "$.value"),
                "exception": None if raised is None else RaisedException.from_json(raised),
                "usage": Usage(**usage),
                "sources": tuple(fields["sources"]),
            }
        )

    def describe(self) -> str:
        """One line for a person."""
        if self.kind == "value":
            return "returned a value"
        if self.exception is not None:
            text = f"{self.exception.type}: {self.exception.message}".rstrip(": ")
            where = f" (line {self.exception.lines[-1][0]})" if self.exception.lines else ""
            return text + where
        return f"{self.kind}: {self.detail}" if self.detail else self.kind
