"""Files that are one JSON document: manifests and records. They are replaced as a whole, never edited. And the locks that keep
two runs from one file or folder."""

import contextlib
import fcntl
import json
import os
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError


class OutputError(UsageError):
    """Writing failed; what was written before is whole."""


def cannot(path: Path, what: str, error: OSError, more: str = "") -> OutputError:
    """PATH: cannot be WHAT (no space left on device)MORE"""
    return OutputError(f"{path}: cannot be {what} ({os.strerror(error.errno or 0).lower()}){more}")


def replace_document(path: Path, value: Any) -> None:
    """Readers see the document before or this one, whatever kills the writer. Raises OutputError."""
    temporary = path.with_name(path.name + ".new")
    try:
        temporary.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
        os.replace(temporary, path)  # noqa: PTH105
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise cannot(path, "written", error) from None


def read_document(path: Path) -> dict[str, Any]:
    """Raises OSError, ValueError: what a missing or damaged document means is for the caller to say."""
    value = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def lock(path: Path, busy: str) -> int:
    """A descriptor of a file or folder that keeps other runs from it until it is closed, or this process ends. Raises
    OutputError, with `busy` where another run holds it."""
    try:
        flags = os.O_RDONLY | os.O_DIRECTORY if path.is_dir() else os.O_WRONLY | os.O_CREAT
        handle = os.open(path, flags | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise cannot(path, "written", error) from None
    try:
        lock_open(handle, path, busy)
    except OutputError:
        os.close(handle)
        raise
    return handle


def lock_open(handle: int, path: Path, busy: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OutputError(f"{path}: {busy}") from None
    except OSError:
        pass  # a file system without locks
