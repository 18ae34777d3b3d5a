"""Whether a recorded value is small enough, judged alike on every host.

Owns the judgement; the bytes come from size_table.py. Judged is what `json.loads(json.dumps(value))` would be, without
making it, by values and never by identity. Sharing that a program made is gone there, so a list that occurs twice counts
twice. What the reader itself makes one object of is the same in every decode and counts once in a value, as pympler
counts it: the integers from -5 to 256, None, True, False, NaN and the infinities, the empty text, texts of one Latin-1
character, and equal keys. CodeI/O asked the live objects of the interpreter that ran the function, where one value
has many sizes.

Reading goes from left to right and ends at the first fault: too many entries or characters, a scalar too large, or a
container that begins when the whole value is too large already (no part is larger than the whole, so the outermost
level decides for every level). There are two walks with the same answers: `_measure` for lists and dicts as JSON makes
them, by recursion and as fast as may be, and `_walk` for everything else, with a stack of its own.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from reexec.policies.size import SizeRule

from .keys import json_name
from .paths import Step, render_path
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

type _Children = Iterator[tuple[Step, Any]]

_RECURSION: Final = 12
"""Levels that `_measure` descends: few, so as not to reach the end of the caller's stack."""


_NAN: Final = float("nan")
_TRUE: Final = object()
_FALSE: Final = object()
"""In place of those values in a set of what was seen, where True would be 1 and no two NaN the same."""

# JSON writes an astral character as two surrogates, so two that stand beside each other are read as one character.
_two_surrogates: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]").search


@dataclass(frozen=True, slots=True)
class SizeFinding:
    """The first thing that is too large: `$.rows[3]`, `24 entries, limit 20`."""

    path: str
    reason: str
    is_json: bool = True
    """False where the fault is that JSON cannot say it."""

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class _TooLarge(Exception):  # noqa: N818
    """An answer that ends the walk. `outwards` leads from what is too large to the value that was asked about."""

    def __init__(self, reason: str, *outwards: Step) -> None:
        super().__init__(reason)
        self.reason = reason
        self.outwards = list(outwards)


class _NotJson(_TooLarge):
    """What JSON cannot say is no size at all."""


class _TooLargeInAll(Exception):  # noqa: N818
    """The value as a whole has too many bytes, of which `size` were counted."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class _Unusual(Exception):  # noqa: N818
    """Something that `_measure` does not judge."""


def check_size(value: Any, rule: SizeRule) -> SizeFinding | None:
    """None where the value fits, otherwise what is too large and where. Never raises.

    A tuple is judged as a list and keys as JSON writes them, of equal ones the last; what JSON cannot say is a finding.
    """
    total = rule.total_bytes_below
    try:
        kind = type(value)
        if (kind is list or kind is dict) and rule.scalar_bytes_below > SMALL_INT_BYTES:
            try:
                depth = min(rule.max_depth, _RECURSION)
                size = _measure(value, 0, rule, rule.entries_below, rule.characters_below, total, depth, set())
            except _Unusual:
                size = _walk(value, rule)
        else:
            size = _walk(value, rule)
    except _TooLarge as found:
        return SizeFinding(render_path(reversed(found.outwards)), found.reason, not isinstance(found, _NotJson))
    except _TooLargeInAll as found:
        return SizeFinding("$", f"at least {found.size} bytes, limit {total}")
    return None if size < total else SizeFinding("$", f"{size} bytes, limit {total}")


def check_output_size(value: Any, rule: SizeRule) -> SizeFinding | None:
    """As `check_size`, for what a function returned: None is refused too, unless the rule allows it."""
    if value is None and rule.refuse_none_output:
        return SizeFinding("$", "an output of None")
    return check_size(value, rule)


def _measure(
    value: Any, size: int, rule: SizeRule, entries: int, characters: int, total: int, depth: int, seen: set[object]
) -> int:
    """`size` grown by the bytes of a list or dict. Sizes stand here in figures, for speed.

    Raises `_TooLarge`, `_TooLargeInAll` or `_Unusual`.
    """
    count = len(value)
    children: Iterable[Any] = value
    if count >= entries and (type(value) is list or _all_ascii(value)):
        raise _TooLarge(_entries_reason(count, entries))
    if count >= entries or count >= TABLED or depth < 0:
        raise _Unusual  # other keys may be read as one, and the entries are fewer
    if type(value) is list:
        size += LIST_BYTES[count]
    else:
        size += DICT_BYTES[count]
        children = value.values()
        for key in value:
            if type(key) is not str:
                raise _Unusual
            if key not in seen:
                length = len(key)
                if length < characters and key.isascii():
                    seen.add(key)
                    size += (48 + length) & ~7
                elif _two_surrogates(key):
                    raise _Unusual
                else:
                    size += _key_bytes(key, characters, seen)
    for child in children:
        kind = type(child)
        if kind is int and -(1 << 60) < child < (1 << 60):
            if not -6 < child < 257:
                size += 32
            elif child not in seen:
                seen.add(child)
                size += 32
        elif kind is str and len(child) < characters and child.isascii():
            if len(child) > 1:
                size += (48 + len(child)) & ~7
            elif child not in seen:
                seen.add(child)
                size += 48
        elif kind is float and child - child == 0:  # finite
            size += 24
        elif child is None:
            if None not in seen:
                seen.add(None)
                size += 16
        elif kind is bool:
            mark = _TRUE if child else _FALSE
            if mark not in seen:
                seen.add(mark)
                size += 32
        else:
            try:
                if kind is list or kind is dict:
                    if size >= total:
                        raise _TooLargeInAll(size)
                    size = _measure(child, size, rule, entries, characters, total, depth - 1, seen)
                else:
                    size += _leaf_bytes(child, rule, seen)
            except _TooLarge as found:
                found.outwards.append(_step_to(child, value))
                raise
    return size


def _all_ascii(keys: Iterable[Any]) -> bool:
    try:
        return "".join(keys).isascii()
    except TypeError:
        return False


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
    seen: set[object] = set()
    try:
        while True:
            for step, child in children:
                kind = type(child)
                if kind is list or kind is tuple or kind is dict:
                    if size >= rule.total_bytes_below:
                        raise _TooLargeInAll(size)
                    own, inner = _enter(child, rule, len(above), seen)
                    size += own
                    above.append(children)
                    steps.append(step)
                    children = inner
                    break
                size += _leaf_bytes(child, rule, seen)
            else:
                if not above:
                    return size
                children = above.pop()
                steps.pop()
    except _TooLarge as found:
        inside = [*steps, step][1:] if above else []  # the first step leads to the value itself
        found.outwards.extend(reversed(inside))
        raise


def _enter(value: Any, rule: SizeRule, depth: int, seen: set[object]) -> tuple[int, _Children]:
    """The bytes of a container itself with its keys, and what it holds. Raises `_TooLarge`."""
    members = _members(value) if type(value) is dict else value
    count = len(members)
    if count >= rule.entries_below:
        raise _TooLarge(_entries_reason(count, rule.entries_below))
    if depth > rule.max_depth:
        raise _TooLarge(f"nested deeper than {rule.max_depth}")
    if type(value) is not dict:
        return list_bytes(count), enumerate(value)
    size = dict_bytes(count)
    for name in members:
        size += _key_bytes(name, rule.characters_below, seen)
    return size, iter(members.items())


def _members(value: dict[Any, Any]) -> dict[str, Any]:
    """A dict under the names that JSON reads. Raises `_TooLarge`."""
    members = {}
    for key, child in value.items():
        name = json_name(key)
        if name is None:
            raise _NotJson("a key that JSON cannot write")
        members[_as_read(name)] = child
    return members


def _leaf_bytes(value: Any, rule: SizeRule, seen: set[object]) -> int:
    """The bytes of what is no container, none where the reader's one object of that value was seen before."""
    kind = type(value)
    if kind is str:
        text = _as_read(value)
        if len(text) >= rule.characters_below:
            raise _TooLarge(f"{len(text)} characters, limit {rule.characters_below}")
        if len(text) > 1 or text > "\xff":
            return text_bytes(text)
        return _once(text, text_bytes(text), seen)
    once: object = None
    shared = True
    if kind is int:
        size = int_bytes(value)
        shared = -6 < value < 257
        once = value
    elif kind is float:
        size = FLOAT_BYTES
        shared = value - value != 0
        once = value if value == value else _NAN
    elif kind is bool:
        size = SMALL_INT_BYTES
        once = _TRUE if value else _FALSE
    elif value is None:
        size = NONE_BYTES
    elif kind is tuple:
        raise _Unusual  # for `_walk`, which takes it for a list
    else:
        raise _NotJson("a type that JSON cannot write")
    if size >= rule.scalar_bytes_below:
        raise _TooLarge(f"{size} bytes, limit {rule.scalar_bytes_below}")
    return _once(once, size, seen) if shared else size


def _key_bytes(key: str, limit: int, seen: set[object]) -> int:
    if len(key) >= limit:
        raise _TooLarge(f"a key of {len(key)} characters, limit {limit}", key)
    return _once(key, text_bytes(key), seen)


def _once(value: object, size: int, seen: set[object]) -> int:
    """`size` where the value was not seen before, otherwise nothing."""
    if value in seen:
        return 0
    seen.add(value)
    return size


def _as_read(text: str) -> str:
    if text.isascii() or not _two_surrogates(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _entries_reason(count: int, limit: int) -> str:
    return f"{count} entries, limit {limit}"
