"""Frames between host and zygote: their fields, their bytes, and a decoder without I/O.

A frame is a head of fixed size (its length, a byte for its kind, numbers, the lengths of its blobs), then the blobs. So either
side finds every field by arithmetic alone: the zygote reads a frame where it lies and never makes an object of its contents.

    host -> zygote
    SetUp        JSON of protocol/setup.py; once, first
    Baseline     threads of the zygote and the place of its text, as the host's /proc shows them; once, after Hello
    Load         a program under a number of the host's choosing, kept until Forget
    Forget       that number is free again
    Check        one call of a loaded program
    RunDelay     answer to AsksRunDelay: what all its threads waited, each for itself (-1: this kernel does not tell), and for
                 how long its processor stood idle since the first answer
    Cancel       nobody waits for this check: it is ended, or not begun, and answered all the same
    Unit         many calls of a loaded program that share a fork (protocol/unit.py), answered by one Result
    Own          what the check that follows has of its own: lower limits, and files (protocol/files.py)

    zygote -> host
    Hello        JSON; warm and ready for Baseline
    Compiled     the compilation of a check's program took its time, and has ended: the call's own time begins
    Result       what a check came to, and what it printed where the policy keeps that; kind is a number of claim.WORDS
    AsksRunDelay how long has this check been kept waiting for a processor?
    Returns      checks behind the running one, up to this one, were not begun and are forgotten
    Fails        its last words: something of ours went wrong; `end` is a WorkerEnd (endings.py)
    Retires      no further check is taken; what was not answered goes elsewhere

Checks are answered in the order sent, but for those that are returned. Everything a zygote says is checked against this
table before the host looks at it; a frame that does not fit is a `ProtocolError`, and the worker is given up.
"""

from __future__ import annotations

import struct
from typing import Any, Dict, List, NamedTuple, Tuple, Type, Union

Blob = Union[bytes, memoryview]
"""bytes on the host; in the zygote, a view of the place where the bytes lie."""

MAX_BLOB_BYTES = 64 << 20
"""Of a source, and of the arguments of a call."""


class SetUp(NamedTuple):
    message: Blob


class Baseline(NamedTuple):
    threads: int
    text_start: int
    text_bytes: int


class Load(NamedTuple):
    program: int
    entry: Blob
    source: Blob


class Forget(NamedTuple):
    program: int


class Check(NamedTuple):
    check_id: int
    program: int
    options: int
    call: Blob


class Unit(NamedTuple):
    check_id: int
    program: int
    options: int
    number: int
    """Of its calls."""
    calls: Blob


class Own(NamedTuple):
    check_id: int
    cpu_us: int
    idle_us: int
    memory_bytes: int
    files: int
    """The number of the loaded bytes that hold its files; 0: it has none."""
    wanted: int
    """How many files are to come back."""


class RunDelay(NamedTuple):
    check_id: int
    waited_us: int
    idle_us: int
    runnable: int
    """1: a thread of it is waiting or running now."""


class Cancel(NamedTuple):
    check_id: int


class Hello(NamedTuple):
    info: Blob


class Compiled(NamedTuple):
    check_id: int


class Result(NamedTuple):
    check_id: int
    kind: int
    flags: int
    cpu_us: int
    wall_us: int
    peak_kib: int
    payload: Blob
    note: Blob
    stdout: Blob
    stderr: Blob
    files: Blob = b""
    """Those that were wanted (protocol/files.py)."""


class AsksRunDelay(NamedTuple):
    check_id: int


class Returns(NamedTuple):
    check_id: int


class Fails(NamedTuple):
    end: int
    words: Blob


class Retires(NamedTuple):
    reason: Blob


# options of a check
WATCH_ARGUMENTS = 1  # say whether the call changed its arguments
WATCH_SOURCES = 2  # say which sources of nondeterminism the call read (clock, entropy, ...)
PYTHON_VALUES = 4  # the result's tuples, sets, bytes and non-text keys survive, in tagged form
SCRIPT = 16  # the program is run as __main__, with the loaded bytes whose number (LENGTH) is the call as its standard input
SHARE_ALWAYS = 32  # of a unit: its calls share a fork whatever the rule says of their program
EXAMINED = 128  # of a compilation: may checks of the program share a fork?
TAGGED_CALL = 8  # the arguments are in tagged JSON; otherwise in marshal's format 2, which every version reads
COMMAND = 128  # what is loaded is a command line: the child becomes that program (zygote/command.py); goes with SCRIPT
SHARED_ENTROPY = 64  # seeded entropy is the same stream under every policy: generators of inputs need that, proofs do not

LENGTH = struct.Struct("<I")
"""Of all that follows it in a frame."""


class ProtocolError(Exception):
    """The peer broke the protocol; nothing it says from here on can be trusted."""


class Layout:
    """How one kind of frame lies in memory: `head`, then its blobs one after the other."""

    __slots__ = ("code", "frame", "head", "numbers")

    def __init__(self, code: int, frame: Type[Any], numbers: str) -> None:
        self.code = code
        self.frame = frame
        self.numbers = len(numbers)
        self.head = struct.Struct("<IB" + numbers + "I" * (len(frame._fields) - len(numbers)))

    def encode(self, fields: Tuple[Any, ...]) -> bytes:
        numbers, blobs = fields[: self.numbers], fields[self.numbers :]
        lengths = [len(blob) for blob in blobs]
        size = self.head.size - LENGTH.size + sum(lengths)
        return b"".join((self.head.pack(size, self.code, *numbers, *lengths), *blobs))

    def decode(self, buffer: Blob, at: int) -> Any:
        """The frame that begins at `at` and is there as a whole; its blobs are slices of `buffer`. Raises ProtocolError."""
        size, _, *fields = self.head.unpack_from(buffer, at)
        start = at + self.head.size
        for number in range(self.numbers, len(fields)):
            end = start + fields[number]
            fields[number] = buffer[start:end]
            start = end
        if start != at + LENGTH.size + size:
            raise ProtocolError("%s: its lengths do not fit" % self.frame.__name__)
        return self.frame._make(fields)


Table = Dict[int, Layout]


def _table(*rows: Tuple[Type[Any], str]) -> Table:
    return {code: Layout(code, frame, numbers) for code, (frame, numbers) in enumerate(rows, 1)}


# The numbers of each frame as struct names them; its other fields are blobs.
HOST_SAYS = _table(
    (SetUp, ""),
    (Baseline, "IQQ"),
    (Load, "I"),
    (Forget, "I"),
    (Check, "QIB"),
    (RunDelay, "QqQB"),
    (Cancel, "Q"),
    (Unit, "QIBI"),
    (Own, "QQQQII"),
)
ZYGOTE_SAYS = _table(
    (Hello, ""),
    (Compiled, "Q"),
    (Result, "QBBQQQ"),
    (AsksRunDelay, "Q"),
    (Returns, "Q"),
    (Fails, "B"),
    (Retires, ""),
)
_LAYOUTS = {layout.frame: layout for table in (HOST_SAYS, ZYGOTE_SAYS) for layout in table.values()}
RESULT = _LAYOUTS[Result]


def encode(frame: Tuple[Any, ...]) -> bytes:
    """The bytes of one frame. Raises struct.error where a number does not fit."""
    return _LAYOUTS[type(frame)].encode(frame)


_CHECK = _LAYOUTS[Check]
_pack_check, _CHECK_CODE, _CHECK_BYTES = _CHECK.head.pack, _CHECK.code, _CHECK.head.size - LENGTH.size


def encode_check(check_id: int, program: int, options: int, call: bytes) -> bytes:
    """`encode(Check(...))` without an object on the way: the host does it for every check."""
    size = len(call)
    return _pack_check(_CHECK_BYTES + size, _CHECK_CODE, check_id, program, options, size) + call


def whole(view: Blob, at: int, end: int, table: Table, max_frame_bytes: int) -> Layout | None:
    """The layout of the frame at `at`, once all of it lies before `end`; None where more must come. Raises ProtocolError."""
    if end - at < LENGTH.size:
        return None
    (length,) = LENGTH.unpack_from(view, at)
    if length > max_frame_bytes:
        raise ProtocolError("a frame of %d bytes, the most is %d" % (length, max_frame_bytes))
    if end - at < LENGTH.size + length:
        return None
    layout = table.get(view[at + LENGTH.size]) if length else None
    if layout is None:
        raise ProtocolError("an unknown kind of frame")
    if length < layout.head.size - LENGTH.size:
        raise ProtocolError("%s: too short" % layout.frame.__name__)
    return layout


def size_at(view: Blob, at: int) -> int:
    """Bytes of the whole frame at `at`."""
    size: int = LENGTH.unpack_from(view, at)[0]
    return LENGTH.size + size


_new = tuple.__new__
_CODE_AT = LENGTH.size
_RESULT_CODE, _RESULT_BYTES, _read_result = RESULT.code, RESULT.head.size, RESULT.head.unpack_from


class Decoder:
    """Turns received bytes into frames of the peer's table, with bytes for blobs. An error is final: later calls raise it
    again."""

    def __init__(self, peer_says: Table, max_frame_bytes: int) -> None:
        self._table = peer_says
        self._max = max_frame_bytes
        self._buffer = bytearray()
        """The beginning of a frame whose rest has not come."""
        self._error: ProtocolError | None = None

    def feed(self, data: bytes) -> list[Any]:
        """The frames that `data` completes. Raises ProtocolError."""
        if self._error is not None:
            raise self._error
        try:
            if not self._buffer:  # nearly always: the frames are read where they arrived
                found, at = self._read(data)
                if at < len(data):
                    self._buffer += memoryview(data)[at:]
                return found
            self._buffer += data
            with memoryview(self._buffer) as view:
                missing = whole(view, 0, len(view), self._table, self._max) is None
            if missing:
                return []
            arrived = bytes(self._buffer)
            found, at = self._read(arrived)
            self._buffer[:] = memoryview(arrived)[at:]
            return found
        except ProtocolError as error:
            self._error = error
            raise

    def _read(self, data: bytes) -> Tuple[List[Any], int]:
        """The frames that lie in `data` as a whole, and where the next one begins. Raises ProtocolError."""
        found: List[Any] = []
        at, end = 0, len(data)
        table, most = self._table, self._max
        result = _RESULT_CODE if table.get(_RESULT_CODE) is RESULT else -1
        while True:
            # A result is read here in one go where its lengths fit; what is wrong with one that does not is said below.
            if end - at >= _RESULT_BYTES and data[at + _CODE_AT] == result:
                (size, _, check_id, kind, flags, cpu_us, wall_us, peak_kib, *lengths) = _read_result(data, at)
                begin = at + _RESULT_BYTES
                after = at + _CODE_AT + size
                if size <= most and after <= end and begin + sum(lengths) == after:
                    fields = [check_id, kind, flags, cpu_us, wall_us, peak_kib]
                    for length in lengths:
                        fields.append(data[begin : begin + length] if length else b"")
                        begin += length
                    found.append(_new(Result, fields))
                    at = after
                    continue
            layout = whole(data, at, end, table, most)
            if layout is None:
                return found, at
            found.append(layout.decode(data, at))
            at += size_at(data, at)
