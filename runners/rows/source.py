"""Lines of a JSON Lines file as a stream, with their numbers; plain, .gz or .zst."""

import codecs
import gzip
import io
import os
import select
import shutil
import stat
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from reexec.engine.errors import UsageError

from ..extras import missing_extra
from .text import BOM

MAX_LINE_BYTES = 8 << 20
READ_BYTES = 1 << 18
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


def read_bytes(path: Path, most: int = -1) -> bytes:
    """The file's first bytes, or all of them, decompressed and without a mark of UTF-8. Raises UsageError."""
    try:
        with open_lines(path) as file:
            data = file.read(most)
    except gzip.BadGzipFile:
        raise UsageError(f"{path}: is not compressed by gzip, as its name says") from None
    except BROKEN as error:
        raise UsageError(f"{path}: the file breaks off ({error})") from None
    if data.startswith(UTF_16):
        raise UsageError(f"{path}: UTF-16 text; JSON is UTF-8, save it as that")
    return data.removeprefix(BOM)


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


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that lie together in a file, without their ends and without blank ones."""

    numbers: Sequence[int]
    """Of each line, from 1."""
    lines: list[bytes]
    """One that is too long is empty."""
    places: Sequence[int] = ()
    """Bytes before each line, decompressed, where they were asked for."""


def read_lines(path: Path, most_bytes: int = MAX_LINE_BYTES) -> Iterator[tuple[int, bytes]]:
    """(line number from 1, line without its end). A line over `most_bytes` comes as empty bytes with its number, and is never
    held in memory; blank lines are passed over. Raises UsageError where the file breaks off."""
    for block in read_blocks(path, most_bytes):
        yield from zip(block.numbers, block.lines, strict=True)


def read_places(path: Path, most_bytes: int = MAX_LINE_BYTES) -> Iterator[tuple[int, int, bytes]]:
    """As `read_lines`, with the bytes before the line in between; a compressed file's are counted decompressed."""
    for block in read_blocks(path, most_bytes, places=True):
        yield from zip(block.numbers, block.places, block.lines, strict=True)


def read_blocks(path: Path, most_bytes: int = MAX_LINE_BYTES, *, places: bool = False) -> Iterator[Block]:
    """The lines of `read_lines`, as many at a time as one read brings. Where the next read may have to wait, as of a pipe, an
    empty block comes first: nobody should keep lines back meanwhile."""
    number, before, head = 0, 0, b""
    begun, size = list[bytes](), 0  # of a line whose end was not read yet; nothing is kept of one that is too long
    with open_lines(path) as file:
        is_at_hand = _look_at(file)
        try:
            while True:
                if not is_at_hand():
                    yield Block((), [])
                piece = cast(io.BufferedReader, file).read1(READ_BYTES)
                if len(head) < len(UTF_16[0]):
                    head += piece[: len(UTF_16[0])]
                    if head.startswith(UTF_16):
                        raise UsageError(f"{path}: UTF-16 text; JSON Lines are UTF-8, save it as that")
                end = piece.rfind(b"\n")
                if piece and end < 0:
                    size += len(piece)
                    begun.append(piece)
                    if size > most_bytes + len(BOM):
                        begun.clear()
                    continue
                whole = (size + end) if piece else size
                cut = not begun and size > 0  # the first line is too long
                data = b"".join((*begun, piece[:end] if piece else b""))
                if piece or size:
                    lines = data.split(b"\n")
                    yield _block(lines, number, before, most_bytes, whole - len(data) if cut else 0, places)
                    number, before = number + len(lines), before + whole + 1
                if not piece:
                    return
                begun = [piece[end + 1 :]] if end + 1 < len(piece) else []
                size = len(piece) - end - 1
        except UsageError:
            raise
        except gzip.BadGzipFile as error:
            if number:
                raise UsageError(f"{path}, line {number + 1}: the file breaks off ({error})") from None
            raise UsageError(f"{path}: is not compressed by gzip, as its name says") from None
        except BROKEN as error:
            raise UsageError(f"{path}, line {number + 1}: the file breaks off ({error})") from None


def _block(lines: list[bytes], number: int, before: int, most_bytes: int, cut_bytes: int, places: bool) -> Block:
    """Of lines as they stand between two ends. `cut_bytes`: as many are missing at the beginning of the first one."""
    is_usual = not (places or cut_bytes) and all(map(bytes.strip, lines)) and max(map(len, lines)) <= most_bytes
    if is_usual and BOM[:1] not in [line[:1] for line in lines]:
        if b"\r" in [line[-1:] for line in lines]:
            lines = [line.rstrip(b"\r") for line in lines]
        return Block(range(number + 1, number + 1 + len(lines)), lines)
    numbers, kept, starts = list[int](), list[bytes](), list[int]()
    for line in lines:
        number += 1
        text = line.removeprefix(BOM)  # files that were put one after the other have one in the middle, too
        start = before + len(line) - len(text)
        before += cut_bytes + len(line) + 1
        is_overlong = cut_bytes + len(text) > most_bytes
        cut_bytes = 0
        text = _OVERLONG if is_overlong else text.rstrip(b"\r")
        if is_overlong or text.strip():
            numbers.append(number)
            kept.append(text)
            starts.append(start)
    return Block(numbers, kept, starts)


def _look_at(file: BinaryIO) -> Callable[[], bool]:
    """Whether a read gives something at once."""
    try:
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return lambda: True
        poll = select.poll()
        poll.register(file, select.POLLIN)
        return lambda: bool(poll.poll(0))
    except (OSError, ValueError):
        return lambda: True


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
