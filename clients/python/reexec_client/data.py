"""What is asked and what comes back, under reexec's own names. Objects of reexec itself can be asked with as well."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from .errors import UsageError
from .plain import from_plain, to_plain


@dataclass(frozen=True)
class Program:
    """Source text and the name of the function to call."""

    source: str
    entry: str

    def to_json(self) -> dict[str, Any]:
        return {"kind": "function", "source": self.source, "entry": self.entry}


@dataclass(frozen=True)
class Script(Program):
    """A whole program with a standard input. Its outcome's value is the exit status; what it printed is in `stdout`."""

    entry: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"kind": "script", "source": self.source, "entry": self.entry}


@dataclass(frozen=True)
class Stdin:
    data: bytes


@dataclass(frozen=True)
class Call:
    """Positional and keyword arguments."""

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


def call_to_json(call: Any) -> dict[str, Any]:
    """Of a Call, of a mapping (by name), of a list or tuple (by position), of a standard input."""
    if hasattr(call, "data") and isinstance(call.data, bytes):
        call = call.data
    if isinstance(call, str):
        call = call.encode("utf-8", "surrogatepass")
    if isinstance(call, bytes):
        return {"stdin": to_plain(call)}
    if hasattr(call, "args") and hasattr(call, "kwargs"):
        args, kwargs = call.args, call.kwargs
    elif isinstance(call, Mapping):
        args, kwargs = (), call
    elif isinstance(call, (list, tuple)):
        args, kwargs = call, {}
    else:
        raise UsageError(f"a call is given as a mapping, a list or a Call, not as {type(call).__name__}")
    return {
        "args": [to_plain(argument, f"$.args[{index}]") for index, argument in enumerate(args)],
        "kwargs": {name: to_plain(argument, f"$.kwargs.{name}") for name, argument in kwargs.items()},
    }


@dataclass(frozen=True)
class Check:
    """One prediction: `program` called with `call` should give `expected`. `id` comes back on the Verdict; `rule` names a
    preset of comparison, or is a rule as a dict."""

    program: Program
    call: Call | Mapping[str, Any] | Sequence[Any] | Stdin | bytes | str
    expected: Any
    id: Any = None
    rule: Any = None

    def to_json(self) -> dict[str, Any]:
        rule = self.rule.model_dump(mode="json") if hasattr(self.rule, "model_dump") else self.rule
        return {
            "program": self.program.to_json(),
            "call": call_to_json(self.call),
            "expected": to_plain(self.expected, "$.expected"),
            "id": to_plain(self.id, "$.id"),
            "rule": rule,
        }


@dataclass(frozen=True)
class Usage:
    cpu_s: float = 0.0
    wall_s: float = 0.0
    peak_bytes: int = 0


@dataclass(frozen=True)
class RaisedException:
    type: str
    message: str
    lines: tuple[tuple[int, str], ...] = ()
    missing_module: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What a program did: see reexec's Outcome."""

    kind: str
    value: Any = None
    exception: RaisedException | None = None
    detail: str = ""
    usage: Usage = field(default=Usage(), compare=False)
    arguments_changed: bool | None = None
    sources: tuple[str, ...] = ()
    attempts: int = field(default=1, compare=False)
    disagreed_with: str | None = field(default=None, compare=False)
    exit_status: int | None = field(default=None, compare=False)
    stdout: str = ""
    stderr: str = ""
    varies: bool | None = field(default=None, compare=False)

    @property
    def ok(self) -> bool:
        return self.kind == "value"

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Outcome:
        known = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        raised = data["exception"]
        if raised is not None:
            raised = RaisedException(
                raised["type"],
                raised["message"],
                tuple((line, name) for line, name in raised["lines"]),
                raised["missing_module"],
            )
        changed = {"value": from_plain(data["value"]), "exception": raised, "usage": Usage(**data["usage"])}
        return cls(**{**known, **changed, "sources": tuple(data["sources"])})


@dataclass(frozen=True)
class Comparison:
    equal: bool
    path: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Verdict:
    """One word, what it rests on, and the caller's id of the check."""

    word: str
    outcome: Outcome | None = None
    comparison: Comparison | None = None
    id: Any = None

    @property
    def accepted(self) -> bool:
        return self.word == "accepted"

    @property
    def scored(self) -> bool:
        """False where the engine failed: such a check says nothing about the prediction."""
        return self.word != "engine-error"

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Verdict:
        outcome, found = data["outcome"], data["comparison"]
        return cls(
            data["word"],
            None if outcome is None else Outcome.from_json(outcome),
            None if found is None else Comparison(found["equal"], found["path"], found["reason"]),
            from_plain(data["id"]),
        )
