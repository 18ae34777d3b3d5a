"""Where a model thinks before it answers: between marks such as `<think>` and `</think>`.

Owns the marks. A mark in quotes or backticks is spoken of, not made. Which marks stand inside of an answer's own strings
is for `scan.py` to say.
"""

import re
from dataclasses import dataclass
from typing import Final

from .budget import Budget

_NAMES: Final = "think|thinking|thoughts?|reasoning|reflection|scratchpad|analysis|(?:inner|internal)[_ ]monologue"
_MARK: Final = re.compile(
    rf"<(?P<end>/?)[ ]?(?:[a-z]{{1,12}}:)?(?P<name>{_NAMES})[ ]?>"
    r"|<\|(?P<side>begin|start|end)_of_(?P<thing>thought|think|thinking|reasoning)\|>"
    r"|(?-i:\[(?P<square>/?)THINK\])|\u25c1(?P<triangle>/?)think\u25b7"
    r"|<\|channel\|>[ ]?(?P<channel>analysis|commentary|final)(?![a-z])",
    re.IGNORECASE,
)

_QUOTES: Final = "`\"'\u2018\u2019\u201c\u201d"


@dataclass(frozen=True, slots=True)
class Mark:
    """The beginning (`opens`) or end of thinking; `family` says which end belongs to which beginning."""

    start: int
    end: int
    opens: bool
    family: str


def marks_in(text: str, budget: Budget) -> list[Mark]:
    """All marks in a text, in order; as many as the budget allows."""
    marks: list[Mark] = []
    if _may_have_marks(text):
        for match in _MARK.finditer(text):
            budget.take(1)
            if budget.is_spent:
                break
            if not _is_quoted(text, match.start() - 1, match.end()):
                marks.append(_mark(match))
    return marks


def _is_quoted(text: str, before: int, after: int) -> bool:
    return before >= 0 and after < len(text) and text[before] in _QUOTES and text[after] in _QUOTES


def has_marks(text: str) -> bool:
    """Whether there is a mark in a text."""
    return _may_have_marks(text) and _MARK.search(text) is not None


def without_thoughts(text: str) -> str:
    """A response without the thinking that it begins with; empty where that has no end."""
    marks = marks_in(text, Budget(len(text)))
    if not marks:
        return text
    first = marks[0]
    if not first.opens:  # its beginning was in the prompt
        return text[max(mark.end for mark in marks if not mark.opens and mark.family == first.family) :]
    if text[: first.start].strip():
        return text
    ends = [mark.end for mark in marks if not mark.opens and mark.family == first.family]
    return text[ends[0] :] if ends else ""


def _may_have_marks(text: str) -> bool:
    return "<" in text or "[T" in text or "[/T" in text or "\u25c1" in text


def _mark(match: re.Match[str]) -> Mark:
    found = match.groupdict()
    if found["name"] is not None:
        name = found["name"].lower()
        family, opens = "think" if name.startswith(("think", "thought")) else name, not found["end"]
    elif found["side"] is not None:
        family, opens = "of_" + found["thing"].lower(), found["side"].lower() != "end"
    elif found["square"] is not None:
        family, opens = "[", not found["square"]
    elif found["channel"] is not None:
        family, opens = "channel", found["channel"].lower() != "final"
    else:
        family, opens = "\u25c1", not found["triangle"]
    return Mark(match.start(), match.end(), opens, family)
