"""Values that a caller gives us, as plain Python values: arguments of calls and expected results.

Owns the door. The rule is that of results (protocol/values.py): subclasses become their base, numpy values plain ones, and
what has no plain form is refused with its path. A value that is plain already comes back as it is and is not copied.
"""

from collections.abc import Iterable
from typing import Any, Final

from .errors import UsageError
from .protocol import values

_SCALARS: Final = frozenset((type(None), bool, int, float, complex, str, bytes))
_TEXT: Final = frozenset((str,))
_CONTAINERS: Final = frozenset((list, tuple, set, frozenset))


def all_scalars(items: Iterable[Any]) -> bool:
    """Whether each is exactly of a built-in type that holds nothing; no step of Python for each."""
    return _SCALARS.issuperset(map(type, items))


def all_text(items: Iterable[Any]) -> bool:
    """The same of texts."""
    return _TEXT.issuperset(map(type, items))


def fold_arguments(value: Any, path: str = "$") -> Any:
    """A call's arguments: the list of the positional ones, or the dict of the named ones. Raises UsageError with the path of
    what has no plain form."""
    return _fold(value, path, "an argument cannot be sent", around=1)


def fold_expected(value: Any) -> Any:
    """An expected value. Raises UsageError with the path of what has no plain form."""
    return _fold(value, "$", "the expected value has no plain form")


def fold_json(value: Any) -> Any:
    """What JSON makes of a plain value: tuples as lists, keys as text. Raises values.Refused for what JSON cannot say."""
    return values.fold(value, values.JSON)


def _fold(value: Any, path: str, what: str, around: int = 0) -> Any:
    if is_plain(value, around):
        return value
    try:
        return values.fold(value, values.PYTHON, path, around)
    except values.Refused as refusal:
        raise UsageError(f"{what}: {refusal.path} is {refusal.reason}") from None


def is_plain(value: Any, around: int = 0) -> bool:
    """Whether a value and all that it holds are exactly of the built-in types, within the bounds of depth (without the levels
    `around`) and number."""
    kind = type(value)
    if kind in _SCALARS:
        return True
    # The commonest by far: one level of scalars, looked at without a step of Python for each.
    if kind is dict:
        if all_text(value) and all_scalars(value.values()):
            return len(value) <= values.MAX_NODES
    elif (kind is list or kind is tuple) and all_scalars(value):
        return len(value) <= values.MAX_NODES
    level: list[Any] = [value]
    nodes = 0
    for _ in range(values.MAX_DEPTH + 1 + around):
        inside: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is dict:
                if not all(type(key) is str for key in item):
                    inside.extend(item)
                inside.extend(item.values())
            elif kind in _CONTAINERS:
                inside.extend(item)
            else:
                return False
        nodes += len(inside)
        if nodes > values.MAX_NODES:
            return False
        level = [item for item in inside if type(item) not in _SCALARS]
        if not level:
            return True
    return False
