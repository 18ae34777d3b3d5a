"""Whether a recorded value is small enough, judged alike on every host.

Owns the sizes: a frozen table of CPython 3.12 on 64 bits, as pympler's `asizeof` adds them up (each object's
`sys.getsizeof`, rounded up to 8 bytes), but for the value as JSON reads it and without sharing: what occurs twice
counts twice. The original asked the live objects of the interpreter that ran the function, where one value has many.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from reexec.policies.size import SizeRule

from .comparator_keys import json_name
from .value_path import Step, render_path

type _Children = Iterator[tuple[Step, Any]]

_NONE_BYTES: Final = 16
_FLOAT_BYTES: Final = 24
_SMALL_INT_BYTES: Final = 32  # 28 with one digit of 30 bits, 32 with two; bools are integers of one digit
_SMALL_INT_BITS: Final = 60
_SMALL_INT: Final = 1 << _SMALL_INT_BITS
_QUICK_DEPTH: Final = 16
"""Levels that the quick look descends: by recursion, which must not reach the end of the caller's stack."""

_TABLED: Final = 85
"""Entries up to which sizes are looked up; the largest fill of a dict's table of 128 slots."""


@dataclass(frozen=True, slots=True)
class SizeFinding:
    """The first thing that is too large: `$.rows[3]`, `24 entries, limit 20`."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class _TooLarge(Exception):  # noqa: N818
    """An answer that ends the walk. `step` leads one further than the value under the walk, where it is not None."""

    def __init__(self, reason: str, step: Step | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.step = step


def strict_check_size(value: Any, rule: SizeRule) -> SizeFinding | None:
    """None where the value fits, otherwise what is too large and where. Never raises.

    Judged is the JSON-decoded value: a tuple as a list, keys as JSON writes them; what JSON cannot say is a finding.
    Entries and characters are seen on the way down, bytes on the way up, so that the innermost fault is named.
    """
    kind = type(value)
    if (kind is list or kind is dict) and rule.scalar_bytes_below > _SMALL_INT_BYTES:
        if _fitting_bytes(
            value, rule.entries_below, rule.characters_below, rule.total_bytes_below, min(rule.max_depth, _QUICK_DEPTH)
        ):
            return None
    elif kind is int and -_SMALL_INT < value < _SMALL_INT and _small_int_fits(rule):
        return None
    return _first_finding(value, rule)


def _fitting_bytes(value: Any, entries: int, characters: int, total: int, depth: int) -> int:
    """The bytes of a list or dict that fits and holds nothing unusual; 0 where a closer look is needed.

    Most values end here: a third of the time of the walk that can also say what is wrong and where.
    """
    kind = type(value)
    children: Iterable[Any]
    if kind is list:
        count = len(value)
        if count >= entries or count > _TABLED or not depth:
            return 0
        size = _LIST_BYTES[count]
        children = value
    elif kind is dict:
        count = len(value)
        if count >= entries or count > _TABLED or not depth:
            return 0
        size = _DICT_BYTES[count]
        for key in value:
            if type(key) is not str or not key.isascii():
                return 0
            length = len(key)
            if length >= characters:
                return 0
            size += (48 + length) & ~7
        children = value.values()
    else:
        return 0
    for child in children:
        kind = type(child)
        if kind is int:
            if not -_SMALL_INT < child < _SMALL_INT:
                return 0
            size += 32
        elif kind is str:
            length = len(child)
            if length >= characters or not child.isascii():
                return 0
            size += (48 + length) & ~7
        elif kind is float:
            size += 24
        elif kind is bool:
            size += 32
        elif child is None:
            size += 16
        else:
            inner = _fitting_bytes(child, entries, characters, total, depth - 1)
            if not inner:
                return 0
            size += inner
    return size if size < total else 0


def _small_int_fits(rule: SizeRule) -> bool:
    return rule.scalar_bytes_below > _SMALL_INT_BYTES and rule.total_bytes_below > _SMALL_INT_BYTES


def _first_finding(value: Any, rule: SizeRule) -> SizeFinding | None:
    """The walk that names what is too large. It keeps its own stack, for a value may be nested without end."""
    steps: list[Step] = []
    above: list[tuple[_Children, int]] = []
    children: _Children = iter(((0, value),))
    step: Step = 0
    size = 0  # bytes so far of the container whose children are read
    limit = rule.total_bytes_below
    try:
        while True:
            for step, child in children:
                kind = type(child)
                if kind is list or kind is tuple:
                    inner_size, inner = _open_list(child, rule, len(above))
                elif kind is dict:
                    inner_size, inner = _open_dict(child, rule, len(above))
                else:
                    size += _leaf_bytes(child, rule)
                    continue
                above.append((children, size))
                steps.append(step)
                children, size = inner, inner_size
                break
            else:
                if not above:
                    return None
                if size >= limit:
                    return SizeFinding(render_path(steps[1:]), _bytes_reason(size, limit))
                children, outer = above.pop()
                size += outer
                steps.pop()
    except _TooLarge as finding:
        whole = [*steps, step][1:] if above else []
        return SizeFinding(render_path(whole if finding.step is None else [*whole, finding.step]), finding.reason)


def check_output_size(value: Any, rule: SizeRule) -> SizeFinding | None:
    """As `strict_check_size`, for what a function returned: None is refused too, unless the rule allows it."""
    if value is None and rule.refuse_none_output:
        return SizeFinding("$", "an output of None")
    return strict_check_size(value, rule)


def _open_list(value: Any, rule: SizeRule, depth: int) -> tuple[int, _Children]:
    count = _count(value, rule, depth)
    return _LIST_BYTES[count] if count <= _TABLED else _list_bytes(count), enumerate(value)


def _open_dict(value: dict[Any, Any], rule: SizeRule, depth: int) -> tuple[int, _Children]:
    count = _count(value, rule, depth)
    size = _DICT_BYTES[count] if count <= _TABLED else _dict_bytes(count)
    named = True
    for key in value:
        if type(key) is str:
            size += _text_bytes(key, rule, key)
        else:
            named = False
            name = json_name(key)
            if name is None:
                raise _TooLarge("a key that JSON cannot write")
            size += _text_bytes(name, rule, name)
    if named:
        return size, iter(value.items())
    return size, iter([(json_name(key) or "", child) for key, child in value.items()])


def _count(value: Any, rule: SizeRule, depth: int) -> int:
    count = len(value)
    if count >= rule.entries_below:
        raise _TooLarge(f"{count} entries, limit {rule.entries_below}")
    if depth > rule.max_depth:
        raise _TooLarge(f"nested deeper than {rule.max_depth}")
    return count


def _leaf_bytes(value: Any, rule: SizeRule) -> int:
    kind = type(value)
    if kind is str:
        return _text_bytes(value, rule, None)
    if kind is int:
        bits = value.bit_length()
        size = _SMALL_INT_BYTES if bits <= _SMALL_INT_BITS else _aligned(24 + 4 * -(-bits // 30))
    elif kind is float:
        size = _FLOAT_BYTES
    elif kind is bool:
        size = _SMALL_INT_BYTES
    elif value is None:
        size = _NONE_BYTES
    else:
        raise _TooLarge("a type that JSON cannot write")
    if size >= rule.scalar_bytes_below:
        raise _TooLarge(_bytes_reason(size, rule.scalar_bytes_below))
    if size >= rule.total_bytes_below:
        raise _TooLarge(_bytes_reason(size, rule.total_bytes_below))
    return size


def _text_bytes(text: str, rule: SizeRule, key: str | None) -> int:
    """Bytes of a text or, with `key`, of a key. Characters take 1, 2 or 4 bytes by the widest of them."""
    length = len(text)
    if length >= rule.characters_below:
        raise _TooLarge(
            f"{'a key of ' if key is not None else ''}{length} characters, limit {rule.characters_below}", key
        )
    if text.isascii():
        size = (48 + length) & ~7  # 40 + length + 1, rounded up
    else:
        widest = max(text)
        width = 1 if widest <= "\xff" else 2 if widest <= "\uffff" else 4
        size = _aligned(56 + width * (length + 1))
    if size >= rule.total_bytes_below:
        raise _TooLarge(_bytes_reason(size, rule.total_bytes_below), key)
    return size


def _bytes_reason(size: int, limit: int) -> str:
    return f"{size} bytes, limit {limit}"


def _aligned(size: int) -> int:
    return (size + 7) & ~7


def _list_bytes(count: int) -> int:
    """A list that was filled by appending, as the JSON reader does: room grows by an eighth and is never given back."""
    room = 0
    while room < count:
        room = (room + 1 + ((room + 1) >> 3) + 6) & ~3
    return 56 + 8 * room


def _dict_bytes(count: int) -> int:
    """A dict with text keys that grew by insertion: two thirds of its slots can be used, entries take 16 bytes."""
    if not count:
        return 64
    log2_slots = 3
    while count > (2 << log2_slots) // 3:
        log2_slots += 1
    slots = 1 << log2_slots
    index_bytes = 1 if log2_slots < 8 else 2 if log2_slots < 16 else 4
    return 64 + 32 + slots * index_bytes + 16 * (2 * slots // 3)


_LIST_BYTES: Final = tuple(map(_list_bytes, range(_TABLED + 1)))
_DICT_BYTES: Final = tuple(map(_dict_bytes, range(_TABLED + 1)))
