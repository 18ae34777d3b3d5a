"""Whether a recorded value is small enough, judged alike on every host.

Owns the judgement; the bytes come from size_table.py. Judged is the value as JSON reads it, without sharing: what
occurs twice counts twice. The original asked the live objects of the interpreter that ran the function, where one value
has many sizes.

Reading goes from left to right and ends at the first fault: too many entries or characters, a scalar too large, or a
container that begins when the whole value is too large already (no part is larger than the whole, so the outermost
level decides for every level). There are two walks with the same answers: `_measure` for lists and dicts as JSON makes
them, by recursion and as fast as may be, and `_walk` for everything else, with a stack of its own.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from reexec.policies.size import SizeRule

from .comparator_keys import json_name
from .size_table import (
    DICT_BYTES,
    FLOAT_BYTES,
    LIST_BYTES,
    NONE_BYTES,
    SMALL_INT_BYTES,
    TABLED,
    dict_bytes,
    int_bytes,
    list_bytes,
    text_bytes,
)
from .value_path import Step, render_path

type _Children = Iterator[tuple[Step, Any]]

_RECURSION: Final = 12
"""Levels that `_measure` descends: few, so as not to reach the end of the caller's stack."""


@dataclass(frozen=True, slots=True)
class SizeFinding:
    """The first thing that is too large: `$.rows[3]`, `24 entries, limit 20`."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class _TooLarge(Exception):  # noqa: N818
    """An answer that ends the walk. `outwards` leads from what is too large to the value that was asked about."""

    def __init__(self, reason: str, *outwards: Step) -> None:
        super().__init__(reason)
        self.reason = reason
        self.outwards = list(outwards)


class _TooLargeInAll(Exception):  # noqa: N818
    """The value as a whole has too many bytes, of which `size` were counted."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class _Unusual(Exception):  # noqa: N818
    """Something that `_measure` does not judge."""


def strict_check_size(value: Any, rule: SizeRule) -> SizeFinding | None:
    """None where the value fits, otherwise what is too large and where. Never raises.

    A tuple is judged as a list and keys as JSON writes them; what JSON cannot say is a finding.
    """
    total = rule.total_bytes_below
    try:
        kind = type(value)
        if (kind is list or kind is dict) and rule.scalar_bytes_below > SMALL_INT_BYTES:
            try:
                depth = min(rule.max_depth, _RECURSION)
                size = _measure(value, 0, rule, rule.entries_below, rule.characters_below, total, depth)
            except _Unusual:
                size = _walk(value, rule)
        else:
            size = _walk(value, rule)
    except _TooLarge as found:
        return SizeFinding(render_path(reversed(found.outwards)), found.reason)
    except _TooLargeInAll as found:
        return SizeFinding("$", f"at least {found.size} bytes, limit {total}")
    return None if size < total else SizeFinding("$", f"{size} bytes, limit {total}")


def check_output_size(value: Any, rule: SizeRule) -> SizeFinding | None:
    """As `strict_check_size`, for what a function returned: None is refused too, unless the rule allows it."""
    if value is None and rule.refuse_none_output:
        return SizeFinding("$", "an output of None")
    return strict_check_size(value, rule)


def _measure(value: Any, size: int, rule: SizeRule, entries: int, characters: int, total: int, depth: int) -> int:
    """`size` grown by the bytes of a list or dict. Sizes stand here in figures, for speed.

    Raises `_TooLarge`, `_TooLargeInAll` or `_Unusual`.
    """
    count = len(value)
    if count >= entries:
        raise _TooLarge(_entries_reason(count, entries))
    if count >= TABLED or depth < 0:
        raise _Unusual
    children: Iterable[Any] = value
    if type(value) is list:
        size += LIST_BYTES[count]
    else:
        size += DICT_BYTES[count]
        children = value.values()
        for key in value:
            if type(key) is not str:
                raise _Unusual
            length = len(key)
            if length < characters and key.isascii():
                size += (48 + length) & ~7
            else:
                size += _key_bytes(key, characters)
    for child in children:
        kind = type(child)
        if kind is int and -(1 << 60) < child < (1 << 60):
            size += 32
        elif kind is str and len(child) < characters and child.isascii():
            size += (48 + len(child)) & ~7
        elif kind is float:
            size += 24
        elif kind is bool:
            size += 32
        elif child is None:
            size += 16
        else:
            try:
                if kind is list or kind is dict:
                    if size >= total:
                        raise _TooLargeInAll(size)
                    size = _measure(child, size, rule, entries, characters, total, depth - 1)
                else:
                    size += _leaf_bytes(child, rule)
            except _TooLarge as found:
                found.outwards.append(_step_to(child, value))
                raise
    return size


def _step_to(child: Any, value: Any) -> Step:
    """Where the child was met. Of places that share it the first is right: there it was too large already."""
    places: Iterable[tuple[Step, Any]] = enumerate(value) if type(value) is list else value.items()
    for step, other in places:
        if other is child:
            return step
    raise _Unusual  # changed by another thread


def _walk(value: Any, rule: SizeRule) -> int:
    """The bytes of any value. Raises `_TooLarge` or `_TooLargeInAll`."""
    steps: list[Step] = []
    above: list[_Children] = []
    children: _Children = iter(((0, value),))
    step: Step = 0
    size = 0
    try:
        while True:
            for step, child in children:
                kind = type(child)
                if kind is list or kind is tuple or kind is dict:
                    if size >= rule.total_bytes_below:
                        raise _TooLargeInAll(size)
                    own, inner = _enter(child, rule, len(above))
                    size += own
                    above.append(children)
                    steps.append(step)
                    children = inner
                    break
                size += _leaf_bytes(child, rule)
            else:
                if not above:
                    return size
                children = above.pop()
                steps.pop()
    except _TooLarge as found:
        inside = [*steps, step][1:] if above else []  # the first step leads to the value itself
        found.outwards.extend(reversed(inside))
        raise


def _enter(value: Any, rule: SizeRule, depth: int) -> tuple[int, _Children]:
    """The bytes of a container itself with its keys, and what it holds. Raises `_TooLarge`."""
    count = len(value)
    if count >= rule.entries_below:
        raise _TooLarge(_entries_reason(count, rule.entries_below))
    if depth > rule.max_depth:
        raise _TooLarge(f"nested deeper than {rule.max_depth}")
    if type(value) is not dict:
        return list_bytes(count), enumerate(value)
    size = dict_bytes(count)
    members: list[tuple[Step, Any]] = []
    for key, child in value.items():
        name = json_name(key)
        if name is None:
            raise _TooLarge("a key that JSON cannot write")
        size += _key_bytes(name, rule.characters_below)
        members.append((name, child))
    return size, iter(members)


def _leaf_bytes(value: Any, rule: SizeRule) -> int:
    kind = type(value)
    if kind is str:
        if len(value) >= rule.characters_below:
            raise _TooLarge(f"{len(value)} characters, limit {rule.characters_below}")
        return text_bytes(value)
    if kind is int:
        size = int_bytes(value)
    elif kind is float:
        size = FLOAT_BYTES
    elif kind is bool:
        size = SMALL_INT_BYTES
    elif value is None:
        size = NONE_BYTES
    elif kind is tuple:
        raise _Unusual  # for `_walk`, which takes it for a list
    else:
        raise _TooLarge("a type that JSON cannot write")
    if size >= rule.scalar_bytes_below:
        raise _TooLarge(f"{size} bytes, limit {rule.scalar_bytes_below}")
    return size


def _key_bytes(key: str, limit: int) -> int:
    if len(key) >= limit:
        raise _TooLarge(f"a key of {len(key)} characters, limit {limit}", key)
    return text_bytes(key)


def _entries_reason(count: int, limit: int) -> str:
    return f"{count} entries, limit {limit}"
