"""The comparator has an answer for every value: nested, cyclic, shared, huge, or of a type that lies about itself."""

import sys
import time
from typing import Any

import pytest

from reexec.engine.judging.compare import Comparison, compare
from reexec.policies.comparison import ComparisonRule

ALL = ("codeio", "exact", "numeric", "python-literal", "text")


def equal(name: str, actual: Any, expected: Any) -> bool:
    return compare(actual, expected, ComparisonRule.preset(name)).equal


def difference(actual: Any, expected: Any, name: str = "numeric") -> tuple[str, str]:
    found = compare(actual, expected, ComparisonRule.preset(name))
    assert not found.equal
    return found.path, found.reason


def nested(depth: int, leaf: Any = 0) -> Any:
    value = leaf
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("name", ALL)
def test_nesting_beyond_the_bound_is_a_difference_of_that_name(name: str) -> None:
    assert equal(name, nested(201), nested(201))
    assert difference(nested(202), nested(202), name) == ("$" + "[0]" * 201, "too-deep")
    tuples: Any = 0
    for _ in range(300):
        tuples = (tuples,)
    assert difference({tuples}, {tuples}, name)[1] == "too-deep"
    if name in ("exact", "python-literal"):
        assert difference({tuples: 1}, {tuples: 1}, name)[1] == "too-deep"


@pytest.mark.parametrize("name", ALL)
def test_cycles_end_as_too_deep(name: str) -> None:
    ring: list[Any] = []
    ring.append(ring)
    mapping: dict[str, Any] = {}
    mapping["self"] = mapping
    assert difference(ring, ring, name)[1] == "too-deep"
    assert difference(mapping, mapping, name)[1] == "too-deep"


def test_a_caller_near_the_end_of_its_stack_gets_the_same_answer() -> None:
    rule = ComparisonRule.preset("exact")
    deep_key: Any = 0
    for _ in range(150):
        deep_key = (deep_key,)
    pair = [nested(150, {deep_key: {deep_key}}) for _ in range(2)]

    def descend(frames: int) -> Comparison:
        return descend(frames - 1) if frames else compare(nested(200), nested(200), rule)

    def frames_here() -> int:
        frame, count = sys._getframe(), 0
        while frame is not None:
            frame, count = frame.f_back, count + 1  # type: ignore[assignment]
        return count

    assert descend(sys.getrecursionlimit() - frames_here() - 15).equal
    assert difference(pair[0], pair[1], "exact")[1] == "too-deep"  # 150 lists, a dict, 150 tuples


def test_shared_parts_cannot_make_it_endless() -> None:
    value: Any = [1]
    for _ in range(60):
        value = [value, value]
    start = time.process_time()
    assert difference(value, value)[1] == "too-large"
    assert time.process_time() - start < 5


def test_more_nodes_than_the_rule_allows_are_a_difference_of_that_name() -> None:
    rule = ComparisonRule.preset("numeric").model_copy(update={"max_nodes": 10})
    assert compare([0] * 9, [0] * 9, rule).equal
    assert compare([0] * 10, [0] * 10, rule).reason == "too-large"
    assert compare([0] * 5, [0] * 99, rule).reason == "length 5, expected 99"
    assert compare({(1, 2, 3, 4, 5, 6)}, {(1, 2, 3, 4, 5, 6)}, rule).reason == "too-large"


def test_many_nan_keys_take_linear_time() -> None:
    start = time.process_time()
    values = [{float("nan"): 0 for _ in range(20_000)} for _ in range(2)]
    for name in ALL:
        assert equal(name, values[0], values[1])
    assert time.process_time() - start < 5


class Hostile:
    """Every question about it raises."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    def __hash__(self) -> int:
        return 1

    @property  # type: ignore[misc]  # pyright: ignore
    def __class__(self) -> type:  # pyright: ignore
        raise RuntimeError

    def __repr__(self) -> str:
        raise RuntimeError


class HostileMeta(type):
    def __hash__(cls) -> int:
        raise RuntimeError

    def __eq__(cls, other: object) -> bool:
        raise RuntimeError


class HostileKind(metaclass=HostileMeta):
    pass


class Always(int):
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 1


class Names(dict[str, int]):
    pass


HOSTILE = [(Hostile(), True), (HostileKind(), True), (Always(), True), (Names(), False), (bytearray(b"1"), False)]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("index", range(len(HOSTILE)))
def test_other_types_and_subclasses_are_a_difference_even_from_themselves(name: str, index: int) -> None:
    thing, hashable = HOSTILE[index]
    others: list[Any] = [thing, 1, True, [1], {}, None, b"1"]
    for other in others:
        assert not equal(name, thing, other)
        assert not equal(name, other, thing)
    assert not equal(name, {"a": [thing]}, {"a": [thing]})
    if hashable:
        assert not equal(name, {thing: 1}, {thing: 1})
        assert not equal(name, {thing}, {thing})
        assert not equal(name, {(1, thing): 1}, {(1, thing): 1})


def test_integer_keys_of_any_length_fold_whatever_the_limit_on_digits() -> None:
    digits = "7" * 50_000
    limit = sys.get_int_max_str_digits()
    try:
        sys.set_int_max_str_digits(0)
        number = int(digits)
        sys.set_int_max_str_digits(640)
        assert equal("codeio", {number: 1}, {digits: 1})
        assert equal("codeio", {-number: 1}, {"-" + digits: 1})
        assert equal("codeio", {10**1200: 1}, {"1" + "0" * 1200: 1})
        assert equal("codeio", {7 << 1_000_000: 1}, {7 << 1_000_000: 1})
        assert difference({number: 1}, {number: 2}, "exact")[0].startswith('$["777')
    finally:
        sys.set_int_max_str_digits(limit)
