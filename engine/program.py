"""What is to be executed: a program, a call of it, and a check of one prediction."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from reexec.policies.comparison import ComparisonRule
from reexec.policies.faults import fault_of, located, path_of

from .addresses import blob_bytes, loaded_bytes
from .errors import UsageError
from .folding import fold_expected
from .json_form import from_plain, members, to_plain
from .judging.attainable import require_attainable

MAX_ENTRY_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class Program:
    """Source text and the name of the function to call. Equal text and entry mean the same program.

    `Class.method` as the entry makes an instance of the class, without arguments, and calls its method.
    """

    source: str
    entry: str
    id: str = field(init=False, compare=False)
    """32 hex digits: blake2b over source and entry."""

    def __post_init__(self) -> None:
        if not isinstance(self.source, str) or not isinstance(self.entry, str):
            raise UsageError("a Program's source and entry are text")
        body = self.source.encode("utf-8", "surrogatepass")
        if len(body) > blob_bytes():
            raise UsageError(f"a source of {len(body) >> 20} MiB; a worker takes at most {blob_bytes() >> 20} MiB")
        if len(self.entry) > MAX_ENTRY_CHARACTERS:
            raise UsageError(f"an entry of {len(self.entry)} characters; it is a name, of at most {MAX_ENTRY_CHARACTERS}")
        digest = hashlib.blake2b(body, digest_size=16, salt=b"program")
        digest.update(b"\0entry\0" + self.entry.encode("utf-8", "surrogatepass"))
        if type(self) is not Program:  # a function's id is in the users' files, and stays what it was
            digest.update(b"\0kind\0" + type(self).__name__.encode())
        object.__setattr__(self, "id", digest.hexdigest())

    def to_json(self) -> dict[str, Any]:
        """Source, entry and what kind of program it is; the id follows from them."""
        return {"kind": _KIND_OF[type(self)], "source": self.source, "entry": self.entry}

    @classmethod
    def from_json(cls, data: Any) -> "Program":
        """The Program of `to_json`, of whatever kind. Raises UsageError."""
        fields = members(data, "a program", "source", "entry", optional=("kind",))
        kind = fields.pop("kind")
        kind = "function" if kind is None else kind
        if not isinstance(kind, str) or kind not in _KINDS:
            shown = repr(kind[:80]) if isinstance(kind, str) else type(kind).__name__
            raise UsageError(f"no kind of program: {shown}, at $.kind")
        return _KINDS[kind](**fields)


@dataclass(frozen=True, slots=True)
class Script(Program):
    """A whole program, run as `__main__` with a real standard input. Its outcome's value is the exit status; what it printed
    is in `stdout` and `stderr`. Needs a policy that captures output (`limits.capture_bytes`)."""

    entry: str = ""


@dataclass(frozen=True, slots=True)
class Command(Script):
    """A whole program in another language, for a CommandExecutor: `entry` is the language, by a name that `reexec doctor
    --toolchains` lists. Its outcome is that of a Script; what does not compile is an exception of type CompileError."""


@dataclass(frozen=True, slots=True)
class CommandLine(Script):
    """A Command made ready: `source` is the JSON of its arguments and environment. Made by the engine alone."""


_KINDS: dict[str, type[Program]] = {"function": Program, "script": Script, "command": Command}
_KIND_OF = {kind: name for name, kind in _KINDS.items()}


@dataclass(frozen=True, slots=True)
class Stdin:
    """The standard input of a script. Equal data travel to a worker once, whatever the number of programs that read them."""

    data: bytes
    id: str = field(init=False, compare=False, repr=False)
    """32 hex digits: blake2b over the data."""

    def __post_init__(self) -> None:
        if not isinstance(self.data, bytes):
            raise UsageError(f"the data of a Stdin is bytes, not {type(self.data).__name__}; Stdin.of takes text as well")
        most = loaded_bytes()
        if len(self.data) > most:
            raise UsageError(f"a standard input of {len(self.data):,} bytes; the most is {most:,}")
        object.__setattr__(self, "id", hashlib.blake2b(self.data, digest_size=16, salt=b"stdin").hexdigest())

    @classmethod
    def of(cls, data: "Stdin | bytes | str | Any") -> "Stdin":
        """Text is sent as UTF-8. Raises UsageError."""
        if isinstance(data, Stdin):
            return data
        if isinstance(data, str):
            return cls(data.encode("utf-8", "surrogatepass"))
        if isinstance(data, bytes):
            return cls(data)
        raise UsageError(f"a script is given its standard input as text or bytes, not as {type(data).__name__}")


@dataclass(frozen=True, slots=True)
class Call:
    """Positional and keyword arguments, as plain values."""

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, arguments: "Call | Mapping[str, Any] | Sequence[Any]") -> "Call":
        """A mapping is read as keyword arguments, a list or tuple as positional ones."""
        match arguments:
            case Call():
                return arguments
            case Mapping():
                for key in arguments:
                    if not isinstance(key, str):
                        raise UsageError(f"keyword arguments have text keys, not {key!r}")
                return cls((), arguments)
            case list() | tuple():
                return cls(tuple(arguments))
        raise UsageError(f"a call is given as a mapping, a list or a Call, not as {type(arguments).__name__}")

    def to_json(self) -> dict[str, Any]:
        """As objects that every JSON writer takes, tuples and sets included. Raises UsageError for what is no plain value."""
        return {
            "args": [to_plain(argument, f"$.args[{index}]") for index, argument in enumerate(self.args)],
            "kwargs": {name: to_plain(argument, f"$.kwargs.{name}") for name, argument in self.kwargs.items()},
        }

    @classmethod
    def from_json(cls, data: Any) -> "Call":
        """The Call of `to_json`. Raises UsageError."""
        fields = members(data, "a call", "args", "kwargs")
        if type(fields["args"]) is not list or type(fields["kwargs"]) is not dict:
            raise UsageError("a call needs a list at $.args and an object at $.kwargs")
        args = tuple(from_plain(argument, f"$.args[{index}]") for index, argument in enumerate(fields["args"]))
        return cls(args, {name: from_plain(argument, f"$.kwargs.{name}") for name, argument in fields["kwargs"].items()})


@dataclass(frozen=True, slots=True)
class Check:
    """One prediction to judge: `program` called with `call` should give `expected`, under the policy's comparison.

    `expected` stays on the host; it is folded to plain values here (subclasses to their base, numpy values to plain ones),
    and UsageError is raised with a path where that cannot be, or where no result can equal it (a set under a JSON rule; without
    a `rule` the executor says so). `id` is the caller's own and comes back on the Verdict. `rule` is a ComparisonRule or a
    preset's name; None is the policy's.
    """

    program: Program
    call: Call | Mapping[str, Any] | Sequence[Any] | Stdin | bytes | str
    expected: Any
    id: Any = None
    rule: ComparisonRule | str | None = None

    def __post_init__(self) -> None:
        folded = fold_expected(self.expected)
        if folded is not self.expected:
            object.__setattr__(self, "expected", folded)
        if self.rule is not None and not isinstance(self.rule, ComparisonRule):
            object.__setattr__(self, "rule", _rule_of(self.rule))
        if self.rule is not None:
            require_attainable(self.expected, _rule_of(self.rule))

    def rule_or(self, default: ComparisonRule) -> ComparisonRule:
        """The rule that this check is judged by, where the policy's is `default`."""
        return default if self.rule is None else _rule_of(self.rule)

    def require_attainable(self, default: ComparisonRule) -> None:
        """Raises UsageError where no result can equal `expected` under the policy's rule, `default`; a rule of the check's own
        was asked when it was made."""
        if self.rule is None:
            require_attainable(self.expected, default)

    def to_json(self) -> dict[str, Any]:
        """As objects that every JSON writer takes; `from_json` makes an equal Check of it. Raises UsageError for what is no
        plain value in `call`, `expected` or `id`."""
        return {
            "program": self.program.to_json(),
            "call": _input_to_json(self.call),
            "expected": to_plain(self.expected, "$.expected"),
            "id": to_plain(self.id, "$.id"),
            "rule": None if self.rule is None else _rule_of(self.rule).model_dump(mode="json"),
        }

    @classmethod
    def from_json(cls, data: Any) -> "Check":
        """The Check of `to_json`. Raises UsageError."""
        fields = members(data, "a check", "program", "call", "expected", optional=("id", "rule"))
        rule = fields["rule"]
        program, call = Program.from_json(fields["program"]), call_from_json(fields["call"])
        if isinstance(program, Script) != isinstance(call, Stdin):
            raise UsageError("a function is called with args and kwargs, a script is given stdin, at $.call")
        return cls(
            program,
            call,
            from_plain(fields["expected"], "$.expected"),
            from_plain(fields["id"], "$.id"),
            None if rule is None else _rule_of(rule),
        )


def _rule_of(rule: Any) -> ComparisonRule:
    if isinstance(rule, ComparisonRule):
        return rule
    if isinstance(rule, str):
        return ComparisonRule.preset(rule)
    if isinstance(rule, dict):  # in JSON, 3.0 is an integer as well
        rule = {name: int(value) if type(value) is float and value.is_integer() else value for name, value in rule.items()}
    try:
        return ComparisonRule.model_validate(rule, strict=True)
    except ValidationError as error:
        raise UsageError(located(fault_of(error, ComparisonRule), f"$.rule{path_of(error)[1:]}")) from None


def _input_to_json(call: Any) -> dict[str, Any]:
    """A function's arguments, or a script's standard input."""
    if isinstance(call, Stdin | bytes | str):
        return {"stdin": to_plain(Stdin.of(call).data)}
    return Call.of(call).to_json()


def call_from_json(data: Any) -> "Call | Stdin":
    """The arguments of a function or the standard input of a script, as `Check.to_json` writes them. Raises UsageError."""
    if type(data) is dict and "stdin" in data:
        return Stdin.of(from_plain(members(data, "a standard input", "stdin")["stdin"]))
    return Call.from_json(data)
