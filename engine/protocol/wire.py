"""Frames between host and zygote: their fields, their bytes, and a decoder without I/O.

A frame is a 4-byte big-endian length and a msgpack array `[kind, field, ...]`.

    host -> zygote
    setup      (config)                        JSON; once, first
    baseline   (address_space, resident, threads, text_start, text_bytes)   bytes, count and an address, as the host's
                                               /proc shows them; once, after hello
    program    (program_id, source, entry)     kept until `forget`
    forget     (program_id)
    check      (check_id, program_id, call, options)
    run_delay  (check_id, microseconds)        answer to `asks_run_delay`; -1: this kernel does not tell
    cancel     (check_id)                      nobody waits for it: it is ended, or not begun, and answered `cancelled`

    zygote -> host
    hello      (info)                          JSON; warm and ready for `baseline`
    result     (check_id, kind, payload, note, cpu_us, wall_us, peak_kib, flags)
    printed    (check_id, stdout, stderr)      just before the result, where the policy captures and there is any
    asks_run_delay (check_id)
    returns    (check_id)                      checks behind the running one, up to this one, were not begun and are forgotten
    fails      (end, traceback)                its last words; `end` is a WorkerEnd (endings.py)
    retires    (reason)                        no further check is taken; what was not answered goes elsewhere

Checks are answered in the order sent, but for those that are returned. Everything a zygote says is checked against this
table before the host looks at it; a frame that does not fit is a `ProtocolError`, and the worker is given up.
"""

from __future__ import annotations

import struct
from typing import Any, Dict, Tuple

Table = Dict[str, Tuple[type, ...]]

try:  # the C half on the host
    from msgpack import Packer, unpackb
except ImportError:  # pragma: no cover - the jail always has one of them
    from msgpack.fallback import Packer, unpackb

HOST_SAYS: Table = {
    "setup": (bytes,),
    "baseline": (int, int, int, int, int),
    "program": (str, bytes, str),
    "forget": (str,),
    "check": (int, str, bytes, int),
    "run_delay": (int, int),
    "cancel": (int,),
}
ZYGOTE_SAYS: Table = {
    "hello": (bytes,),
    "result": (int, str, bytes, bytes, int, int, int, int),
    "printed": (int, bytes, bytes),
    "asks_run_delay": (int,),
    "returns": (int,),
    "fails": (int, str),
    "retires": (str,),
}

# options of a check
WATCH_ARGUMENTS = 1  # say whether the call changed its arguments
WATCH_SOURCES = 2  # say which sources of nondeterminism the call read (clock, entropy, ...)
PYTHON_VALUES = 4  # the result's tuples, sets, bytes and non-text keys survive, in tagged form
TAGGED_CALL = 8  # the arguments are in tagged JSON; otherwise in marshal's format 2, which every version reads

# flags of a result
ARGUMENTS_CHANGED = 1
IN_DOUBT = 2  # of a limit on time: the check ended by itself soon after, or was kept waiting; run alone it may come to its end

# kinds of a result that are not kinds of an Outcome; no child can claim them
KILLED = "killed"  # SIGKILL ended the check's own process: by itself or by somebody outside, which the zygote cannot tell
CANCELLED = "cancelled"  # on request

HEADER_BYTES = 4
_HEADER = struct.Struct(">I")
_pack: Any = Packer(use_bin_type=True, unicode_errors="surrogatepass").pack


class ProtocolError(Exception):
    """The peer broke the protocol; nothing it says from here on can be trusted."""


def encode(kind: str, *fields: Any) -> bytes:
    """The bytes of one frame."""
    body = _pack((kind,) + fields)
    return _HEADER.pack(len(body)) + bytes(body)


_RESULT = struct.Struct(">I8scQcB")
_LENGTH = struct.Struct(">cI")
_NUMBERS = struct.Struct(">cQcQcQcQ")


def encode_result(
    check_id: int, kind: str, payload: bytes, note: bytes, cpu_us: int, wall_us: int, peak_kib: int, flags: int
) -> bytes:
    """`encode("result", ...)` spelled out: the same msgpack, one shape of it, at a tenth of the packer's cost. It runs
    between two forks, where every page that a busier packer touched would be copied."""
    name = kind.encode("ascii")
    size = _RESULT.size - 4 + len(name) + 2 * _LENGTH.size + len(payload) + len(note) + _NUMBERS.size
    return b"".join(
        (
            _RESULT.pack(size, b"\x99\xa6result", b"\xcf", check_id, b"\xd9", len(name)),
            name,
            _LENGTH.pack(b"\xc6", len(payload)),
            payload,
            _LENGTH.pack(b"\xc6", len(note)),
            note,
            _NUMBERS.pack(b"\xcf", cpu_us, b"\xcf", wall_us, b"\xcf", peak_kib, b"\xcf", flags),
        )
    )


_CHECK = struct.Struct(">7scQ2s32scI")
_CHECK_HEAD = (b"\x95\xa5check", b"\xcf", b"\xd9\x20", b"\xc6")


def encode_check(check_id: int, program_id: str, call: bytes, options: int) -> bytes:
    """`encode("check", ...)` spelled out, for program ids of 32 characters. The Decoder reads it without the unpacker."""
    head, wide, text, binary = _CHECK_HEAD
    packed = _CHECK.pack(head, wide, check_id, text, program_id.encode("ascii"), binary, len(call))
    return _HEADER.pack(len(packed) + len(call) + 2) + packed + call + b"\xcc" + bytes((options,))


def _decode_check(body: bytes) -> list[Any] | None:
    """The frame, where `body` is as encode_check writes it; None where it takes the unpacker to tell."""
    if body[:7] != _CHECK_HEAD[0] or len(body) < _CHECK.size + 2:
        return None
    head, wide, check_id, text, program_id, binary, size = _CHECK.unpack_from(body)
    if (head, wide, text, binary) != _CHECK_HEAD or len(body) != _CHECK.size + size + 2 or body[-2] != 0xCC:
        return None
    if not program_id.isalnum():
        return None
    return ["check", check_id, program_id.decode("ascii"), body[_CHECK.size : _CHECK.size + size], body[-1]]


class Decoder:
    """Turns received bytes into frames of the peer's table. An error is final: later calls raise it again."""

    def __init__(self, peer_says: Table, max_frame_bytes: int) -> None:
        self._table = peer_says
        self._max = max_frame_bytes
        self._buffer = bytearray()
        self._error: ProtocolError | None = None

    def feed(self, data: bytes) -> list[list[Any]]:
        """Frames completed by `data`, each a list `[kind, field, ...]`. Raises ProtocolError."""
        if self._error is not None:
            raise self._error
        buffer = self._buffer
        buffer += data
        frames: list[list[Any]] = []
        at = 0
        try:
            while len(buffer) - at >= HEADER_BYTES:
                (length,) = _HEADER.unpack_from(buffer, at)
                if length > self._max:
                    raise ProtocolError("a frame of %d bytes, the most is %d" % (length, self._max))
                end = at + HEADER_BYTES + length
                if len(buffer) < end:
                    break
                body = bytes(buffer[at + HEADER_BYTES : end])
                frames.append((self._table is HOST_SAYS and _decode_check(body)) or self._decode(body))
                at = end
        except ProtocolError as error:
            self._error = error
            raise
        finally:
            del buffer[:at]
        return frames

    def _decode(self, body: bytes) -> list[Any]:
        try:
            frame = unpackb(body, raw=False, unicode_errors="surrogatepass", strict_map_key=True)
        except Exception as error:  # msgpack raises several unrelated types
            raise ProtocolError("not msgpack (%s)" % type(error).__name__) from None
        if type(frame) is not list or not frame or type(frame[0]) is not str:
            raise ProtocolError("not an array that begins with a kind")
        types = self._table.get(frame[0])
        if types is None:
            raise ProtocolError("unknown kind %.40r" % (frame[0],))
        if len(frame) != len(types) + 1 or any(type(f) is not t for f, t in zip(frame[1:], types)):
            raise ProtocolError("%s: fields do not fit" % frame[0])
        return frame
