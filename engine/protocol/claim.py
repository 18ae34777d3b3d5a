"""The frames that a forked child writes on its own pipe, and the zygote's careful reading of them.

The child runs hostile code, so a frame is only ever a *claim* about that child's own check: worth as much as returning
the value. The zygote reads by length, never to the end of the file, takes the first whole final frame and looks at
nothing after it.

    magic (2) | kind (1) | flags (1) | payload length (4) | note length (4) | payload | note
"""

from __future__ import annotations

import builtins
import struct
from typing import Tuple

Claim = Tuple[str, bytes, bytes, int]  # (kind, payload, note, flags)

__builtins__ = dict(vars(builtins))  # type: ignore[assignment]  # a program that rebinds `len` does not reach pack()

HEADER = struct.Struct("<2sBBII")
MAGIC = b"rx"
NOTE_BYTES = 64 * 1024

# kind byte -> word; a word outside of this table cannot be claimed
KINDS = {
    1: "value",
    2: "exception",
    3: "early-exit",
    4: "bad-result",
    5: "output-limit",
    6: "memory-limit",
    7: "process-limit",
    8: "code",  # a compiled program, marshalled
}
BYTE_OF = {word: byte for byte, word in KINDS.items()}
PROVISIONAL = 0x80  # flag: "this, unless I say more": an exception whose text is still being made

FORGED = ("bad-result", b'{"path": "$", "reason": "the program wrote into the result channel"}', b"", 0)


def pack(word: str, payload: bytes, note: bytes = b"", flags: int = 0) -> bytes:
    return HEADER.pack(MAGIC, BYTE_OF[word], flags, len(payload), len(note)) + payload + note


_unpack = HEADER.unpack_from
_SIZE = HEADER.size


def read_whole(data: bytes, max_payload_bytes: int) -> Claim | None:
    """The final claim, where `data` is exactly one; None where it takes a Reader to tell."""
    if len(data) < _SIZE:
        return None
    magic, kind, flags, length, note_length = _unpack(data)
    if magic != MAGIC or kind not in KINDS or flags & PROVISIONAL or length > max_payload_bytes or note_length > NOTE_BYTES:
        return None
    if len(data) != _SIZE + length + note_length:
        return None
    if not note_length:
        return KINDS[kind], data[_SIZE:], b"", flags
    return KINDS[kind], data[_SIZE : _SIZE + length], data[_SIZE + length :], flags


class Reader:
    """Collects a child's bytes; `feed` returns the final claim `(word, payload, note, flags)` once there is one."""

    def __init__(self, max_payload_bytes: int) -> None:
        self._max = max_payload_bytes
        self._buffer = bytearray()
        self.provisional: Claim | None = None

    def feed(self, data: bytes) -> Claim | None:
        buffer = self._buffer
        buffer += data
        while len(buffer) >= HEADER.size:
            magic, kind, flags, length, note_length = HEADER.unpack_from(buffer)
            word = KINDS.get(kind)
            if magic != MAGIC or word is None or note_length > NOTE_BYTES:
                return FORGED
            if length > self._max:
                return "output-limit", b"{}", b"", 0
            end = HEADER.size + length + note_length
            if len(buffer) < end:
                return None
            payload = bytes(buffer[HEADER.size : HEADER.size + length])
            note = bytes(buffer[HEADER.size + length : end])
            del buffer[:end]
            if not flags & PROVISIONAL:
                return word, payload, note, flags
            self.provisional = word, payload, note, flags & ~PROVISIONAL
        return None
