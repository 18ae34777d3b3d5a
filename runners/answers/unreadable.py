"""The last object that has the key and is complete, but cannot be read: `{"output": sum([1, 2])}`.

Owns what counts as complete where the grammar is of no help: a `{` and its `}`, strings passed over. A model that ends so
has answered with something that is no value, and an earlier draft does not take its place. One that is cut off counts for
nothing.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

from .budget import Budget

# A quote or backslash behind a backslash, a string, an apostrophe's string within its line, a brace.
_PIECE: Final = re.compile(r"""\\["'\\]|"[^"\\]*+(?:\\.[^"\\]*+)*+"|(?<!\w)'[^'\\\n]*+(?:\\.[^'\\\n]*+)*+'|[{}]""", re.DOTALL)
_COLON: Final = re.compile(r"[ \t\r\n]*+:")

_KEYS_PER_STEP: Final = 4

type Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Rest:
    """What follows in an object from some place in it: where it ends, whether the key and the answer come before that."""

    end: int | None
    keyed: bool = False
    holds: bool = False


def last_unreadable(text: str, key: str, skipped: list[Span], answer: Span | None, budget: Budget) -> bool:
    """Whether such an object ends behind `answer`, the span of the last readable one, or is around it.

    `skipped` are the spans of complete objects and of thinking, sorted; they are not looked into. Spends the budget.
    """
    key_places = [found.start() for found in re.finditer(rf"([\"']){re.escape(key)}\1[ \t\r\n]*+:", text)]
    budget.take(len(key_places) // _KEYS_PER_STEP)
    behind = answer[1] if answer else 0
    start = next((place for place in reversed(key_places) if not _covered(skipped, place)), -1)
    if start < 0 or budget.is_spent or (answer and start < behind and text.find("}", behind) < 0):
        return False
    walk = _Walk(text, key, skipped, answer, budget)
    # From the right to the left: what follows a place is known already when an earlier object comes to it.
    while (start := text.rfind("{", 0, start)) >= 0:
        budget.take(1)
        if budget.is_spent:
            return False
        if _covered(skipped, start):
            continue
        rest = walk.from_place(start + 1)
        if rest.keyed and rest.end is not None and rest.end > behind and (start >= behind or rest.holds):
            return True
    return False


def _covered(spans: list[Span], place: int) -> bool:
    at = bisect_right(spans, (place, _FAR))
    return at > 0 and place < spans[at - 1][1]


_FAR: Final = 1 << 62
_NO_END: Final = _Rest(None)


class _Walk:
    """Finds where objects end. Two walks that come to one place go the same way from there, so each place is passed once."""

    def __init__(self, text: str, key: str, skipped: list[Span], answer: Span | None, budget: Budget) -> None:
        self._text, self._answer, self._budget = text, answer, budget
        self._written = (f'"{key}"', f"'{key}'")
        self._ends = dict(skipped)
        self._known: dict[int, _Rest] = {}

    def from_place(self, place: int) -> _Rest:
        """What follows at `place`, which lies in an object and in no string."""
        text, known = self._text, self._known
        above: list[list[tuple[int, bool, bool]]] = []  # the same of the objects around this one
        level: list[tuple[int, bool, bool]] = []  # places passed in this object; whether the key, the answer, came next
        while True:
            rest = known.get(place)
            if rest is None:
                self._budget.take(1)
                piece = None if self._budget.is_spent else _PIECE.search(text, place)
                first = text[piece.start()] if piece else ""
                if piece is None:
                    rest = known[place] = _NO_END
                elif first == "}":
                    rest = known[place] = _Rest(piece.end())
                elif first != "{":
                    keyed = piece[0] in self._written and _COLON.match(text, piece.end()) is not None
                    level.append((place, keyed, False))
                    place = piece.end()
                    continue
                elif piece.start() in self._ends:
                    end = self._ends[piece.start()]
                    level.append((place, False, self._holds(piece.start(), end)))
                    place = end
                    continue
                else:
                    level.append((place, False, False))
                    above.append(level)
                    level, place = [], piece.end()
                    continue
            for at, keyed, holds in reversed(level):
                rest = known[at] = _Rest(rest.end, rest.keyed or keyed, rest.holds or holds)
            if not above:
                return rest
            level = above.pop()
            if rest.end is None:  # so has everything around it
                place = level.pop()[0]
                known[place] = _NO_END
            else:
                at = level.pop()[0]
                level.append((at, False, rest.holds))
                place = rest.end

    def _holds(self, start: int, end: int) -> bool:
        return self._answer is not None and start <= self._answer[0] < end
