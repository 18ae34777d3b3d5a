"""What is to be executed: a program, a call of it, and a check of one prediction."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .errors import UsageError
from .folding import fold_expected
from .protocol.frames import MAX_BLOB_BYTES

MAX_ENTRY_CHARACTERS = 1000

MAX_STDIN_BYTES = 32 << 20
"""The half of what a zygote keeps of loaded bytes."""


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
        if len(body) > MAX_BLOB_BYTES:
            raise UsageError(f"a source of {len(body) >> 20} MiB; a worker takes at most {MAX_BLOB_BYTES >> 20} MiB")
        if len(self.entry) > MAX_ENTRY_CHARACTERS:
            raise UsageError(f"an entry of {len(self.entry)} characters; it is a name, of at most {MAX_ENTRY_CHARACTERS}")
        digest = hashlib.blake2b(body, digest_size=16, salt=b"program")
        digest.update(b"\0entry\0" + self.entry.encode("utf-8", "surrogatepass"))
        if type(self) is not Program:  # a function's id is in the users' files, and stays what it was
            digest.update(b"\0kind\0" + type(self).__name__.encode())
        object.__setattr__(self, "id", digest.hexdigest())


@dataclass(frozen=True, slots=True)
class Script(Program):
    """A whole program, run as `__main__` with a real standard input. Its outcome's value is the exit status; what it printed
    is in `stdout` and `stderr`. Needs a policy that captures output (`limits.capture_bytes`)."""

    entry: str = ""


@dataclass(frozen=True, slots=True)
class Stdin:
    """The standard input of a script. Equal data travel to a worker once, whatever the number of programs that read them."""

    data: bytes
    id: str = field(init=False, compare=False, repr=False)
    """32 hex digits: blake2b over the data."""

    def __post_init__(self) -> None:
        if len(self.data) > MAX_STDIN_BYTES:
            raise UsageError(f"a standard input of {len(self.data):,} bytes; the most is {MAX_STDIN_BYTES:,}")
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
