"""Any value as text: for feedback, for files, for the terminal. Never raises, whatever the value, and is linear in it.

Owns two forms. `render` is what a person or a model reads: JSON where JSON can say it, Python's spelling for the rest.
`json_form` is what a file gets: JSON and nothing else, so that every reader reads it. Values may come from hostile programs
and texts, of any depth and with keys that nothing can sort; no method of a value that is not plain is called.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from .judging.keys import json_name
from .protocol.values import float_text, type_name

MAX_LEVELS: Final = 500
"""Levels of brackets that `json_form` keeps: what stands deeper is written as text."""

_text = json.encoder.encode_basestring_ascii


def render(value: Any) -> str:
    """`{"a": [1, null], "b": (1, 2)}`: ASCII, one line, as long as it takes."""
    parts: list[str] = []
    above: list[tuple[Iterator[Any], str]] = []
    items, closing = _items(value)
    if items is None:
        return _scalar(value)
    parts.append(_opening(value))
    first = True
    while True:
        for item in items:
            lead = "" if first else ", "
            first = False
            if type(item) is _Entry:
                parts.append(lead + _key(item.key) + ": ")
                lead, item = "", item.value
            inner, end = _items(item)
            if inner is None:
                parts.append(lead + _scalar(item))
                continue
            parts.append(lead + _opening(item))
            above.append((items, closing))
            items, closing, first = inner, end, True
            break
        else:
            parts.append(closing)
            if not above:
                return "".join(parts)
            items, closing = above.pop()
            first = False


class _Entry:
    __slots__ = ("key", "value")

    def __init__(self, key: Any, value: Any) -> None:
        self.key, self.value = key, value


def _items(value: Any) -> tuple[Iterator[Any] | None, str]:
    """What a container holds and its closing bracket; None for everything else."""
    kind = type(value)
    if kind is dict:
        return (_Entry(key, item) for key, item in value.items()), "}"
    if kind is list:
        return iter(value), "]"
    if kind is tuple:
        return iter(value), ",)" if len(value) == 1 else ")"
    if kind is set and value:
        return iter(_in_order(value)), "}"
    if kind is frozenset and value:
        return iter(_in_order(value)), "})"
    return None, ""


def _opening(value: Any) -> str:
    kind = type(value)
    return "[" if kind is list else "(" if kind is tuple else "frozenset({" if kind is frozenset else "{"


def _in_order(elements: Any) -> list[Any]:
    """In one order, whatever the hash seed."""
    if all(type(element) is int for element in elements) or all(type(element) is str for element in elements):
        return sorted(elements)
    return sorted(elements, key=render)


def _key(key: Any) -> str:
    if type(key) is str:
        return _text(key)
    return render(key)


def _scalar(value: Any) -> str:
    kind = type(value)
    if kind is str:
        return _text(value)
    if value is None or kind is bool or kind is int:
        return json_name(value) or f"an integer of {(value or 0).bit_length()} bits"
    if kind is float:
        return float_text(value)
    if kind is bytes or kind is complex:
        return repr(value)
    if kind is set or kind is frozenset:
        return f"{kind.__name__}()"
    return f"<{type_name(kind)}>"


def json_form(value: Any, levels: int = MAX_LEVELS) -> Any:
    """A value that `json.dumps` takes: tuples as lists, sets as sorted lists, bytes as text of one byte a character, keys that
    JSON has no form for as their text, and so everything else."""
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if kind is bytes:
        return value.decode("latin-1")
    if kind not in (dict, list, tuple, set, frozenset):
        return render(value)
    if not levels:
        return render(value)
    if kind is dict:
        return {_name(key): json_form(item, levels - 1) for key, item in value.items()}
    return [json_form(item, levels - 1) for item in (_in_order(value) if kind in (set, frozenset) else value)]


def _name(key: Any) -> str:
    name = json_name(key)
    return render(key) if name is None else name
