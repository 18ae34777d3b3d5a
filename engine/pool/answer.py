"""What came of one run, before anybody has decoded it: a result of the protocol as bytes and numbers.

The I/O thread moves answers and never looks into a payload; who waits for one turns it into an Outcome (decoding.py).
"""

import json
from typing import NamedTuple

from ..outcome import OutcomeKind
from ..protocol import claim, frames, unit

KILLED, CANCELLED, UNIT = claim.WORDS[claim.KILLED], claim.WORDS[claim.CANCELLED], "unit"
"""Kinds of an answer that are no kinds of an Outcome."""
_WORDS = claim.WORDS
_new = tuple.__new__  # without the step of Python that a named tuple's own constructor takes


class Answer(NamedTuple):
    kind: str
    """An Outcome's kind, KILLED or CANCELLED; anything else is a lie and becomes `bad-result`."""
    payload: bytes = b""
    note: bytes = b""
    cpu_us: int = 0
    wall_us: int = 0
    peak_kib: int = 0
    flags: int = 0
    stdout: bytes = b""
    stderr: bytes = b""
    attempts: int = 1
    disagreed_with: str | None = None
    shared: bool = False
    """Given by a fork that ran other calls before it: believed only where it is accepted."""
    files: bytes = b""
    """Those that a script left and that were wanted (protocol/files.py)."""

    def size(self) -> int:
        """Bytes that it holds."""
        return len(self.payload) + len(self.note) + len(self.stdout) + len(self.stderr) + len(self.files)


def of_result(result: frames.Result) -> Answer:
    """The answer that a zygote gave."""
    _, kind, flags, cpu_us, wall_us, peak_kib, payload, note, stdout, stderr, files = result
    word = UNIT if kind == unit.UNIT else _WORDS.get(kind, "")
    return _new(Answer, (word, payload, note, cpu_us, wall_us, peak_kib, flags, stdout, stderr, 1, None, False, files))


def of_unit(payload: bytes, cpu_us: int, peak_kib: int) -> Answer:
    """The value that one call of a unit gave; its share of the unit's time is what anybody can tell of its own."""
    return _new(Answer, ("value", payload, b"", cpu_us, cpu_us, peak_kib, 0, b"", b"", 1, None, True, b""))


def of_the_host(kind: OutcomeKind, detail: str) -> Answer:
    """An answer that the pool gives by itself."""
    return Answer(kind, json.dumps({"reason": detail}).encode())
