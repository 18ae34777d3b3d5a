"""Lines of a JSON Lines file as a stream, with their numbers; plain, .gz or .zst."""

import gzip
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from reexec.engine.errors import UsageError

MAX_LINE_BYTES = 8 << 20
_OVERLONG = b""


def open_lines(path: Path) -> BinaryIO:
    """The file's bytes, decompressed. Raises UsageError where it cannot be read."""
    try:
        if path.is_dir():
            raise UsageError(f"{path}: a folder; a file of JSON lines is wanted")
        if path.suffix == ".gz":
            return cast(BinaryIO, gzip.open(path, "rb"))
        if path.suffix == ".zst":
            return _open_zst(path)
        return open(path, "rb")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({os.strerror(error.errno or 0).lower()})") from None


def _open_zst(path: Path) -> BinaryIO:
    try:
        import zstandard
    except ImportError:
        raise UsageError(f"{path}: .zst files need the extra `zst`; type: pip install 'reexec[zst]'") from None
    raw = open(path, "rb")
    return cast(BinaryIO, io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)))


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(line number from 1, line without its end). A line over 8 MiB comes as empty bytes with its number, and is never
    held in memory; blank lines are passed over. Raises UsageError where the file breaks off."""
    with open_lines(path) as file:
        number = 0
        try:
            while line := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
                    while len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
                        line = file.readline(MAX_LINE_BYTES + 1)
                    yield number, _OVERLONG
                    continue
                line = line.rstrip(b"\r\n")
                if line.strip():
                    yield number, line
        except (OSError, EOFError, ValueError) as error:
            raise UsageError(f"{path}, line {number + 1}: the file breaks off ({error})") from None


OVERLONG_REASON = f"a line of more than {MAX_LINE_BYTES >> 20} MiB"
