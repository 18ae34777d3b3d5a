"""Lines of a JSON Lines file as a stream, with their numbers; plain, .gz or .zst."""

import codecs
import gzip
import io
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from reexec.engine.errors import UsageError

from ..extras import missing_extra
from .text import BOM

MAX_LINE_BYTES = 8 << 20
_OVERLONG = b""
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
BROKEN = (OSError, EOFError, ValueError, zlib.error)
"""What reading a file that breaks off raises."""


def open_lines(path: Path) -> BinaryIO:
    """The file's bytes, decompressed. Raises UsageError where it cannot be read."""
    try:
        if path.is_dir():
            raise UsageError(f"{path}: is a folder; expected a file of JSON lines")
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
        raise missing_extra(f"{path}: reading and writing .zst", "zst") from None
    return cast(BinaryIO, io.BufferedReader(_Frames(open(path, "rb"), zstandard), 1 << 17))


def open_seekable(path: Path) -> BinaryIO:
    """The file itself, or a copy without a name of what is compressed or comes through a pipe."""
    file = open_lines(path)
    if path.suffix not in (".gz", ".zst") and file.seekable():
        return file
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - the caller's
    try:
        with file:
            shutil.copyfileobj(file, copy, 1 << 20)
    except BROKEN as error:
        copy.close()
        raise UsageError(f"{path}: the file breaks off ({error})") from None
    copy.seek(0)
    return cast(BinaryIO, copy)


class _Frames(io.RawIOBase):
    """The content of all frames of a .zst file; zstandard's own reader takes a frame that breaks off for its end."""

    def __init__(self, raw: BinaryIO, zstandard: Any) -> None:
        self._raw, self._zstandard = raw, zstandard
        self._frame: Any = None  # the frame that is being read, where one has begun
        self._packed = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            self._packed = self._packed or self._raw.read(1 << 16)
            if not self._packed:
                if self._frame is not None:
                    raise EOFError("the last frame has no end")
                return 0
            self._frame = self._frame or self._zstandard.ZstdDecompressor().decompressobj()
            try:
                self._ready = memoryview(self._frame.decompress(self._packed))
            except self._zstandard.ZstdError as error:
                raise OSError(str(error)) from None
            self._packed = self._frame.unused_data if self._frame.eof else b""
            if self._frame.eof:
                self._frame = None
        taken = min(len(buffer), len(self._ready))
        buffer[:taken] = self._ready[:taken]
        self._ready = self._ready[taken:]
        return taken

    def close(self) -> None:
        self._raw.close()
        super().close()


def read_lines(path: Path, most_bytes: int = MAX_LINE_BYTES) -> Iterator[tuple[int, bytes]]:
    """(line number from 1, line without its end). A line over `most_bytes` comes as empty bytes with its number, and is never
    held in memory; blank lines are passed over. Raises UsageError where the file breaks off."""
    for number, _, line in read_places(path, most_bytes):
        yield number, line


def read_places(path: Path, most_bytes: int = MAX_LINE_BYTES) -> Iterator[tuple[int, int, bytes]]:
    """As `read_lines`, with the bytes before the line in between; a compressed file's are counted decompressed."""
    with open_lines(path) as file:
        number = after = 0
        try:
            while line := file.readline(most_bytes + 1):
                number += 1
                before = after
                after += len(line)
                if number == 1 and line.startswith(UTF_16):
                    raise UsageError(f"{path}: UTF-16 text; JSON Lines are UTF-8, save it as that")
                if line.startswith(BOM):  # files that were put one after the other have one in the middle, too
                    line = line.removeprefix(BOM)
                    before += len(BOM)
                if len(line) > most_bytes and not line.endswith(b"\n"):
                    while len(line) > most_bytes and not line.endswith(b"\n"):
                        line = file.readline(most_bytes + 1)
                        after += len(line)
                    yield number, before, _OVERLONG
                    continue
                line = line.rstrip(b"\r\n")
                if line.strip():
                    yield number, before, line
        except UsageError:
            raise
        except gzip.BadGzipFile as error:
            if number:
                raise UsageError(f"{path}, line {number + 1}: the file breaks off ({error})") from None
            raise UsageError(f"{path}: is not compressed by gzip, as its name says") from None
        except BROKEN as error:
            raise UsageError(f"{path}, line {number + 1}: the file breaks off ({error})") from None


_OTHERS = (
    (b"\x1f\x8b", "compressed by gzip: let its name end in .gz"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd: let its name end in .zst"),
    (b"PK\x03\x04", "a zip archive: unpack it first"),
    (b"PAR1", "a Parquet file: write it as JSON Lines first"),
    *((begin, "UTF-16 text: save it as UTF-8") for begin in (*UTF_16, b"{\x00", b"[\x00")),
)


def other_form(path: Path) -> str:
    """What a file is instead of JSON Lines, going by its beginning, and what to do about it; empty where that says nothing."""
    try:
        if not path.is_file():
            return ""
        with open_lines(path) as file:
            begin = file.read(4096).removeprefix(BOM)
    except (UsageError, *BROKEN):
        return ""
    other = next((what for magic, what in _OTHERS if begin.startswith(magic)), "")
    if other:
        return f"the file is {other}"
    begin = begin.lstrip()
    if begin.startswith(b"["):
        return f"the file is a JSON array; expected JSON Lines, an object on each line: jq -c '.[]' {path.name} makes them"
    if begin[:1] == b"{" and begin[1:].lstrip(b" \t\r").startswith(b"\n"):
        return f"its objects span several lines; expected JSON Lines, an object on each line: jq -c . {path.name} makes them"
    return ""


def overlong_reason(most_bytes: int) -> str:
    return f"a line of more than {most_bytes >> 20} MiB"


OVERLONG_REASON = overlong_reason(MAX_LINE_BYTES)
