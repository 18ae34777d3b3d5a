"""Digests of everything that has one: blake2b, 32 hex digits."""

import hashlib
import os
from pathlib import Path

from reexec.engine.errors import UsageError

_BYTES = 16


def empty_digest() -> "hashlib.blake2b":
    """One to be fed piece by piece."""
    return hashlib.blake2b(digest_size=_BYTES)


def digest_of(*parts: str | bytes) -> str:
    """Of the parts in a row, NUL between them. Text may hold lone surrogates."""
    return hashlib.blake2b(_joined(parts), digest_size=_BYTES).hexdigest()


def key_of(*parts: str | bytes) -> bytes:
    """The same as 16 bytes, for tables in memory."""
    return hashlib.blake2b(_joined(parts), digest_size=_BYTES).digest()


def number_of(*parts: str | bytes) -> int:
    """64 bits, where memory counts: a million keys collide with a chance of 1 in 37 million."""
    return int.from_bytes(hashlib.blake2b(_joined(parts), digest_size=8).digest())


def digest_of_file(path: Path) -> str:
    """Of a file's bytes as they lie on disk. Raises UsageError."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, empty_digest).hexdigest()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({os.strerror(error.errno or 0).lower()})") from None


def _joined(parts: tuple[str | bytes, ...]) -> bytes:
    try:
        return "\0".join(parts).encode("utf-8", "surrogatepass")  # type: ignore[arg-type]
    except TypeError:  # bytes among them
        return b"\0".join(map(_encoded, parts))


def _encoded(part: str | bytes) -> bytes:
    return part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
