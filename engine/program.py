"""What is to be executed: a program, a call of it, and a check of one prediction."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .errors import UsageError
from .folding import fold_expected
from .protocol.frames import MAX_BLOB_BYTES


@dataclass(frozen=True, slots=True)
class Program:
    """Source text and the name of the function to call. Equal text and entry mean the same program."""

    source: str
    entry: str
    id: str = field(init=False, compare=False)
    """32 hex digits: blake2b over source and entry."""

    def __post_init__(self) -> None:
        if not isinstance(self.source, str) or not isinstance(self.entry, str):
            raise UsageError("a Program's source and entry are text")
        body = self.source.encode("utf-8", "surrogatepass")
        if len(body) > MAX_BLOB_BYTES:
            raise UsageError(f"a source of {len(body) >> 20} MiB; a worker takes at most {MAX_BLOB_BYTES >> 20} MiB")
        digest = hashlib.blake2b(body, digest_size=16, salt=b"program")
        digest.update(b"\0entry\0" + self.entry.encode("utf-8", "surrogatepass"))
        object.__setattr__(self, "id", digest.hexdigest())


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


@dataclass(frozen=True, slots=True)
class Check:
    """One prediction to judge: `program` called with `call` should give `expected`, under the policy's comparison.

    `expected` stays on the host; it is folded to plain values here (subclasses to their base, numpy values to plain ones),
    and UsageError is raised with a path where that cannot be. `id` is the caller's own and comes back on the Verdict.
    """

    program: Program
    call: Call | Mapping[str, Any] | Sequence[Any]
    expected: Any
    id: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "expected", fold_expected(self.expected))
