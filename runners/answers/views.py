"""Other ways in which a text was written down as a whole: as the inside of a JSON string, with HTML entities.

Owns how such a text is turned back and where its places are. The result is a text like any other, which `extract.py` reads
by the same rule; only what lies behind the last readable object and outside of all objects is turned back.
"""

import html
import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from .budget import Budget


@dataclass(frozen=True, slots=True)
class View:
    """`marks` are the quotes as they are written before a key; `pattern` finds what `turn` turns back."""

    marks: tuple[str, ...]
    pattern: re.Pattern[str]
    turn: Callable[[re.Match[str]], str]

    def last_key(self, text: str, key: str) -> int:
        """Where the last key that is written so begins, -1 where there is none."""
        return max(text.rfind(mark + key + mark) for mark in self.marks)

    def of(self, text: str, begin: int, budget: Budget) -> "Turned | None":
        """The text from `begin` on, turned back; None where the budget does not allow it."""
        pieces: list[str] = []
        places: list[int] = [0]
        shifts: list[int] = [begin]
        position, length = begin, 0
        for match in self.pattern.finditer(text, begin):
            budget.take(1)
            if budget.is_spent:
                return None
            plain = self.turn(match)
            pieces += (text[position : match.start()], plain)
            length += match.start() - position + len(plain)
            position = match.end()
            places.append(length)
            shifts.append(position - length)
        pieces.append(text[position:])
        return Turned("".join(pieces), places, shifts)


@dataclass(frozen=True, slots=True)
class Turned:
    """A text that was turned back."""

    text: str
    places: list[int]
    shifts: list[int]

    def place(self, position: int) -> int:
        """Where the character at `position` begins in the text that it was made of."""
        return position + self.shifts[bisect_right(self.places, position) - 1]


_CONTROLS: Final = {"n": "\n", "t": "\t", "r": "\r"}

VIEWS: Final = (
    View(('\\"', "\\'", '\\\\\\"'), re.compile(r"""\\(["'\\/nrt])"""), lambda match: _CONTROLS.get(match[1], match[1])),
    View(
        ("&quot;", "&#34;", "&#x22;", "&#039;", "&#39;", "&#x27;", "&apos;"),
        re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8});"),
        lambda match: html.unescape(match[0]),
    ),
)
