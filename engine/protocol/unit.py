"""A unit: many calls of one program that share a fork. How its calls lie in a frame, and its claims in an answer; no I/O.

A unit's calls go in as one blob: for each, four bytes of length and the call. What comes back is the payload of one `Result` of
kind UNIT: the claims of the calls that were answered, as the child wrote them, first call first. The result's flags say what
ended the unit before all were answered, as a number of claim.WORDS; 0: nothing did. What was not answered is run again by
the host, so a unit never decides anything about a check but its value. The result's note is the number of the call that was
running at the end, from 0: it is run alone next.
"""

from __future__ import annotations

import struct
from typing import Iterable, Iterator, List, NamedTuple, Optional, Union

from . import claim
from .claim import Ending

UNIT = 14  # beside claim.WORDS; no child can claim it
REFUSED = 255  # flag: the program's checks do not share a fork (zygote/sharing.py), or it did not compile

REFUSAL = Ending(UNIT, REFUSED, -1, 0, 0, b"")

LENGTH = struct.Struct("<I")
_new = tuple.__new__
_pack_length = LENGTH.pack
_numbers = struct.Struct("<HBBII").unpack_from
_SIZE = claim.HEADER.size
_MAGIC = int.from_bytes(claim.MAGIC, "little")
_VALUE, _EXCEPTION = claim.BYTE_OF["value"], claim.BYTE_OF["exception"]
_FORGED = claim.BYTE_OF["bad-result"]


class Answer(NamedTuple):
    """One call's claim: a value or an exception."""

    kind: int
    flags: int
    payload: bytes


def running(note: bytes) -> int:
    """The number of the call that was running. It is the program's word for it, if the program wants: good for scheduling."""
    return int(LENGTH.unpack(note)[0]) if len(note) == LENGTH.size else 0


def pack_calls(calls: Iterable[bytes]) -> bytes:
    parts: List[bytes] = []
    for call in calls:
        parts += (_pack_length(len(call)), call)
    return b"".join(parts)


def each_call(calls: memoryview) -> Iterator[memoryview]:
    at = 0
    while at < len(calls):
        (size,) = LENGTH.unpack_from(calls, at)
        at += LENGTH.size
        yield calls[at : at + size]
        at += size


def answers(payload: bytes) -> list[Answer]:
    """The claims in a unit's payload. Raises ValueError where it is not a row of whole claims."""
    found = []
    at = 0
    while at < len(payload):
        if at + _SIZE > len(payload):
            raise ValueError("a claim that is cut off")
        magic, kind, flags, length, note_length = _numbers(payload, at)
        end = at + _SIZE + length
        if magic != _MAGIC or kind not in (_VALUE, _EXCEPTION) or note_length or flags or end > len(payload):
            raise ValueError("no claim of a unit")
        found.append(_new(Answer, (kind, flags, payload[at + _SIZE : end])))
        at = end
    return found


class UnitReader:
    """Reads the claims of one unit's child where they lie in `view`; stands where a claim.Reader stands."""

    __slots__ = ("_count", "_limit", "_max", "_view", "answered", "end", "provisional", "start", "whole")

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self.provisional: Optional[Ending] = None
        self.begin(0, 0, 0, 0)

    def begin(self, at: int, room_bytes: int, max_payload_bytes: int, count: int) -> None:
        """`count` claims arrive at `at`, in `room_bytes` at most."""
        self.start = self.end = self.whole = at
        self._limit = at + room_bytes - LENGTH.size
        self._max = max_payload_bytes
        self._count = count
        self.answered = 0

    def free(self) -> memoryview:
        return self._view[self.end : self._limit]

    def took(self, count: int) -> Optional[Ending]:
        """`count` bytes have arrived. The unit's ending, once it is complete, malformed, or out of room."""
        self.end += count
        while self.answered < self._count and self.end - self.whole >= _SIZE:
            magic, kind, flags, length, note_length = _numbers(self._view, self.whole)
            if magic != _MAGIC or kind not in (_VALUE, _EXCEPTION) or flags or note_length or length > self._max:
                return self.ending(_FORGED)
            if self.end < self.whole + _SIZE + length:
                break
            self.whole += _SIZE + length
            self.answered += 1
        if self.answered == self._count:
            return self.ending(0)
        if self.end == self._limit:
            return self.ending(claim.BYTE_OF["output-limit"])
        return None

    def forget(self) -> None:
        """Nothing was answered."""
        self.whole, self.answered = self.start, 0

    def ending(self, ended_by: int, running: int = 0) -> Ending:
        """Of the unit as far as it came. What was read of a further claim makes room for the note."""
        LENGTH.pack_into(self._view, self.whole, running)
        return Ending(UNIT, ended_by, self.start, self.whole - self.start, LENGTH.size, b"")


AnyReader = Union[claim.Reader, UnitReader]
