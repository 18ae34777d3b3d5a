"""Guarantees of the comparator for all values: a suite that takes the comparator as its argument.

Because it does, the last tests can hand it comparators that lie; the suite must find out each of them.
"""

import json
import math
import pickle
import random
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from reexec.engine.judging.compare import Comparison, compare
from reexec.policies.comparison import ComparisonRule

type Compare = Callable[[Any, Any, ComparisonRule], Comparison]
type Property = Callable[[Compare], None]
type Neighbours = tuple[list[Any], list[Any]]

NAMES = ("codeio", "exact", "numeric", "python-literal", "text")
RULES = {name: ComparisonRule.preset(name) for name in NAMES}
CLOSE = ("codeio", "numeric", "text")
MARGIN = Fraction(1, 2**50)  # of the tolerance: the comparator may round where the reference is exact

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=6)  # lone surrogates too
INTS = st.integers() | st.sampled_from([0, 1, -1, 2**53, 2**53 + 1, 10**30, -(10**400)])
SCALARS = st.none() | st.booleans() | INTS | st.floats() | ANY_TEXT
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4), max_leaves=12
)
HASHABLE = st.recursive(
    SCALARS | st.binary(max_size=3) | st.complex_numbers(),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)
PYTHON = st.recursive(
    HASHABLE | st.sets(HASHABLE, max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4) | st.lists(inner, max_size=4).map(tuple) | st.dictionaries(HASHABLE, inner, max_size=4)
    ),
    max_leaves=12,
)
RULE_NAMES = st.sampled_from(NAMES)


def again(value: Any) -> Any:
    """The same value of new objects; a NaN that is a new object is not found by identity."""
    return pickle.loads(pickle.dumps(value))


def reflexive(compare: Compare) -> None:
    @given(PYTHON, RULE_NAMES)
    def check(value: Any, name: str) -> None:
        assert compare(value, value, RULES[name]).equal
        assert compare(value, again(value), RULES[name]) == Comparison(True, "", "")

    check()


def symmetric(compare: Compare) -> None:
    @given(st.data(), st.sampled_from(["numeric", "exact", "python-literal", "text"]), st.randoms(use_true_random=False))
    def check(data: st.DataObject, name: str, rng: random.Random) -> None:
        one = data.draw(PYTHON)
        other = changed_somewhere(one, name, rng)[0] if rng.random() < 0.7 else data.draw(PYTHON)
        assert compare(one, other, RULES[name]).equal is compare(other, one, RULES[name]).equal

    check()


def total(compare: Compare) -> None:
    odd = st.sampled_from([object(), range(3), int, bytearray(b"1"), ...])

    @given(PYTHON | odd, PYTHON | odd | st.lists(odd, max_size=2), RULE_NAMES)
    def check(actual: Any, expected: Any, name: str) -> None:
        found = compare(actual, expected, RULES[name])
        assert type(found.equal) is bool
        assert found.equal or (found.path.startswith("$") and found.path.isascii() and found.reason)

    check()


def identical_json_text_is_equal(compare: Compare) -> None:
    keys = st.integers(0, 9) | st.none() | st.floats() | st.text("xyz", max_size=3)
    values = st.recursive(
        SCALARS, lambda inner: st.lists(inner, max_size=4).map(tuple) | st.dictionaries(keys, inner, max_size=4)
    )

    @given(values, st.sampled_from(["codeio", "numeric"]))
    def check(value: Any, name: str) -> None:
        text = json.dumps(value)
        read = json.loads(text)
        assume(json.dumps(read) == text)  # no two keys written alike
        assert compare(value, read, RULES[name]).equal
        assert compare(read, value, RULES[name]).equal

    check()


def changes_within_the_rule_are_equal(compare: Compare) -> None:
    @given(JSON, RULE_NAMES, st.randoms(use_true_random=False))
    def check(value: Any, name: str, rng: random.Random) -> None:
        near, _ = changed_somewhere(value, name, rng, inside=True)
        assert compare(near, value, RULES[name]).equal

    check()


def changes_beyond_the_rule_are_seen_at_their_place(compare: Compare) -> None:
    @given(JSON, RULE_NAMES, st.randoms(use_true_random=False))
    def check(value: Any, name: str, rng: random.Random) -> None:
        other, path = changed_somewhere(value, name, rng)
        assume(path is not None)
        found = compare(other, value, RULES[name])
        assert (found.equal, found.path) == (False, path)

    check()


def containers_that_gain_or_lose_are_seen(compare: Compare) -> None:
    @given(st.lists(PYTHON, min_size=1, max_size=4), st.dictionaries(ANY_TEXT, PYTHON, min_size=1), RULE_NAMES)
    def check(items: list[Any], members: dict[str, Any], name: str) -> None:
        rule = RULES[name]
        lost = dict(list(members.items())[1:])
        for less, more in ((items[1:], items), (lost, members), (set(lost), set(members))):
            assert not compare(less, more, rule).equal
            assert not compare(more, less, rule).equal

    check()


def huge_integers_against_floats_are_judged_exactly(compare: Compare) -> None:
    @given(st.floats(1e10, 1e300), st.integers(-(2**60), 2**60), st.sampled_from(CLOSE), st.booleans())
    def check(number: float, shift: int, name: str, scaled: bool) -> None:
        integer = int(number) + (shift * int(number) // 2**68 if scaled else shift)
        assume(abs(integer) > 2**53)
        assert compare(integer, number, RULES[name]).equal is reference(integer, number, RULES[name])
        assert compare(number, integer, RULES[name]).equal is reference(number, integer, RULES[name])

    check()


def reference(actual: float, expected: float, rule: ComparisonRule, margin: Fraction = Fraction(0)) -> bool:
    """The rule for close finite numbers, in fractions, with a tolerance larger by `margin` of itself."""
    a, e = Fraction(actual), Fraction(expected)
    base = abs(e) if rule.relative_to == "expected" else max(abs(a), abs(e))
    close = abs(a - e) <= max(Fraction(rule.rtol) * base, Fraction(rule.atol)) * (1 + margin)
    return close and (not rule.same_integer_part or math.trunc(a) == math.trunc(e))


def _ordinal(number: float) -> int:
    bits: int = struct.unpack("<q", struct.pack("<d", number))[0]
    return bits if bits >= 0 else -(bits & (2**63 - 1))


def _double(ordinal: int) -> float:
    bits = ordinal if ordinal >= 0 else -ordinal - 2**63
    return float(struct.unpack("<d", struct.pack("<q", bits))[0])


def _float_neighbours(number: float, rule: ComparisonRule) -> Neighbours:
    """Doubles just inside and just outside of what the rule takes for `number`, found by halving."""
    inside, outside = [number], []
    for last in (1.7e308, -1.7e308):
        near, _ = _boundary(number, last, rule, -MARGIN)
        _, far = _boundary(number, last, rule, MARGIN)
        inside.append(near)
        outside += [] if far is None else [far]
    return inside, outside


def _boundary(number: float, last: float, rule: ComparisonRule, margin: Fraction) -> tuple[float, float | None]:
    """The last double on the way to `last` that is close to `number`, and the next one."""
    if reference(last, number, rule, margin):
        return last, None
    start, direction = _ordinal(number), 1 if last > number else -1
    low, high = 0, abs(_ordinal(last) - start)
    while high - low > 1:
        middle = (low + high) // 2
        near = reference(_double(start + direction * middle), number, rule, margin)
        low, high = (middle, high) if near else (low, middle)
    return _double(start + direction * low), _double(start + direction * high)


def neighbours(leaf: Any, name: str) -> Neighbours:
    """Values equal to `leaf` under the rule, as far from it as the rule allows, and unequal ones, as near as may be."""
    rule = RULES[name]
    if leaf is None:
        return [None], [False, 0, "", "null", []]
    if isinstance(leaf, bool):
        other = [int(leaf), float(leaf)]
        return ([leaf, *other], [not leaf]) if rule.bools == "int" else ([leaf], [not leaf, None, *other])
    if isinstance(leaf, str):
        blank = [leaf + " ", leaf + "\n", leaf + "\r\n"]
        return ([leaf, *blank], [leaf + "x"]) if rule.strings == "lines" else ([leaf], [*blank, leaf + "x"])
    if isinstance(leaf, int):
        double = [float(leaf)] if abs(leaf) <= 2**53 else []
        far: list[Any] = [leaf + 1, leaf - 1, [leaf], None]
        return ([leaf], far + double) if name == "exact" else ([leaf, *double], far)
    if not isinstance(leaf, float):
        return [leaf], []
    if math.isnan(leaf) or math.isinf(leaf):
        return [leaf], [0.0, None, -leaf if math.isinf(leaf) else math.inf, 1.7e308]
    if abs(leaf) > 1e300:
        return [leaf], [-leaf, 0.0, math.inf]
    if name in CLOSE:
        return _float_neighbours(leaf, rule)
    beside = [math.nextafter(leaf, math.inf), math.nextafter(leaf, -math.inf)]
    zero = [-leaf] if leaf == 0 else []
    return ([leaf], beside + zero) if name == "exact" else ([leaf, *zero], beside)


def _leaves(value: Any, path: str = "$") -> Iterator[tuple[Any, str, Callable[[Any], Any]]]:
    """Every leaf with its path and a function that builds the value anew with another leaf in its place."""
    if isinstance(value, list | tuple):
        for index, item in enumerate(value):
            for leaf, where, put in _leaves(item, f"{path}[{index}]"):
                yield leaf, where, partial(_put_item, value, index, put)
    elif isinstance(value, dict):
        for key, item in value.items():
            name = str(key)
            bare = name.isascii() and name.isidentifier()
            for leaf, where, put in _leaves(item, f"{path}.{name}" if bare else f"{path}[{json.dumps(name)}]"):
                yield leaf, where, partial(_put_member, value, key, put)
    else:
        yield value, path, lambda other: other


def _put_item(value: Any, index: int, put: Callable[[Any], Any], other: Any) -> Any:
    return type(value)([*value[:index], put(other), *value[index + 1 :]])


def _put_member(value: dict[Any, Any], key: Any, put: Callable[[Any], Any], other: Any) -> Any:
    return value | {key: put(other)}


def changed_somewhere(value: Any, name: str, rng: random.Random, inside: bool = False) -> tuple[Any, str | None]:
    """The value with one leaf exchanged for a neighbour, and where; (value, None) where there is no leaf."""
    choices = [
        (put, where, near if inside else far)
        for leaf, where, put in _leaves(value)
        for near, far in [neighbours(leaf, name)]
        if (near if inside else far)
    ]
    if not choices:
        return value, None
    put, where, others = rng.choice(choices)
    return put(rng.choice(others)), where


SUITE: list[Property] = [
    changes_beyond_the_rule_are_seen_at_their_place,
    changes_within_the_rule_are_equal,
    containers_that_gain_or_lose_are_seen,
    reflexive,
    huge_integers_against_floats_are_judged_exactly,
    identical_json_text_is_equal,
    symmetric,
    total,
]
NORMAL = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
LONG = settings(NORMAL, max_examples=3_000)
# Many examples, the same in every run: a lie that is found once is found always.
LIARS = settings(
    NORMAL, max_examples=1000, derandomize=True, phases=[Phase.generate], report_multiple_bugs=False, database=None
)


def run(holds: Property, compare: Compare, how: settings) -> None:
    settings.register_profile("comparator", how)
    before = settings.get_current_profile_name()
    settings.load_profile("comparator")
    try:
        holds(compare)
    finally:
        settings.load_profile(before)


@pytest.mark.parametrize("holds", SUITE)
def test_the_comparator_keeps_the_suite(holds: Property) -> None:
    run(holds, compare, NORMAL)


@pytest.mark.slow
@pytest.mark.parametrize("holds", SUITE)
def test_the_comparator_keeps_the_suite_at_length(holds: Property) -> None:
    run(holds, compare, LONG)


def _answer(equal: bool) -> Comparison:
    return Comparison(equal, "" if equal else "$", "" if equal else "because")


def _blind(kind: type) -> Compare:
    """Finds every difference except those where both leaves are of that kind."""

    def liar(actual: Any, expected: Any, rule: ComparisonRule) -> Comparison:
        if type(actual) is kind and type(expected) is kind:
            return _answer(True)
        return compare(actual, expected, rule)

    return liar


def _looser(actual: Any, expected: Any, rule: ComparisonRule) -> Comparison:
    return compare(actual, expected, rule.model_copy(update={"rtol": rule.rtol * 1.001}))


def _tighter(actual: Any, expected: Any, rule: ComparisonRule) -> Comparison:
    return compare(actual, expected, rule.model_copy(update={"rtol": rule.rtol * 0.999}))


LIES: dict[str, Compare] = {
    "always yes": lambda actual, expected, rule: _answer(True),
    "always no": lambda actual, expected, rule: _answer(False),
    "python's ==": lambda actual, expected, rule: _answer(actual == expected),
    "the same object": lambda actual, expected, rule: _answer(actual is expected),
    "another rule": lambda actual, expected, rule: compare(actual, expected, RULES["numeric"]),
    "without place": lambda actual, expected, rule: _answer(compare(actual, expected, rule).equal),
    "blind to floats": _blind(float),
    "blind to texts": _blind(str),
    "blind to lists": _blind(list),
    "blind to dicts": _blind(dict),
    "blind to sets": _blind(set),
    "a thousandth looser": _looser,
    "a thousandth tighter": _tighter,
}


def finds_out(holds: Property, lie: str) -> bool:
    try:
        run(holds, LIES[lie], LIARS)
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize("lie", LIES)
def test_a_comparator_that_lies_fails_the_suite(lie: str) -> None:
    assert any(finds_out(holds, lie) for holds in SUITE)


def test_yes_and_no_fail_several_properties_each() -> None:
    assert finds_out(changes_beyond_the_rule_are_seen_at_their_place, "always yes")
    assert finds_out(containers_that_gain_or_lose_are_seen, "always yes")
    assert finds_out(reflexive, "always no")
    assert finds_out(changes_within_the_rule_are_equal, "always no")
