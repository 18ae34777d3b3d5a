"""What a forked child writes into its result channel, and the zygote's careful reading of it.

The child runs hostile code, so what it writes is only ever a *claim* about that child's own check: worth as much as returning
the value. It is read by length where it lies, never to the end of the file; the first whole final claim counts and nothing
after it.

    magic (2) | kind (1) | flags (1) | payload length (4) | note length (4) | payload | note
"""

from __future__ import annotations

import builtins
import struct
from typing import NamedTuple, Optional

__builtins__ = dict(vars(builtins))  # type: ignore[assignment]  # a program that rebinds `len` does not reach pack()

HEADER = struct.Struct("<2sBBII")
MAGIC = b"rx"
NOTE_BYTES = 64 * 1024
REPORT_BYTES = 64 * 1024  # of an exception's report, which is a fraction of that: where it is provisional, or no payload is due

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
WORDS = {**KINDS, 9: "cpu-limit", 10: "wall-limit", 11: "denied", 12: "killed", 13: "cancelled"}
"""Of a result: what can be claimed, and what the zygote alone says."""
KILLED = 12  # SIGKILL ended the check's own process: by itself or by somebody outside, which the zygote cannot tell
CANCELLED = 13  # on request
_VALUE, _EXCEPTION, _CODE = BYTE_OF["value"], BYTE_OF["exception"], BYTE_OF["code"]

PROVISIONAL = 0x80  # flag: "this, unless I say more": an exception whose text is still being made
ARGUMENTS_CHANGED = 1  # flag of a value
SHARES = 1  # flag of code: checks of the program may share a fork
IN_DOUBT = 2  # flag of a limit on time: the check ended by itself soon after, or was kept waiting; alone it may come to its end


class Ending(NamedTuple):
    """What a check came to: numbers, and where its payload lies."""

    kind: int
    flags: int
    at: int
    """Where the payload begins in the view; the note follows it. -1: the payload is `text`, which is nobody's secret."""
    payload_bytes: int
    note_bytes: int
    text: bytes


def ending(word: str, text: bytes = b"{}", flags: int = 0) -> Ending:
    """An ending that the zygote says by itself."""
    kind = next(kind for kind, known in WORDS.items() if known == word)
    return Ending(kind, flags, -1, len(text), 0, text)


FORGED = ending("bad-result", b'{"path": "$", "reason": "the program wrote into the result channel"}')
TOO_LONG = ending("output-limit")


def header(word: str, payload_bytes: int, note_bytes: int = 0, flags: int = 0) -> bytes:
    return HEADER.pack(MAGIC, BYTE_OF[word], flags, payload_bytes, note_bytes)


def pack(word: str, payload: bytes, note: bytes = b"", flags: int = 0) -> bytes:
    return header(word, len(payload), len(note), flags) + payload + note


_numbers = struct.Struct("<HBBII").unpack_from  # the header without its bytes becoming objects
_MAGIC_NUMBER = int.from_bytes(MAGIC, "little")
_SIZE = HEADER.size


def room(max_payload_bytes: int) -> int:
    """Bytes that a Reader may ask for: one provisional claim and the final one."""
    return _SIZE + REPORT_BYTES + NOTE_BYTES + _SIZE + max_payload_bytes + NOTE_BYTES


class Reader:
    """Reads the claims of one child where they lie in `view`. No byte of them becomes an object."""

    __slots__ = ("_compiles", "_limit", "_max", "_view", "end", "provisional", "start")

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self.begin(0, 0, compiles=False)

    def begin(self, at: int, max_payload_bytes: int, *, compiles: bool) -> None:
        """The next child's bytes arrive at `at`, where `room(max_payload_bytes)` are free."""
        self.start = self.end = at
        self._max = max_payload_bytes
        self._limit = at + room(max_payload_bytes)
        self._compiles = compiles
        self.provisional: Optional[Ending] = None

    def free(self) -> memoryview:
        """Where the next bytes belong."""
        return self._view[self.end : self._limit]

    def took(self, count: int) -> Optional[Ending]:
        """`count` bytes have arrived there. The ending that they complete, if they do."""
        self.end += count
        while self.end - self.start >= _SIZE:
            magic, kind, flags, length, note_length = _numbers(self._view, self.start)
            if magic != _MAGIC_NUMBER or kind not in KINDS or note_length > NOTE_BYTES or (kind == _CODE) > self._compiles:
                return FORGED
            if flags and not (flags == ARGUMENTS_CHANGED and kind == _VALUE) and not (flags == SHARES and kind == _CODE):
                # Only an exception may be provisional, and once: its text comes next, or does not.
                if flags != PROVISIONAL or kind != _EXCEPTION or self.provisional or length > REPORT_BYTES:
                    return FORGED
            if length > (REPORT_BYTES if self._compiles and kind != _CODE else self._max):
                return TOO_LONG
            payload = self.start + _SIZE
            whole = payload + length + note_length
            if self.end < whole:
                return None
            found = Ending(kind, flags & ~PROVISIONAL, payload, length, note_length, b"")
            if not flags & PROVISIONAL:
                return found
            self.provisional = found
            self.start = whole
        return None
