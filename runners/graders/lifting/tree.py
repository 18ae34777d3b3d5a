"""A check over returned values, decided on the host.

A tree is a tuple: `("call", n)` is the value of the n-th call, `("value", v)` a constant of the test, anything else an
operation on trees, under the names of recorder.py. Values are plain data (what the wire carries), so Python's own
operators on them run no foreign code; what could take long (powers, repetition) is bounded. Equality is the comparator's,
with Python's meaning.
"""

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, Final

from reexec.engine.judging.compare import compare
from reexec.policies.comparison import ComparisonRule

type Tree = tuple[Any, ...]

PYTHON: Final = ComparisonRule.preset("python-literal")
_MOST_BITS: Final = 1_000_000
_MOST_ITEMS: Final = 1_000_000


class _Undecided(Exception):  # noqa: N818
    """Python would raise here, or the bounds are passed: the assertion fails."""


def judge_tree(tree: Tree, values: Sequence[Any]) -> str:
    """Why the check fails, "" where it holds. Never raises."""
    try:
        if tree[0] == "eq" and tree[1][0] == "call" and tree[2][0] == "value":
            comparison = compare(values[tree[1][1]], tree[2][1], PYTHON)
            return "" if comparison.equal else f"{comparison.path}: {comparison.reason}"
        return "" if _worth(tree, values) else "the assertion does not hold"
    except _Undecided as error:
        return f"the assertion cannot be decided: {error}"
    except Exception as error:  # a TypeError of two plain values, or any other: in Python it is the assertion's end as well
        return f"the assertion raises {type(error).__name__}"


def _worth(tree: Tree, values: Sequence[Any]) -> Any:
    name = tree[0]
    if name == "value":
        return tree[1]
    if name == "call":
        return values[tree[1]]
    if name == "and":
        return all(_worth(each, values) for each in tree[1:])
    if name == "or":
        return any(_worth(each, values) for each in tree[1:])
    return _OPERATIONS[name](*[_worth(each, values) for each in tree[1:]])


def _equal(a: Any, b: Any) -> bool:
    return compare(a, b, PYTHON).equal


def _is(a: Any, b: Any) -> bool:
    if a is None or b is None or isinstance(a, bool) or isinstance(b, bool):
        return a is b
    raise _Undecided("identity of values that are no singletons")


def _contains(a: Any, b: Any) -> bool:
    if isinstance(b, str):
        return a in b
    if isinstance(b, set | frozenset | dict):
        hash(a)  # raises TypeError where Python would
    return any(_equal(a, each) for each in b)


def _mul(a: Any, b: Any) -> Any:
    for one, other in ((a, b), (b, a)):
        if isinstance(one, int) and isinstance(other, str | bytes | list | tuple) and one * len(other) > _MOST_ITEMS:
            raise _Undecided("too long a repetition")
    if isinstance(a, int) and isinstance(b, int) and a.bit_length() + b.bit_length() > _MOST_BITS:
        raise _Undecided("too large a product")
    return a * b


def _pow(a: Any, b: Any) -> Any:
    if isinstance(a, int) and isinstance(b, int) and (a.bit_length() * max(b, 0) > _MOST_BITS):
        raise _Undecided("too large a power")
    return a**b


def _mod(a: Any, b: Any) -> Any:
    if isinstance(a, str | bytes):
        raise _Undecided("formatting")
    return a % b


_ITERATE: Final = frozenset(
    f"to_{each}" for each in ("list", "tuple", "set", "frozenset", "sorted", "sum", "min", "max", "all", "any")
)


def only_iterated(tree: Tree) -> frozenset[int]:
    """The calls whose values the check does nothing with but go through them once, as `list(f(1))` does."""
    used: dict[int, list[bool]] = {}

    def visit(each: Tree, iterated: bool) -> None:
        if each[0] == "call":
            used.setdefault(each[1], []).append(iterated)
        elif each[0] != "value":
            for at, part in enumerate(each[1:]):
                goes_through = (each[0] in _ITERATE or each[0] == "sorted_reverse") and len(each) == 2
                visit(part, goes_through or (each[0] in ("in", "not_in") and at == 1))

    visit(tree, False)
    return frozenset(call for call, uses in used.items() if uses == [True])


_TYPES: Final = (int, float, complex, bool, str, bytes, list, tuple, dict, set, frozenset, type(None))
_OPERATIONS: Final[dict[str, Callable[..., Any]]] = {
    "eq": _equal, "ne": lambda a, b: not _equal(a, b), "lt": operator.lt, "le": operator.le, "gt": operator.gt,
    "ge": operator.ge, "is": _is, "is_not": lambda a, b: not _is(a, b), "in": _contains,
    "not_in": lambda a, b: not _contains(a, b), "not": operator.not_, "neg": operator.neg, "pos": operator.pos,
    "add": operator.add, "sub": operator.sub, "mul": _mul, "div": operator.truediv, "floordiv": operator.floordiv,
    "mod": _mod, "pow": _pow, "item": operator.getitem, "list": lambda *a: list(a), "tuple": lambda *a: tuple(a),
    "set": lambda *a: set(a), "sorted_reverse": lambda a: sorted(a, reverse=True),
    "isclose": lambda a, b, r, t: math.isclose(a, b, rel_tol=r, abs_tol=t),
    "to_abs": abs, "to_round": round, "to_len": len, "to_sorted": sorted, "to_set": set, "to_frozenset": frozenset,
    "to_list": list, "to_tuple": tuple, "to_sum": sum, "to_min": min, "to_max": max, "to_str": str, "to_int": int,
    "to_float": float, "to_bool": bool, "to_all": all, "to_any": any, "type_name": lambda a: type(a).__name__,
    "isinstance": lambda a, names: any(isinstance(a, kind) for kind in _TYPES if kind.__name__ in names),
}  # fmt: skip


_SIGNS: Final = {
    "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "is": "is", "is_not": "is not", "in": "in",
    "not_in": "not in", "add": "+", "sub": "-", "mul": "*", "div": "/", "floordiv": "//", "mod": "%", "pow": "**",
    "and": "and", "or": "or",
}  # fmt: skip


def written(tree: Tree, calls: Sequence[str]) -> str:
    """The check as a person would write it; `calls` stand for the calls."""
    name = tree[0]
    if name == "value":
        return repr(tree[1])
    if name == "call":
        return str(calls[tree[1]])
    parts = [written(each, calls) for each in tree[1:]]
    if name in _SIGNS:
        return f" {_SIGNS[name]} ".join(parts)
    if name == "item":
        return f"{parts[0]}[{parts[1]}]"
    if name in ("not", "neg", "pos"):
        return {"not": "not ", "neg": "-", "pos": "+"}[name] + parts[0]
    return f"{name.removeprefix('to_')}({', '.join(parts)})"
