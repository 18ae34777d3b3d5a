"""JSON text of rows, exact: integers of any length stay integers, and a row that only gains members keeps its own text."""

import codecs
import json
import re
import sys
from collections.abc import Callable
from typing import Any

from pydantic_core import from_json

from reexec.engine.decoding import UnreadableError, is_deeper, read_json
from reexec.engine.rendering import json_form, render, render_ends

MAX_QUOTED_CHARACTERS = 600
_SHOWN_AT_ENDS = MAX_QUOTED_CHARACTERS // 2 - 20
_COUNTED_CHARACTERS = 2000
"""Of a longer value nobody counts how much is left out: that would take writing all of it."""
_FEW_NODES = 500
BOM = codecs.BOM_UTF8
"""Some editors and spreadsheets begin a file with it. It says nothing."""
MAX_LEVELS = 400
"""Levels of brackets that a row may have: what it is made of has 200 at most."""


class BadRowError(ValueError):
    """A row that cannot be used; the message says why and ends with the path where there is one."""


def parse_row(line: bytes) -> dict[str, Any]:
    """The object on a line. Raises BadRowError."""
    try:
        row = from_json(line, cache_strings="keys")
    except ValueError:  # no JSON, or what this reader does not take: lone surrogates, a mark in front, very long numbers
        row = _parsed_slowly(line)
    if not isinstance(row, dict):
        raise BadRowError(f"expected a JSON object, got {kind_of(row)}")
    return row


def _parsed_slowly(line: bytes) -> Any:
    """The value on a line as Python's own reader takes it, and in its words what is wrong. Raises BadRowError."""
    if line.count(b"[") + line.count(b"{") > MAX_LEVELS and is_deeper(line, MAX_LEVELS):
        raise BadRowError(f"nested deeper than {MAX_LEVELS}")
    try:
        text = line.removeprefix(BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRowError(f"not UTF-8 at byte {error.start}") from None
    try:
        return json.loads(text)
    except RecursionError:
        raise BadRowError("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise BadRowError(f"not JSON: {error.msg.lower()} at character {error.pos}") from None
    except ValueError:  # an integer past the interpreter's limit on digits
        try:
            return read_json(_ascii(text))
        except UnreadableError as error:
            raise BadRowError(str(error)) from None


def _ascii(text: str) -> bytes:
    """The same JSON with other characters as escapes, for the reader that takes ASCII only."""
    return _OTHERS.sub(lambda other: json.dumps(other[0])[1:-1], text).encode("ascii")


_OTHERS = re.compile("[^\x00-\x7f]+")


def kind_of(value: Any) -> str:
    """What JSON calls a value's kind."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else f"a {type(value).__name__}")


def dump(value: Any) -> str:
    """Compact JSON text, ASCII only, so that lone surrogates survive."""
    return _with_all_digits(_encoder.encode, value)


def dump_line(value: Any) -> bytes:
    """A row's line, without its end."""
    return _with_all_digits(_encoder.encode, value).encode("ascii")


def dump_readable(value: Any) -> str:
    """Compact JSON text as a person or a model reads it: other scripts as they are, and escapes only for lone surrogates,
    which are no characters."""
    text = _with_all_digits(_readable.encode, value)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return dump(value)
    return text


def quoted(value: Any) -> str:
    """A value for a person or a model, cut in the middle: JSON where JSON can say it, Python's spelling for the rest. Takes
    time for what is shown of it, however many values it holds."""
    if _has_few_nodes(value):
        return _cut(render(value), "")
    return _cut(*render_ends(value, _SHOWN_AT_ENDS, _COUNTED_CHARACTERS))


def quoted_json(value: Any) -> str:
    """The same of a value that was read as JSON, several times as fast where it is small."""
    try:
        return _cut(_encoder.encode(value), "") if _has_few_nodes(value) else quoted(value)
    except (ValueError, RecursionError):
        return quoted(value)


def _has_few_nodes(value: Any) -> bool:
    """Whether a value holds so few others that all of it may be written out."""
    level, nodes = [value], 0
    while level:
        inside: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is dict or kind is list or kind is tuple or kind is set or kind is frozenset:
                if len(inside) + len(item) > _FEW_NODES:
                    return False
                inside += item
                if kind is dict:
                    inside += item.values()
        nodes += len(inside)
        if nodes > _FEW_NODES:
            return False
        level = inside
    return True


def _cut(text: str, end: str) -> str:
    """`end`: the end of a text that is longer than `text`, "" where `text` is all of it."""
    if end:
        left_out = _COUNTED_CHARACTERS - 2 * _SHOWN_AT_ENDS
        return f"{text[:_SHOWN_AT_ENDS]} ... (more than {left_out} characters left out) ... {end[-_SHOWN_AT_ENDS:]}"
    if len(text) <= MAX_QUOTED_CHARACTERS:
        return text
    left_out = len(text) - 2 * _SHOWN_AT_ENDS
    return f"{text[:_SHOWN_AT_ENDS]} ... ({left_out} characters left out) ... {text[-_SHOWN_AT_ENDS:]}"


def _with_all_digits(encode: Callable[[Any], str], value: Any) -> str:
    """`encode(value)`; never raises. Where that meets an integer past the interpreter's limit on digits, the limit is lifted
    around it; what JSON has no form for is given one."""
    try:
        return encode(value)
    except (ValueError, TypeError, RecursionError):
        before = sys.get_int_max_str_digits()
        sys.set_int_max_str_digits(0)
        try:
            return encode(json_form(value))
        finally:
            sys.set_int_max_str_digits(before)


_encoder = json.JSONEncoder(separators=(", ", ": "), default=json_form)
_readable = json.JSONEncoder(separators=(", ", ": "), ensure_ascii=False, default=json_form)


def splice(line: bytes, row: dict[str, Any], members: dict[str, Any]) -> bytes:
    """`line` (the text of `row`) with `members` added at its end, everything else byte for byte as it was. Where the row
    has one of the members already, it is written anew."""
    if any(name in row for name in members):
        return dump({**{k: v for k, v in row.items() if k not in members}, **members}).encode("ascii")
    return with_members(line, row, dump(members)[1:-1])


def with_members(line: bytes, row: dict[str, Any], members: str) -> bytes:
    """`line` (the text of `row`) with the text of members that it lacks at its end: `"a": 1, "b": 2`."""
    head = line.rstrip()[:-1].rstrip()
    return b"".join((head, b", " if row else b"", members.encode("ascii"), b"}"))


def canonical(value: Any) -> bytes:
    """One spelling for equal values, as input of a digest."""
    return _with_all_digits(_canonical.encode, value).encode("ascii")


_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=json_form)
