"""Whole lines appended to a file. Compressed files get one whole member (.gz) or frame (.zst) per flush, so that a file cut
at a flush is a file that any tool reads."""

import contextlib
import gzip
import os
from pathlib import Path
from typing import Any

from ..extras import missing_extra
from .documents import cannot

ON_FROM_THERE = "; what was written before is whole, and run the same command again to resume"


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
            raise cannot(path, "written", error) from None
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
                raise cannot(self.path, "written", error, ON_FROM_THERE) from None
            self._size, self._lines = size, []  # no call in between: a signal finds both done or none
        return self._size

    def close(self) -> None:
        os.close(self._fd)


def _compressor(path: Path) -> Any:
    if path.suffix == ".gz":
        return lambda data: gzip.compress(data, 6, mtime=0)
    if path.suffix == ".zst":
        try:
            import zstandard
        except ImportError:
            raise missing_extra(f"{path}: reading and writing .zst", "zst") from None
        return zstandard.ZstdCompressor().compress
    return None
