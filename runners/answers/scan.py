"""Which object in a text is the answer: the rule, and a scan that keeps it in linear time.

The rule. What stands in `<think>...</think>` and its like is not read. From left to right, each `{` of the rest is read;
where a complete object begins, it is taken whole and reading goes on behind it, so its strings are never searched and what
stands in it belongs to it. Where none begins, the next `{` is tried, be it inside of what could not be read. Of the objects
with the key, the last is the answer, be it taken or within a taken one (`{"answer": {"output": 3}}`), of nested ones the
outermost. A key may stand without quotes, as in JavaScript; where the first one of an object does, a space, a quote or a
bracket follows its colon. An object with the key that is complete and cannot be read, behind it or around it, makes it no
answer (`unreadable.py`). The key counts where it is written plainly, `"output"`, `'output'` or `output`, and not as
`"\\u006futput"`; without quotes it counts only in what can be read.

What cannot matter is passed over by the regular expression engine (`passing.py`).

Why it is linear although readings start anew at braces inside of failed ones: a failed reading leaves behind which of
the braces that it saw *as brackets* were still open; from those it would fail again, so they are not tried. Those that
it saw closed are read a second time, and taken. Any other reading begins at a brace that all readings before it saw
inside a string, or did not reach. There are few ways to be inside of one, and two readings that differ in this seldom
become the same again. `budget.py` makes sure of it. Objects that are JSON are read by JSON's own reader where it tells
enough: ten times as fast.
"""

import json
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from reexec.engine.decoding import is_deeper

from .budget import EXHAUSTED, Budget
from .literal import MAX_DEPTH, Found, Unfinished, read_object
from .passing import ANY, NOT_SIMPLE, SIMPLE_OBJECT, START
from .scalars import DOUBLE_QUOTES, MAX_DIGITS, SINGLE_QUOTES
from .thinking import Mark, marks_in
from .unreadable import last_unreadable
from .views import VIEWS

_QUOTES: Final = "\"'" + DOUBLE_QUOTES + SINGLE_QUOTES
_DECODER: Final = json.JSONDecoder(strict=False)
_OF_A_NUMBER: Final = re.compile(r"[0-9.eE+-]*+")
_JSON_START: Final = re.compile(r'\{[ \t\r\n]*+"[^"\\]*+(?:\\.[^"\\]*+)*+"[ \t\r\n]*+:', re.DOTALL)
_PYTHON_START: Final = re.compile(r"\{[ \t\r\n]*+'[^'\\]*+'[ \t\r\n]*+:")
_WORDS: Final = re.compile("True|False|None")
_STEPS_OF_A_BRACE: Final = 4
_STEPS_OF_A_FAULT: Final = 6
_STEPS_OF_A_TEXT: Final = 20
_FAR: Final = 1 << 62
_LEVELS: Final = 3
"""An object that is a string in an object that is a string, and so on, is read so far."""


@dataclass(slots=True)
class Scan:
    """What a text holds: the answer's object, or why there is none, and what was passed over."""

    found: Found | None = None
    fault: str = ""
    taken: list[tuple[int, int]] = field(default_factory=list)
    """Where complete objects stand, with the key or without, in order."""
    thoughts: list[tuple[int, int]] = field(default_factory=list)
    """Where the model thinks, in order."""
    unfinished: bool = False
    """The thinking has no end: nothing in the text is an answer."""

    def free_stretch(self, position: int) -> int | None:
        """Where the stretch of text around `position` begins that holds no complete object and no thought; None where the
        position itself lies in one."""
        begin = 0
        for spans in (self.taken, self.thoughts):
            at = bisect_right(spans, (position, _FAR))
            if at:
                if spans[at - 1][1] > position:
                    return None
                begin = max(begin, spans[at - 1][1])
        return begin


def last_object(text: str, key: str, budget: Budget, levels: int = _LEVELS) -> Scan:
    """The object that is the answer by the rule above, or the reason why there is none."""
    scan = Scan(fault=f'no JSON object with the key "{key}"')
    marks = marks_in(text, budget)
    until = max(_last_key(text, key) + 1, _behind_last_bare(text, key))
    if until or marks:
        _Scanner(text, key, until, levels, scan, budget).run(marks)
    if budget.is_spent:
        return Scan(fault=EXHAUSTED, unfinished=True)
    return scan


def _last_key(text: str, key: str) -> int:
    """Where the last key in quotes begins, -1 where there is none."""
    if "\\" in text and key in text:  # in an object that is a string, its quotes are written otherwise
        return text.rfind(key)
    quotes = "\"'" if text.isascii() else _QUOTES
    return max(text.rfind(quote + key) for quote in quotes)


def _behind_last_bare(text: str, key: str) -> int:
    """Where the character behind the colon of the last key without quotes ends, 0 where there is none."""
    if "{" not in text and "\uff5b" not in text:
        return 0
    pattern = _LAST_BARE.get(key) or _LAST_BARE.setdefault(key, re.compile(rf".*{re.escape(key)}[ \t\r\n]*+:", re.DOTALL))
    colon = pattern.match(text)
    return colon.end() + 1 if colon else 0


_LAST_BARE: Final[dict[str, re.Pattern[str]]] = {}


class _Scanner:
    def __init__(self, text: str, key: str, until: int, levels: int, scan: Scan, budget: Budget) -> None:
        """`until`: no object with the key begins behind it, and its first token is seen up to there."""
        self._text, self._key, self._until, self._levels = text, key, until, levels
        self._scan, self._budget = scan, budget
        self._hopeless: set[int] = set()
        self._none = scan.fault
        self._key_at = -1  # of the next key
        self._plain_numbers = not _has_long_number(text)
        is_turned = ("\\" in text or "&" in text) and any(view.last_key(text, key) >= 0 for view in VIEWS)
        # What is turned back begins behind the last complete object, simple or not.
        self._brace = ANY if is_turned else NOT_SIMPLE

    def run(self, marks: list[Mark]) -> None:
        scan, position, at = self._scan, 0, 0
        while not self._budget.is_spent:
            while at < len(marks) and marks[at].start < position:  # in an object's own string
                at += 1
            mark = marks[at] if at < len(marks) else None
            until = self._until if mark is None else min(mark.start, self._until)
            brace = self._next_brace(position, until)
            if brace is not None:
                self._budget.take(1)
                position = self._read(brace)
            elif mark is None:
                break
            elif not mark.opens:  # its beginning was in the prompt
                scan.found, scan.fault = None, self._none
                scan.taken, scan.thoughts = [], [(0, mark.end)]
                position = mark.end
            else:
                end = next((other.end for other in marks[at:] if not other.opens and other.family == mark.family), None)
                if end is None:
                    scan.found, scan.fault, scan.unfinished = None, "the thinking has no end", True
                    return
                scan.thoughts.append((mark.start, end))
                position = end
        self._judge_unreadable()

    def _next_brace(self, position: int, until: int) -> int | None:
        """The next brace that may begin an object with the key, or one that is not simple."""
        text = self._text
        while position < until:
            position = _brace_at(text, position)
            if position >= until:
                return None
            if self._key_at < position:
                found = text.find(self._key, position)
                self._key_at = len(text) if found < 0 else found
            stop = min(until, self._key_at)
            brace = self._brace.search(text, position, stop)
            position = brace.start() if brace else stop
            if brace and START.match(text, position, until):
                return position
            position += 1
        return None

    def _read(self, start: int) -> int:
        """Where to go on."""
        if start in self._hopeless:
            return start + 1
        end = self._read_plain(start)
        self._budget.take(1 if end is not None else _STEPS_OF_A_BRACE)
        if end is not None:
            return end
        reading = read_object(self._text, start, self._key, self._object_in, self._budget)
        if isinstance(reading, Unfinished):
            self._hopeless.update(reading.opened)
            if reading.keyed:
                why = "is cut off" if reading.cut_off else "is not valid JSON"
                self._scan.fault = f'the JSON object with the key "{self._key}" {why}'
            return start + 1
        self._scan.taken.append((start, reading.end))
        if reading.found is not None:
            self._scan.found, self._scan.fault = reading.found, ""
        return reading.end

    def _read_plain(self, start: int) -> int | None:
        """Where the object ends that begins at `start`, if it is JSON, be it with single quotes and Python's words, and it is
        plain what it means for the answer: it has the key itself, or does not hold it at all."""
        text = self._text
        if not self._plain_numbers or text[start] != "{" or text[start - 1 : start] == "\\":
            return None
        style: Literal["json", "python"] = "json"
        if _JSON_START.match(text, start):
            value, end = self._decoded(text, start)
        elif _PYTHON_START.match(text, start) and (simple := SIMPLE_OBJECT.match(text, start)):
            written, style = _as_json(simple[0]), "python"
            value, end = self._decoded(written, 0)
            end = simple.end() if end == len(written) else None
        else:
            return None
        if end is None:
            return None
        if text.find(self._key, start, end) >= 0:
            # No other escape makes letters, so that what is read as the key is written as the key.
            if self._key not in value or text.find("\\u", start, end) >= 0 or _is_deep(text, start, end):
                return None
            self._scan.found, self._scan.fault = Found(start, end, value, "", style), ""
        self._scan.taken.append((start, end))
        return end

    def _decoded(self, text: str, start: int) -> tuple[Any, int | None]:
        try:
            value, end = _DECODER.raw_decode(text, start)
        except json.JSONDecodeError as error:
            self._budget.take(_STEPS_OF_A_FAULT, error.pos - start)
            return None, None
        except (ValueError, RecursionError):
            self._budget.take(_STEPS_OF_A_FAULT)
            return None, None
        self._budget.take(0, end - start)
        return value, end

    def _object_in(self, value: str) -> Found | None:
        value = value.strip()
        if not self._levels or value[:1] != "{" or self._key not in value:
            return None
        self._budget.take(_STEPS_OF_A_TEXT)
        found = last_object(value, self._key, self._budget, self._levels - 1).found
        return found if found is not None and (found.start, found.end) == (0, len(value)) else None

    def _judge_unreadable(self) -> None:
        scan = self._scan
        answer = (scan.found.start, scan.found.end) if scan.found else None
        skipped = sorted([*scan.taken, *scan.thoughts])
        if last_unreadable(self._text, self._key, skipped, answer, self._budget):
            scan.found, scan.fault = None, f'the JSON object with the key "{self._key}" is not valid JSON'


def _brace_at(text: str, position: int) -> int:
    at = text.find("{", position)
    if text.isascii():
        return len(text) if at < 0 else at
    wide = text.find("\uff5b", position, len(text) if at < 0 else at)
    return wide if wide >= 0 else len(text) if at < 0 else at


def _has_long_number(text: str) -> bool:
    """Whether MAX_DIGITS characters of numbers stand in a row. Such a row meets one of the looks, so few are enough."""
    for at in range(MAX_DIGITS - 1, len(text), MAX_DIGITS):
        behind = _OF_A_NUMBER.match(text, at)
        if behind and behind.end() > at:
            before = _OF_A_NUMBER.match(text[at - MAX_DIGITS + 1 : at][::-1])
            if (before.end() if before else 0) + behind.end() - at >= MAX_DIGITS:
                return True
    return False


def _as_json(simple: str) -> str:
    """A simple object with single quotes and Python's words as JSON; of the same length. "" where it holds what JSON lacks."""
    if '"' in simple or "(" in simple or "\\" in simple:
        return ""
    written = simple.replace("'", '"')
    if _WORDS.search(written):
        pieces = written.split('"')
        outside = '"'.join(pieces[::2])
        for word, same in (("True", "true"), ("False", "false"), ("None", "null")):
            outside = outside.replace(word, same)
        pieces[::2] = outside.split('"')
        written = '"'.join(pieces)
    return written


def _is_deep(text: str, start: int, end: int) -> bool:
    """Whether an object may have more than MAX_DEPTH levels of brackets."""
    if text.count("{", start, end) + text.count("[", start, end) <= MAX_DEPTH:
        return False
    written = text[start:end]
    return is_deeper((written if '"' in written else written.replace("'", '"')).encode("utf-8", "surrogatepass"), MAX_DEPTH)
