"""One `{...}` in a text, read as JSON or as a Python literal, without recursion and without evaluating anything.

Owns brackets: what is complete, how deep it is, what it is worth. Which of several objects is the answer, and whether
JSON's own reading of it goes first, is decided by the callers.

The grammar is the union of JSON and of Python literals, freely mixed: both kinds of quotes and of words, tuples, sets,
bytes, complex numbers, trailing commas, comments without braces, raw newlines in strings, keys without quotes, constructors
as `repr` writes them, and brackets and quotes as LaTeX, word processors and input methods write them. Not so
`ast.literal_eval`: it refuses such mixtures, warns, needs to be told where the value ends, and can crash on deep ones.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from reexec.engine.protocol import values

from .budget import Budget
from .constructors import RefusedError, construct, distinct
from .scalars import (
    BARE,
    CALL,
    DOUBLE_QUOTES,
    MARK,
    NUMBER,
    OPTION,
    RUN,
    SINGLE_QUOTES,
    SPACES,
    STRING,
    TOKEN,
    TUPLES,
    TYPOGRAPHIC,
    WORD,
    mark_of,
    pieces_of,
    read_number,
    read_run,
    read_string,
    read_tuples,
    read_typographic,
    read_word,
    without_latex,
)

MAX_DEPTH: Final = values.MAX_DEPTH + 1
"""Levels of brackets a value may have, as a result has them: far beyond any recorded value, far below where recursive readers
of it (repr, json, comparison, hashing) fail."""

TOO_MANY_DIGITS: Final = "too many digits"
TOO_DEEP: Final = "nested too deeply"
TOO_MANY_COLLISIONS: Final = "too many colliding keys"

_CLOSERS: Final = {"{": "}", "[": "]", "(": ")", "t": "}"}
_QUOTES: Final = DOUBLE_QUOTES + SINGLE_QUOTES + "\"'"

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
    style: Literal["", "json", "python"] = ""
    """How it is written, where JSON's own reader has read it."""
    has_bare_keys: bool = False
    """Keys in it stand without quotes."""


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
    end: int
    """How far it has looked."""


class _Frame:
    """An open bracket and what was read since."""

    __slots__ = ("bare", "call", "form", "found", "height", "keyed", "opener", "refusal", "start", "values")

    def __init__(self, opener: str, start: int, call: str = "") -> None:
        self.opener = opener
        self.start = start
        self.call = call  # the CALL token, where this is the bracket of a constructor
        self.values: list[Any] = []  # of a dict: key, value, key, value
        self.form = ""  # "dict", "set" or "tuple" once a colon or comma has told
        self.keyed = False  # the wanted key was seen
        self.bare = False  # a key without quotes was seen, here or inside
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
        if self.call:
            return construct(self.call, values)
        if self.opener == "(":
            return tuple(values) if self.form or not values else values[0]
        if self.opener == "t":
            (value,) = values
            return value
        if self.form == "dict" or not values:
            return dict(zip(distinct(values[::2]), values[1::2], strict=True))
        return set(distinct(values))


def is_key(written: str, key: str) -> bool:
    """Whether a STRING or TYPOGRAPHIC token is the key, written plainly between two quotes."""
    return len(written) == len(key) + 2 and written[0] in _QUOTES and written[1:-1] == key


def read_object(
    text: str, start: int, key: str, inner_object: Callable[[str], Found | None], budget: Budget
) -> Complete | Unfinished:
    """Read the dict or set whose `{` stands at text[start]. `inner_object` reads a string that is an object by itself.

    Takes time linear in what is read, to any depth, spends the budget for it, and never raises. A number over the limit
    makes every object around it a refused one, and so do too many levels and keys that share a hash; they count as
    complete.
    """
    next_token = TOKEN.match
    latex = start > 0 and text[start - 1] == "\\"
    stack: list[_Frame] = []
    frame = _Frame("{", start)
    position = start + 1
    expected = _ITEM
    written = ""  # the value just read as it is written, where it is a string
    value: Any
    token: re.Match[str] | None = None
    steps = budget.steps
    while steps > 0 and (token := next_token(text, position)):
        steps -= 1
        position = token.end()
        kind = token.lastindex
        if kind == MARK:
            mark = mark_of(token[MARK])
            if mark == ",":
                if expected != _AFTER or (frame.form == "dict" and len(frame.values) % 2):
                    break
                if not frame.form and frame.opener != "[":
                    frame.form = "set" if frame.opener == "{" else "tuple"
                expected = _ITEM
                if frame.form != "dict" and frame.opener in "[{(":
                    if run := RUN.match(text, position):
                        frame.values += read_run(run[0])
                        position = run.end()
                    elif run := TUPLES.match(text, position):
                        frame.values += read_tuples(run[0])
                        frame.height = max(frame.height, 1)
                        position = run.end()
                continue
            if mark == ":":
                if expected != _AFTER or frame.opener != "{" or frame.form == "set" or not len(frame.values) % 2:
                    break
                frame.form = "dict"
                frame.keyed = frame.keyed or is_key(written, key)
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
            except RefusedError:
                frame.refusal, value = TOO_MANY_COLLISIONS, None
            except (ValueError, TypeError):
                break
            if frame.opener == "{":
                if frame.keyed:
                    refusal = frame.refusal or (TOO_DEEP if frame.height > MAX_DEPTH else "")
                    frame.found = Found(frame.start, position, value, refusal, has_bare_keys=frame.bare)
                if not stack:
                    budget.take(budget.steps - steps, position - start)
                    return Complete(position, frame.found)
            inner, frame = frame, stack.pop()
            frame.height = max(frame.height, inner.height + 1)
            frame.bare = frame.bare or inner.bare
            frame.refusal = frame.refusal or inner.refusal
            frame.found = inner.found or frame.found
            if inner.opener != "t":
                written = ""
        elif kind == OPTION:
            if expected != _ITEM or not frame.call or not frame.values:
                break
            expected = _AFTER
            continue
        else:
            if expected == _AFTER:
                break
            if kind == CALL:
                stack.append(frame)
                frame = _Frame("(", position - 1, token[CALL])
                expected = _ITEM
                continue
            written = ""
            try:
                if kind == STRING:
                    written = without_latex(token[STRING]) if latex else token[STRING]
                    steps -= pieces_of(written)
                    if steps <= 0:
                        break
                    value = read_string(written)
                    if expected == _VALUE or frame.opener == "[":
                        budget.take(budget.steps - steps)
                        frame.found = _object_in(value, token.start(STRING), position, inner_object) or frame.found
                        steps = budget.steps
                elif kind == NUMBER:
                    value = read_number(token[NUMBER])
                    if value is None:
                        frame.refusal = frame.refusal or TOO_MANY_DIGITS
                elif kind == WORD:
                    value = read_word(token[WORD])
                elif kind == BARE:
                    if expected != _ITEM or frame.opener != "{" or frame.form == "set":
                        break
                    value = token[BARE]
                    written, frame.bare = f'"{value}"', True
                else:
                    assert kind == TYPOGRAPHIC
                    written = without_latex(token[TYPOGRAPHIC]) if latex else token[TYPOGRAPHIC]
                    steps -= written.count("\\")
                    if steps <= 0:
                        break
                    value = read_typographic(written)
            except ValueError:
                break
        frame.values.append(value)
        expected = _AFTER
    stack.append(frame)
    stops = _stops_at(text, position) if token is None else position
    budget.take(budget.steps - steps + (steps <= 0), stops - start)
    return Unfinished(
        opened=[each.start for each in stack if each.opener == "{"],
        keyed=any(each.keyed for each in stack),
        cut_off=token is None and stops == len(text),
        end=stops,
    )


def _object_in(value: str | bytes, start: int, end: int, inner_object: Callable[[str], Found | None]) -> Found | None:
    """The object that a string is as a whole, at the place of the string."""
    if not isinstance(value, str) or "}" not in value[-9:]:
        return None
    found = inner_object(value)
    return Found(start, end, found.value, found.refusal) if found else None


def _stops_at(text: str, position: int) -> int:
    """How far a reading that finds no token has looked: to the end, where only space or a string without an end is left."""
    spaces = SPACES.match(text, position)
    at = spaces.end() if spaces else position
    return len(text) if at == len(text) or text[at] in _QUOTES else at
