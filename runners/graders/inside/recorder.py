"""Runs inside the jail (Python 3.8 and newer, standard library only): a test with stand-ins for the functions under test.

`record` is called with the rewritten text of a test and the names of its functions under test. A stand-in notes name and
arguments of each call and returns a `Value` that refuses all use except in a check, where it becomes a leaf of its tree.
"""

from __future__ import annotations

import copy
import math
import operator
from typing import Any, List

MOST_CALLS = 20_000
MOST_CHECKS = 20_000


class NotLiftable(Exception):
    pass


class Node:
    """A tree, as tuples of plain data; `open` where it holds a value that is not there yet."""

    def __init__(self, tree: Any, is_open: bool, value: Any = None) -> None:
        self.tree, self.open, self.value = tree, is_open, value


_refusals: List[str] = []
"""Kept, for what a library swallows: a test that looked at a value which is not there is never lifted."""


def _refuse(*_args: Any, **_kwargs: Any) -> Any:
    _refusals.append("the test computes with a returned value")
    raise NotLiftable(_refusals[0])


class Value:
    """What a stand-in returns."""

    __hash__ = None  # type: ignore[assignment]
    __class__ = property(_refuse)  # pyright: ignore[reportIncompatibleMethodOverride]  # what isinstance() asks


_OPERATIONS = (
    "abs add and bool bytes call ceil complex contains delattr delitem divmod dir enter eq exit float floor "
    "floordiv format ge getattr getitem gt index int invert iter le len length_hint lshift lt matmul mod mul ne neg "
    "next or pos pow radd rand rdivmod repr reversed rfloordiv rlshift rmatmul rmod rmul ror round rpow rrshift "
    "rshift rsub rtruediv rxor setattr setitem str sub truediv trunc xor copy deepcopy reduce_ex "
).split()
for _name in _OPERATIONS:
    setattr(Value, "__%s__" % _name, _refuse)


def _guarded(function: Any) -> Any:
    """A function that works on any object, and would be told about a stand-in's."""

    def call(*args: Any) -> Any:
        if any(type(each) is Value for each in args):
            _refuse()
        return function(*args)

    return call


def _same(left: Any, right: Any) -> bool:
    """`is`, as the test's text has it outside of assertions."""
    if type(left) is Value or type(right) is Value:
        _refuse()
    return left is right


class _Solution:
    """What `Solution()` returns, as LeetCode has it: its one method is called on a new one each time."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder, self._only = recorder, ""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or (self._only and self._only != name):
            _refusals.append("the test uses an object of the solution's for more than one method")
            raise NotLiftable(_refusals[-1])
        self._only = name
        return self._recorder.stand_in("Solution." + name)


_TYPES = (int, float, complex, bool, str, bytes, list, tuple, dict, set, frozenset, type(None))


def _type_names(given: Any) -> Any:
    """What `isinstance` is asked, by the names of plain types."""
    kinds = given if type(given) is tuple else (given,)
    for kind in kinds:
        if kind not in _TYPES:
            raise NotLiftable("the test asks for a type that is not plain")
    return [kind.__name__ for kind in kinds]


class Recorder:
    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.checks: list[Any] = []
        self._numbers: list[tuple[Value, int]] = []

    def stand_in(self, name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            if name == "Solution" and not args and not kwargs:
                return _Solution(self)
            if len(self.calls) >= MOST_CALLS:
                raise NotLiftable("more than %d calls" % MOST_CALLS)
            for each in (*args, *kwargs.values()):
                if type(each) is Value:
                    raise NotLiftable("a returned value is passed on")
            value = Value()
            self._numbers.append((value, len(self.calls)))
            self.calls.append((name, copy.deepcopy(list(args)), copy.deepcopy(kwargs)))
            return value

        return call

    def leaf(self, value: Any) -> Node:
        if type(value) is Value:
            for known, number in reversed(self._numbers):
                if known is value:
                    return Node(("call", number), True)
        return Node(("value", value), False, value)

    def op(self, name: str, *nodes: Node) -> Node:
        if any(node.open for node in nodes):
            return Node((name,) + tuple(node.tree for node in nodes), True)
        value = _CONSTANT[name](*[node.value for node in nodes])
        return Node(("value", value), False, value)

    def check(self, node: Node) -> None:
        if not node.open:
            if not node.value:
                raise NotLiftable("an assertion fails whatever the functions return")
            return
        if len(self.checks) >= MOST_CHECKS:
            raise NotLiftable("more than %d assertions" % MOST_CHECKS)
        self.checks.append(node.tree)


_CONSTANT: Any = {
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge,
    "is": operator.is_, "is_not": operator.is_not, "in": lambda a, b: a in b, "not_in": lambda a, b: a not in b,
    "not": operator.not_, "neg": operator.neg, "pos": operator.pos, "add": operator.add, "sub": operator.sub,
    "mul": operator.mul, "div": operator.truediv, "floordiv": operator.floordiv, "mod": operator.mod, "pow": operator.pow,
    "item": operator.getitem, "list": lambda *a: list(a), "tuple": lambda *a: tuple(a), "set": lambda *a: set(a),
    "and": lambda *a: all(a), "or": lambda *a: any(a), "sorted_reverse": lambda a: sorted(a, reverse=True),
    "isclose": lambda a, b, r, t: math.isclose(a, b, rel_tol=r, abs_tol=t),
    "to_abs": abs, "to_round": round, "to_len": len, "to_sorted": sorted, "to_set": set, "to_frozenset": frozenset,
    "to_list": list, "to_tuple": tuple, "to_sum": sum, "to_min": min, "to_max": max, "to_str": str, "to_int": int,
    "to_float": float, "to_bool": bool, "to_all": all, "to_any": any, "type_name": lambda a: type(a).__name__,
    "isinstance": lambda a, names: any(isinstance(a, kind) for kind in _TYPES if kind.__name__ in names),
}  # fmt: skip


def record(source: str, names: list[str], given: str = "") -> dict[str, Any]:
    """`{"calls": [(name, args, kwargs), ...], "checks": [tree, ...]}`, or `{"refused": why}`. `given`: the prompt's own
    definitions, which the test uses as they are."""
    recorder = Recorder()
    del _refusals[:]
    space: dict[str, Any] = {"__name__": "test"}
    try:
        exec(compile(given, "prompt.py", "exec", dont_inherit=True), space)
    except BaseException as error:
        return {"refused": "the prompt itself raises %s" % type(error).__name__}
    space.update({name: recorder.stand_in(name) for name in names if name not in space})
    space.update(
        {
            "__reexec_leaf__": recorder.leaf,
            "__reexec_op__": recorder.op,
            "__reexec_check__": recorder.check,
            "__reexec_is__": _same,
            "__reexec_types__": _type_names,
            "type": _guarded(type),
            "id": _guarded(id),
            "callable": _guarded(callable),
        }
    )
    try:
        exec(compile(source, "test.py", "exec", dont_inherit=True), space)
    except NotLiftable as error:
        return {"refused": str(error)}
    except BaseException as error:
        return {"refused": "the test itself raises %s" % type(error).__name__}
    if _refusals:
        return {"refused": _refusals[0]}
    return {"calls": recorder.calls, "checks": recorder.checks}
