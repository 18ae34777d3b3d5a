"""Whole lines appended to a file. Compressed files get one whole member (.gz) or frame (.zst) per flush, so that a file cut
at a flush is a file that any tool reads."""

import contextlib
import fcntl
import gzip
import os
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError


class OutputError(UsageError):
    """Writing failed; what was written before is whole."""


class Sink:
    """Buffers lines until `flush`, which returns the file's size. Opened at `size` bytes: what lies behind is cut off."""

    def __init__(self, path: Path, size: int = 0) -> None:
        self.path = path
        self._lines: list[bytes] = []
        self._compress = _compressor(path)
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
            os.ftruncate(self._fd, size)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({os.strerror(error.errno or 0).lower()})") from None
        self._size = size

    def write(self, line: bytes) -> None:
        self._lines.append(line)

    def flush(self) -> int:
        if self._lines:
            data = b"\n".join(self._lines) + b"\n"
            view = memoryview(self._compress(data) if self._compress else data)
            size = self._size
            try:
                # At a place of its own: a flush that is interrupted and done again writes the same bytes there.
                while view:
                    sent = os.pwrite(self._fd, view, size)
                    size += sent
                    view = view[sent:]
            except OSError as error:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._fd, self._size)
                raise OutputError(
                    f"{self.path}: cannot be written ({os.strerror(error.errno or 0).lower()}); the rows before are whole, "
                    "and the same command goes on from there"
                ) from None
            self._size, self._lines = size, []  # no call in between: a signal finds both done or none
        return self._size

    def close(self) -> None:
        os.close(self._fd)


def locked(path: Path) -> int:
    """A descriptor of the file that keeps other runs from it until it is closed, or this process ends. Raises OutputError."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({os.strerror(error.errno or 0).lower()})") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise OutputError(f"{path}: another run is writing it; wait for its end, or choose another name") from None
    except OSError:
        pass  # a file system without locks
    return fd


def _compressor(path: Path) -> Any:
    if path.suffix == ".gz":
        return lambda data: gzip.compress(data, 6, mtime=0)
    if path.suffix == ".zst":
        try:
            import zstandard
        except ImportError:
            raise UsageError(f"{path}: .zst files need the extra `zst`; type: pip install 'reexec[zst]'") from None
        return zstandard.ZstdCompressor().compress
    return None
