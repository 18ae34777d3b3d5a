"""Other ways in which a text was written down as a whole: as the inside of a JSON string, with HTML entities.

Owns how such a text is turned back and where its places are. The result is a text like any other, which `extract.py` reads
by the same rule; only what lies behind the last readable object and outside of all objects is turned back.
"""

import html
import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Final

from .budget import Budget


@dataclass(frozen=True, slots=True)
class View:
    """`marks` are the quotes as they are written before a key; `pattern` finds what `turn` turns back."""

    marks: tuple[str, ...]
    pattern: re.Pattern[str]
    turn: Callable[[str], str]

    def last_key(self, text: str, key: str) -> int:
        """Where the last key that is written so begins, -1 where there is none."""
        return max(text.rfind(mark + key + mark) for mark in self.marks)

    def of(self, text: str, begin: int, budget: Budget) -> "Turned | None":
        """The text from `begin` on, turned back; None where the budget does not allow it."""
        written = self.pattern.split(text[begin:])  # plain text and what is to be turned, in turns
        budget.take(len(written) // _PIECES_PER_STEP)
        if budget.is_spent:
            return None
        turn = self.turn
        pieces = written.copy()
        pieces[1::2] = [turn(piece) for piece in written[1::2]]
        return Turned("".join(pieces), written, pieces, begin)


_PIECES_PER_STEP: Final = 8


@dataclass(frozen=True, slots=True)
class Turned:
    """A text that was turned back, and its pieces before and after."""

    text: str
    written: list[str]
    pieces: list[str]
    begin: int

    def place(self, position: int) -> int:
        """Where the character at `position` begins in the text that it was made of."""
        ends = list(accumulate(map(len, self.pieces)))
        at = bisect_right(ends, position)
        before = ends[at - 1] if at else 0
        return self.begin + sum(map(len, self.written[:at])) + position - before


_CONTROLS: Final = {"n": "\n", "t": "\t", "r": "\r"}

VIEWS: Final = (
    View(('\\"', "\\'", '\\\\\\"'), re.compile(r"""(\\["'\\/nrt])"""), lambda piece: _CONTROLS.get(piece[1], piece[1])),
    View(
        ("&quot;", "&#34;", "&#x22;", "&#039;", "&#39;", "&#x27;", "&apos;"),
        re.compile(r"(&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8});)"),
        lru_cache(maxsize=256)(html.unescape),
    ),
)
