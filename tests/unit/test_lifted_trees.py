"""Every operation of a lifted assertion against Python's own: the same values, the same word."""

import itertools
import math
from typing import Any

import pytest

from reexec.runners.graders.lifting import judge_tree

NUMBERS = (0, 1, 2, -3, 0.5, 2.0)
SIGNS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
SUMS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "floordiv": "//", "mod": "%"}


def holds(tree: Any, *values: Any) -> bool:
    return judge_tree(tree, values) == ""


def python(text: str, **names: Any) -> Any:
    """What Python makes of it; False where it raises, since the assertion then fails."""
    try:
        return eval(text, {"math": math, **names})
    except (TypeError, ValueError, ZeroDivisionError, LookupError):
        return False


@pytest.mark.parametrize("name", SIGNS)
def test_comparisons_are_pythons_at_both_sides_of_equality(name: str) -> None:
    for a, b in itertools.product(NUMBERS, repeat=2):
        assert holds((name, ("call", 0), ("value", b)), a) is python(f"a {SIGNS[name]} b", a=a, b=b), (a, b)
    others: list[Any] = ["", "a", "b", None, [1], [1, 2]]
    for one, other in itertools.product(others, repeat=2):
        wanted = python(f"a {SIGNS[name]} b", a=one, b=other)
        assert holds((name, ("call", 0), ("call", 1)), one, other) is bool(wanted), (one, other)


@pytest.mark.parametrize("name", SUMS)
def test_arithmetic_is_pythons(name: str) -> None:
    for a, b in itertools.product(NUMBERS, repeat=2):
        wanted = python(f"a {SUMS[name]} b", a=a, b=b)
        tree = ("eq", (name, ("call", 0), ("call", 1)), ("value", wanted))
        assert holds(tree, a, b) is (wanted is not False), (a, b)


@pytest.mark.parametrize(
    ("value", "near", "rel", "absolute"),
    [(1.0, 1.01, 0.02, 0.0), (1.0, 1.01, 0.001, 0.0), (0.0, 0.01, 1e-9, 0.02), (0.0, 0.01, 1e-9, 0.0), (0.0, 0.01, 0.5, 0.001),
     (100.0, 101.0, 0.005, 0.5), (100.0, 101.0, 0.005, 1.5)],
)  # fmt: skip
def test_closeness_has_both_tolerances(value: float, near: float, rel: float, absolute: float) -> None:
    tree = ("isclose", ("call", 0), ("value", near), ("value", rel), ("value", absolute))
    assert holds(tree, value) is math.isclose(value, near, rel_tol=rel, abs_tol=absolute)


def test_conditions_are_decided_as_far_as_python_decides_them() -> None:
    fails = ("item", ("call", 0), ("value", 9))
    yes, no = ("value", True), ("value", False)
    for tree, wanted in (
        (("and", yes, yes), True), (("and", yes, no), False), (("and", no, fails), False), (("and", yes, fails), False),
        (("or", no, yes), True), (("or", no, no), False), (("or", yes, fails), True), (("or", no, fails), False),
        (("not", no), True), (("not", yes), False),
    ):  # fmt: skip
        assert holds(tree, [1]) is wanted, tree


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [(None, None, True), (True, True, True), (True, False, False), (1, True, False), (0, None, False), (0, False, False)],
)
def test_identity_is_decided_for_singletons_alone(a: Any, b: Any, same: bool) -> None:
    assert holds(("is", ("call", 0), ("value", b)), a) is same
    assert holds(("is_not", ("call", 0), ("value", b)), a) is not same
    assert "cannot be decided" in judge_tree(("is", ("call", 0), ("value", 1)), [1])


@pytest.mark.parametrize(
    ("tree", "value"),
    [
        (("mod", ("call", 0), ("value", 1)), "%1000d"),
        (("mod", ("call", 0), ("value", 1)), b"%1000d"),
        (("mul", ("call", 0), ("value", 10**12)), "x"),
        (("mul", ("value", 10**12), ("call", 0)), [1]),
        (("pow", ("call", 0), ("value", 10**9)), 3),
        (("mul", ("call", 0), ("call", 0)), 1 << 900_000),
    ],
    ids=["text", "bytes", "repeats", "repeated", "power", "product"],
)
def test_what_could_take_long_is_left_undecided_and_fails(tree: Any, value: Any) -> None:
    assert "cannot be decided" in judge_tree(("eq", tree, ("value", 0)), [value])


def test_small_powers_and_products_are_decided() -> None:
    assert holds(("eq", ("pow", ("call", 0), ("value", 100)), ("value", 7**100)), 7)
    assert holds(("eq", ("pow", ("call", 0), ("value", -1)), ("value", 0.5)), 2)
    assert holds(("eq", ("mul", ("call", 0), ("value", 3)), ("value", "xxx")), "x")
    assert holds(("eq", ("pow", ("value", 1), ("call", 0)), ("value", 1)), 1000)
