"""One `{...}` in a text, read as JSON or as a Python literal, without recursion and without evaluating anything.

Owns brackets: what is complete, how deep it is, what it is worth. Which of several objects is the answer, and whether
JSON's own reading of it goes first, is decided by the callers.

The grammar is the union of JSON and of Python literals, freely mixed: both kinds of quotes and of words, tuples, sets,
bytes, complex numbers, trailing commas, comments without quotes or braces, raw newlines in strings. Not so
`ast.literal_eval`: it refuses such mixtures, warns, needs to be told where the value ends, and can crash on deep ones.
"""

from dataclasses import dataclass
from typing import Any, Final

from .scalars import MARK, NUMBER, SPACES, STRING, TOKEN, WORD, read_number, read_string, read_word

MAX_DEPTH: Final = 200
"""Levels of brackets a value may have: far beyond any recorded value, far below where recursive readers of it (repr,
json, comparison, hashing) fail."""

TOO_MANY_DIGITS: Final = "too many digits"
TOO_DEEP: Final = "nested too deeply"
TOO_MANY_COLLISIONS: Final = "too many colliding keys"

_CLOSERS: Final = {"{": "}", "[": "]", "(": ")"}
_COLLISIONS_FROM: Final = 1000  # fewer colliding keys than this cost under 10 ms

# What may come next.
_ITEM: Final = 0  # a value, or the closing bracket: after an opening one and after a comma
_VALUE: Final = 1  # a value: after a colon
_AFTER: Final = 2  # a separator, or the closing bracket: after a value


@dataclass(frozen=True, slots=True)
class Found:
    """A complete object that has the wanted key. `refusal` says which limit it breaks; `value` is then None."""

    start: int
    end: int
    value: Any
    refusal: str


@dataclass(frozen=True, slots=True)
class Complete:
    """A complete `{...}` up to text[end]; `found`: itself where it has the key, else the last such object in it."""

    end: int
    found: Found | None


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What a reading that came to no end has learnt all the same.

    Each `{` in `opened` was still open: reading from there fails at the same place. `keyed`: one of these objects has
    the wanted key; `cut_off`: the text ended.
    """

    opened: list[int]
    keyed: bool
    cut_off: bool


class _Frame:
    """An open bracket and what was read since."""

    __slots__ = ("form", "found", "height", "keyed", "opener", "refusal", "start", "values")

    def __init__(self, opener: str, start: int) -> None:
        self.opener = opener
        self.start = start
        self.values: list[Any] = []  # of a dict: key, value, key, value
        self.form = ""  # "dict", "set" or "tuple" once a colon or comma has told
        self.keyed = False  # the wanted key was seen
        self.height = 0  # levels of brackets inside
        self.refusal = ""
        self.found: Found | None = None  # the last keyed object inside

    def build(self) -> Any:
        """The value, None where a limit is broken. Raises ValueError or TypeError where this is no value."""
        values = self.values
        if self.form == "dict" and len(values) % 2:
            raise ValueError("a key without a value")
        if self.refusal or self.height > MAX_DEPTH:  # also keeps hash(), which recurses unguarded, from deep tuples
            values.clear()
            return None
        if self.opener == "[":
            return values
        if self.opener == "(":
            return tuple(values) if self.form or not values else values[0]
        keys = values[::2] if self.form == "dict" else values
        if len(keys) > _COLLISIONS_FROM and _collide(keys):
            self.refusal = TOO_MANY_COLLISIONS
            return None
        return dict(zip(keys, values[1::2], strict=True)) if self.form == "dict" or not values else set(values)


def _collide(keys: list[Any]) -> bool:
    """True for keys made to share a hash, which makes a dict quadratic; those of strings are secret and cannot be."""
    open_hashes = [hash(key) for key in keys if not isinstance(key, str | bytes)]
    return len(open_hashes) > _COLLISIONS_FROM and len(set(open_hashes)) * 8 < len(open_hashes)


def read_object(text: str, start: int, spellings: tuple[str, ...]) -> Complete | Unfinished:
    """Read the dict or set whose `{` stands at text[start]. `spellings`: the wanted key as it is written, with quotes.

    Takes time linear in what is read, to any depth, and never raises. A number over the limit makes every object around
    it a refused one, and so do too many levels; both count as complete.
    """
    next_token = TOKEN.match
    stack: list[_Frame] = []
    frame = _Frame("{", start)
    position = start + 1
    expected = _ITEM
    written = ""  # the value just read as it is written, where it is a string
    value: Any
    while token := next_token(text, position):
        position = token.end()
        kind = token.lastindex
        if kind == MARK:
            mark = token[MARK]
            if mark == ",":
                if expected != _AFTER or (frame.form == "dict" and len(frame.values) % 2):
                    break
                if not frame.form and frame.opener != "[":
                    frame.form = "set" if frame.opener == "{" else "tuple"
                expected = _ITEM
                continue
            if mark == ":":
                if expected != _AFTER or frame.opener != "{" or frame.form == "set" or not len(frame.values) % 2:
                    break
                frame.form = "dict"
                frame.keyed = frame.keyed or written in spellings
                expected = _VALUE
                continue
            if mark in _CLOSERS:
                if expected == _AFTER:
                    break
                stack.append(frame)
                frame = _Frame(mark, position - 1)
                expected = _ITEM
                continue
            if expected == _VALUE or mark != _CLOSERS[frame.opener]:
                break
            try:
                value = frame.build()
            except (ValueError, TypeError):
                break
            if frame.opener == "{":
                if frame.keyed:
                    refusal = frame.refusal or (TOO_DEEP if frame.height > MAX_DEPTH else "")
                    frame.found = Found(frame.start, position, value, refusal)
                if not stack:
                    return Complete(position, frame.found)
            inner, frame = frame, stack.pop()
            frame.height = max(frame.height, inner.height + 1)
            frame.refusal = frame.refusal or inner.refusal
            frame.found = inner.found or frame.found
            written = ""
        else:
            if expected == _AFTER:
                break
            written = ""
            try:
                if kind == STRING:
                    written = token[STRING]
                    value = read_string(written)
                elif kind == NUMBER:
                    value = read_number(token[NUMBER])
                    if value is None:
                        frame.refusal = frame.refusal or TOO_MANY_DIGITS
                else:
                    value = read_word(token[WORD])
            except ValueError:
                break
        frame.values.append(value)
        expected = _AFTER
    stack.append(frame)
    return Unfinished(
        opened=[each.start for each in stack if each.opener == "{"],
        keyed=any(each.keyed for each in stack),
        cut_off=token is None and _ends_at(text, position),
    )


def _ends_at(text: str, position: int) -> bool:
    """True where nothing but space, or a string without an end, is left of the text."""
    spaces = SPACES.match(text, position)
    at = spaces.end() if spaces else position
    return at == len(text) or text[at] in "\"'"
