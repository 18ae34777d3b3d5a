"""Keys of dicts and elements of sets as tokens: two are equal under a rule exactly where their tokens are.

Owns the folding of keys as JSON writes them and the tokens of what may stand in a set. Tolerances do not apply here:
a key or an element is the same or it is not. Tokens are texts: what a value came from may be hostile, and the hashes of
numbers, tuples and frozensets can be chosen to collide, those of texts cannot.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from math import copysign
from typing import Any, Final

from reexec.policies.comparison import ComparisonRule

from .paths import Step, quoted

TOO_DEEP: Final = "too-deep"
TOO_LARGE: Final = "too-large"
UNSUPPORTED: Final = "a type that is not compared"

_SMALL: Final = 1 << 60
_SHORT_BITS: Final = 2000
"""Integers below this many bits have fewer than 640 digits, the lowest that an interpreter's limit can be set to."""
_LONG_BITS: Final = 400_000
"""Beyond this many bits (120,000 digits, more than the wire carries) an integer key is not written out."""
_CHUNK: Final = 10**600


class CannotJudgeError(Exception):
    """Inside the comparator only: `.reason` ends the comparison as a difference."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Budget:
    """What is left of the rule's nodes."""

    __slots__ = ("left",)

    def __init__(self, nodes: int) -> None:
        self.left = nodes

    def take(self, nodes: int) -> None:
        self.left -= nodes
        if self.left < 0:
            raise CannotJudgeError(TOO_LARGE)


def by_token(mapping: dict[Any, Any], rule: ComparisonRule, depth: int, budget: Budget) -> dict[str, tuple[Step, Any]]:
    """The mapping's entries under their keys' tokens, each with how the path shows the key.

    Two keys with the same token stay two entries, told apart by their order: under `json` those that JSON writes alike
    (1 and "1", the text first), under the others only keys with NaN in them.
    """
    json = rule.containers == "json"
    entries: dict[str, tuple[Step, Any]] = {}
    repeats: Counter[str] = Counter()
    others: Iterable[tuple[Any, Any]] = mapping.items()
    if json:
        entries = {_TEXT + key: (key, value) for key, value in mapping.items() if type(key) is str}
        others = [entry for entry in mapping.items() if type(entry[0]) is not str]
    for key, value in others:
        name = None
        if json:
            name = int.__repr__(key) if type(key) is int and -_SMALL < key < _SMALL else json_name(key)
        step: Step = name or ""
        if name is not None:
            token = _TEXT + name
        else:
            token = key_token(key, rule, depth, budget)  # before the path, for it refuses what is not to be looked at
            step = _shown(key)
        if token in entries:
            repeats[token] += 1
            token = f"again {repeats[token]} {token}"
        entries[token] = (step, value)
    return entries


def tally(elements: Iterable[Any], rule: ComparisonRule, depth: int, budget: Budget) -> Counter[str]:
    """How often each token occurs among the elements; more than once only for elements with NaN in them."""
    return Counter([key_token(element, rule, depth, budget) for element in elements])


def json_name(key: object) -> str | None:
    """What JSON writes for a key of the types that `json.dumps` takes, otherwise None."""
    kind = type(key)
    if key is None:
        return "null"
    if kind is bool:
        return "true" if key else "false"
    if kind is int and isinstance(key, int):
        return _decimal(key)
    if kind is float and isinstance(key, float):
        if key != key:
            return "NaN"
        if key in (float("inf"), float("-inf")):
            return "Infinity" if key > 0 else "-Infinity"
        return float.__repr__(key)  # the shortest text that reads back, in every version since 3.1
    return key if kind is str and isinstance(key, str) else None


def key_token(root: object, rule: ComparisonRule, depth: int, budget: Budget) -> str:
    """The token of a key or an element. Raises `CannotJudgeError`: unsupported, too deep, too large.

    Iterative, so that neither nesting nor the caller's depth can exhaust the interpreter's stack.
    """
    if type(root) is str:
        budget.take(1)
        return _TEXT + root
    level: list[str] = []
    above: list[tuple[Iterator[Any], list[str], bool]] = []
    items: Iterator[Any] = iter((root,))
    while True:
        for item in items:
            budget.take(1)
            kind = type(item)
            if kind is tuple or kind is frozenset:
                if depth + len(above) > rule.max_depth:
                    raise CannotJudgeError(TOO_DEEP)
                above.append((items, level, kind is tuple))
                items, level = iter(item), []
                break
            level.append(_scalar_token(item, rule))
        else:
            if not above:
                return level[0]
            inner = level
            items, level, ordered = above.pop()
            level.append(_joined("tuple" if ordered else "set", inner if ordered else sorted(inner)))


_TEXT: Final = "text "


def _joined(name: str, parts: list[str]) -> str:
    """One text for several, from which they can be told: each with its length in front."""
    return name + "".join([f" {len(part)}:{part}" for part in parts])


def _scalar_token(value: Any, rule: ComparisonRule) -> str:
    kind = type(value)
    if kind is str:
        return _TEXT + str.__str__(value)
    if kind is int:
        return _integer(value)
    if value is None:
        return "None"
    same_type = rule.numbers == "same-type"
    if kind is bool:
        return f"bool {value:d}" if same_type or rule.bools == "distinct" else _integer(int(value))
    if kind is float:
        token = _float_token(value, rule)
        return f"float {token}" if same_type else token
    if kind is complex:
        if rule.numbers == "equal" and value.imag == 0:
            return _float_token(value.real, rule)
        return f"complex {_float_token(value.real, rule)} {_float_token(value.imag, rule)}"
    if kind is bytes:
        return f"bytes {value.hex()}"
    raise CannotJudgeError(UNSUPPORTED)


def _integer(value: int) -> str:
    return f"{value:x}"  # in time linear in its digits, and without the interpreter's limit on them


def _float_token(value: float, rule: ComparisonRule) -> str:
    """That of the same integer, where the float is one."""
    if value != value:
        return "nan"
    if value == 0 and rule.signed_zero and copysign(1.0, value) < 0:
        return "-0.0"
    return _integer(int(value)) if value.is_integer() else float.__repr__(value)


def _decimal(number: int) -> str | None:
    """The decimal digits. `str` refuses more than 4,300 of them, and lifting that limit would reach other threads."""
    bits = number.bit_length()
    if bits < _SHORT_BITS:
        return int.__repr__(number)
    if bits > _LONG_BITS:
        return None
    # In halves: dividing by one chunk after the other is quadratic.
    digits = int(bits * 0.30103) + 1
    levels: list[int] = [_CHUNK]
    while len(levels) < 30 and 600 << len(levels) < digits:
        levels.append(levels[-1] ** 2)
    text = "".join(_in_halves(abs(number), levels)).lstrip("0")
    return "-" + text if number < 0 else text


def _in_halves(number: int, levels: list[int]) -> list[str]:
    """The digits of a number below `levels[-1] ** 2`, with zeros in front. `levels`: 10**600, its square, that one's square."""
    parts = [number]
    for level in reversed(levels):
        parts = [half for part in parts for half in divmod(part, level)]
    return [int.__repr__(part).zfill(600) for part in parts]


def _shown(key: object) -> Step:
    """How the path shows a key of a supported type."""
    if type(key) is str:
        return key
    name = json_name(key)
    if name is not None:
        return (name if len(name) < 60 else quoted(name),)
    return ("an integer" if type(key) is int else f"a {type(key).__name__}",)
