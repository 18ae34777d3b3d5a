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
    return "".join(_forwards(value))


def render_ends(value: Any, tail: int, limit: int) -> tuple[str, str]:
    """(the whole text, "") where it has at most `limit` characters; else the beginning, of more than `limit` of them, and the
    end, of `tail` or more. Takes time for what it returns, and not for what lies between; strings, numbers and sets are read
    whole."""
    head = _joined(_forwards(value), limit + 1)
    if len(head) <= limit:
        return head, ""
    return head, _joined(_backwards(value), tail, backwards=True)


def _joined(pieces: Iterator[str], enough: int, backwards: bool = False) -> str:
    taken: list[str] = []
    for piece in pieces:
        taken.append(piece)
        enough -= len(piece)
        if enough <= 0:
            break
    return "".join(reversed(taken) if backwards else taken)


def _forwards(value: Any) -> Iterator[str]:
    above: list[tuple[Iterator[Any], str]] = []
    items, closing = _items(value)
    if items is None:
        yield _scalar(value)
        return
    yield _opening(value)
    first = True
    while True:
        for item in items:
            lead = "" if first else ", "
            first = False
            if type(item) is _Entry:
                if type(item.key) is str:
                    yield lead + _text(item.key) + ": "
                else:
                    yield lead
                    yield from _forwards(item.key)
                    yield ": "
                lead, item = "", item.value
            inner, end = _items(item)
            if inner is None:
                yield lead + _scalar(item)
                continue
            yield lead + _opening(item)
            above.append((items, closing))
            items, closing, first = inner, end, True
            break
        else:
            yield closing
            if not above:
                return
            items, closing = above.pop()
            first = False


def _backwards(value: Any) -> Iterator[str]:
    """The same text from its end to its beginning, in other pieces."""
    above: list[tuple[Iterator[Any], int, str, str]] = []  # items to be read, how many, what is between and before them
    lead = ""
    while True:
        items, closing = _items(value, backwards=True)
        if type(value) is _Entry:
            above.append((iter((value.value, value.key)), 2, ": ", lead))
        elif items is None:
            yield lead + _scalar(value)
        else:
            yield closing
            above.append((items, len(value), ", ", lead + _opening(value)))
        while above:
            items, left, between, before = above.pop()
            if left:
                value, lead = next(items), between if left > 1 else ""
                above.append((items, left - 1, between, before))
                break
            yield before
        else:
            return


class _Entry:
    __slots__ = ("key", "value")

    def __init__(self, key: Any, value: Any) -> None:
        self.key, self.value = key, value


def _items(value: Any, backwards: bool = False) -> tuple[Iterator[Any] | None, str]:
    """What a container holds and its closing bracket; None for everything else."""
    kind = type(value)
    order: Any = reversed if backwards else iter
    if kind is dict:
        return (_Entry(key, item) for key, item in order(value.items())), "}"
    if kind is list:
        return order(value), "]"
    if kind is tuple:
        return order(value), ",)" if len(value) == 1 else ")"
    if kind is set and value:
        return order(_in_order(value)), "}"
    if kind is frozenset and value:
        return order(_in_order(value)), "})"
    return None, ""


def _opening(value: Any) -> str:
    kind = type(value)
    return "[" if kind is list else "(" if kind is tuple else "frozenset({" if kind is frozenset else "{"


def _in_order(elements: Any) -> list[Any]:
    """In one order, whatever the hash seed."""
    kinds = set(map(type, elements))
    if kinds == {int} or kinds == {str}:
        return sorted(elements)
    return sorted(elements, key=_place)


def _place(element: Any) -> str:
    """`render(element)`."""
    kind = type(element)
    if kind is str:
        return _text(element)
    if kind is int or kind is float:
        return _scalar(element)
    return render(element)


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
