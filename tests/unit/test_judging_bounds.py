"""What the comparator and the size guard do exactly at their bounds: NaN as a key, budgets of both sides, complex tolerance,
and depths far below the default."""

from typing import Any

import pytest

from reexec.engine.judging.compare import Comparison, compare
from reexec.engine.judging.size_guard import check_size
from reexec.policies.comparison import ComparisonRule
from reexec.policies.size import SizeRule

NAN = float("nan")
ALL = ("codeio", "exact", "numeric", "python-literal", "text")


def nans(*values: Any) -> dict[Any, Any]:
    """A dict with as many NaN keys: no two of them are equal, so each is a key of its own."""
    return {float("nan"): value for value in values}


def judged(name: str, actual: Any, expected: Any, **changed: Any) -> Comparison:
    return compare(actual, expected, ComparisonRule.preset(name).model_copy(update=changed))


def nested(depth: int, kind: Any = list, leaf: Any = 0) -> Any:
    value = leaf
    for _ in range(depth):
        value = {"k": value} if kind is dict else kind((value,))
    return value


# -- NaN keys -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_nan_keys_count_as_often_as_they_occur(name: str) -> None:
    assert judged(name, nans(1, 2), nans(1, 2)).equal
    assert not judged(name, nans(1, 1), nans(1)).equal
    assert not judged(name, nans(1), nans(1, 1)).equal
    assert judged(name, {float("nan"), float("nan")}, {float("nan"), float("nan")}).equal
    assert not judged(name, {float("nan"), float("nan")}, {float("nan"), 1.5}).equal
    assert not judged(name, {float("nan"), 1.5}, {float("nan"), float("nan")}).equal
    twice, once = (float("nan"), 0), (float("nan"), 0)
    assert not judged(name, {float("nan"), float("nan"), once}, {float("nan"), once, twice}).equal


@pytest.mark.parametrize("name", ALL)
def test_values_of_repeated_nan_keys_are_compared_one_by_one(name: str) -> None:
    assert not judged(name, nans(1, 2, 3), nans(1, 2, 4)).equal
    assert not judged(name, nans(1, 2, 3), nans(0, 2, 3)).equal
    assert not judged(name, nans(1, 2, 3), nans(1, 0, 3)).equal


@pytest.mark.parametrize("name", ["exact", "python-literal"])
def test_tuples_with_nan_in_them_are_keys_of_their_own(name: str) -> None:
    def keyed(*values: int) -> dict[Any, int]:
        return {(float("nan"), "a"): value for value in values}

    assert judged(name, keyed(1, 2), keyed(1, 2)).equal
    assert not judged(name, keyed(1, 2), keyed(1, 3)).equal
    assert not judged(name, keyed(1), keyed(1, 1)).equal


@pytest.mark.parametrize("name", ["codeio", "numeric", "text"])
def test_nan_and_its_name_are_two_keys_under_json(name: str) -> None:
    assert judged(name, {NAN: 1, "NaN": 2}, {"NaN": 2, NAN: 1}).equal
    assert not judged(name, {NAN: 1, "NaN": 2}, {NAN: 2, "NaN": 1}).equal
    assert judged(name, {NAN: 1}, {"NaN": 1}).equal


# -- the budget -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["actual", "expected"])
@pytest.mark.parametrize("name", ["exact", "python-literal"])
def test_keys_of_both_sides_are_paid_for(name: str, side: str) -> None:
    """One for the root, two for the entries, and for each side a tuple with what it holds."""
    small, large = {(1,): 0, "a": 1}, {(1, 2, 3, 4, 5, 6, 7, 8, 9): 0, "a": 1}
    actual, expected = (large, small) if side == "actual" else (small, large)
    needed = 1 + 2 + (1 + 1) + (1 + 9) + 2  # root, entries, both tuples, both texts
    assert judged(name, actual, expected, max_nodes=needed).reason == "missing"
    assert judged(name, actual, expected, max_nodes=needed - 1).reason == "too-large"


@pytest.mark.parametrize("name", ALL)
def test_elements_of_both_sets_are_paid_for(name: str) -> None:
    one, other = {(1, 2)}, {(1, 2)}
    needed = 1 + 1 + 3 + 3
    assert judged(name, one, other, max_nodes=needed).equal
    assert judged(name, one, other, max_nodes=needed - 1).reason == "too-large"


@pytest.mark.parametrize("name", ALL)
def test_entries_of_the_longer_dict_are_paid_for(name: str) -> None:
    many = {str(number): 0 for number in range(9)}
    for actual, expected in ((many, {"0": 0}), ({"0": 0}, many), (many, dict(many))):
        assert judged(name, actual, expected, max_nodes=10).reason != "too-large"
        assert judged(name, actual, expected, max_nodes=9).reason == "too-large"


def test_lines_of_text_are_paid_for() -> None:
    actual, expected = "a\n" * 30 + "b", "a\n" * 30 + "c"
    assert judged("text", actual, expected, max_nodes=40).reason not in ("", "too-large")
    assert judged("text", actual, expected, max_nodes=5).reason == "too-large"


# -- complex numbers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["numeric", "text"])
def test_both_parts_of_a_complex_number_have_the_tolerance(name: str) -> None:
    assert judged(name, complex(1 + 1e-7, 2), complex(1, 2)).equal
    assert judged(name, complex(1, 2 + 1e-7), complex(1, 2)).equal
    assert judged(name, complex(1 + 1e-4, 2), complex(1, 2)).reason == "outside the tolerance"
    assert judged(name, complex(1, 2 + 1e-4), complex(1, 2)).reason == "outside the tolerance"
    assert judged(name, complex(1, NAN), complex(1, NAN)).equal
    assert not judged(name, complex(1, NAN), complex(1, 2)).equal


def test_a_real_number_is_complex_only_where_numbers_need_to_be_equal() -> None:
    assert judged("python-literal", 3, complex(3, 0)).equal
    assert judged("python-literal", complex(3, 0), 3.0).equal
    assert not judged("python-literal", complex(3, 1e-12), 3).equal
    for name in ("codeio", "numeric", "text"):
        assert judged(name, 3, complex(3, 0)).reason == "only one of the two is complex"
    assert judged("exact", 3, complex(3, 0)).reason == "a number of another type"


def test_signs_of_zero_in_complex_numbers_count_where_they_count_in_others() -> None:
    for actual, expected in ((complex(0.0, 1), complex(-0.0, 1)), (complex(1, 0.0), complex(1, -0.0))):
        assert judged("exact", actual, expected).reason == "the sign of zero"
        assert judged("numeric", actual, expected).equal


def test_complex_keys_and_elements_have_no_tolerance() -> None:
    assert not judged("numeric", {complex(1 + 1e-7, 2)}, {complex(1, 2)}).equal
    assert judged("python-literal", {complex(3, 0): 1}, {3: 1}).equal
    assert not judged("exact", {complex(3, 0): 1}, {3: 1}).equal


# -- depth ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [list, tuple, dict])
@pytest.mark.parametrize("depth", [1, 2, 11, 12, 13, 40])
def test_the_comparators_depth_is_the_rules(depth: int, kind: Any) -> None:
    assert judged("numeric", nested(depth + 1, kind), nested(depth + 1, kind), max_depth=depth).equal
    assert judged("numeric", nested(depth + 2, kind), nested(depth + 2, kind), max_depth=depth).reason == "too-deep"


@pytest.mark.parametrize("depth", [1, 2, 12])
@pytest.mark.parametrize("name", ["exact", "python-literal"])
def test_depth_counts_into_keys_and_elements(name: str, depth: int) -> None:
    fits, over = nested(depth, tuple), nested(depth + 1, tuple)
    assert judged(name, {fits}, {fits}, max_depth=depth).equal
    assert judged(name, {over}, {over}, max_depth=depth).reason == "too-deep"
    assert judged(name, {fits: 1}, {fits: 1}, max_depth=depth).equal
    assert judged(name, {over: 1}, {over: 1}, max_depth=depth).reason == "too-deep"
    assert judged(name, {over: 1}, {fits: 1}, max_depth=depth).reason == "too-deep"
    assert judged(name, {fits: 1}, {over: 1}, max_depth=depth).reason == "too-deep"


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("equal", [None, 1, "a", True, 2.5, [], {}])
def test_equal_parts_do_not_end_the_walk(name: str, equal: Any) -> None:
    assert judged(name, [equal, 1], [equal, 2]).path == "$[1]"
    assert judged(name, {"a": equal, "b": 1}, {"a": equal, "b": 2}).path == "$.b"


@pytest.mark.parametrize("kind", [list, tuple, dict])
@pytest.mark.parametrize("depth", [1, 2, 11, 12, 13, 40])
def test_the_guards_depth_is_the_rules(depth: int, kind: Any) -> None:
    """Around the level at which its faster walk hands over to the other one as well."""
    rule = SizeRule(max_depth=depth, total_bytes_below=1_000_000)
    assert check_size(nested(depth + 1, kind), rule) is None
    finding = check_size(nested(depth + 2, kind), rule)
    assert finding is not None
    step = ".k" if kind is dict else "[0]"
    assert (finding.path, finding.reason) == ("$" + step * (depth + 1), f"nested deeper than {depth}")


def test_bounds_of_the_guard_are_exclusive() -> None:
    rule = SizeRule(entries_below=4, characters_below=5, total_bytes_below=1_000_000)
    assert check_size([1, 2, 3], rule) is None
    assert str(check_size([1, 2, 3, 4], rule)) == "$: 4 entries, limit 4"
    assert check_size({"a": 1, "b": 2, "c": 3}, rule) is None
    assert str(check_size({"a": 1, "b": 2, "c": 3, "d": 4}, rule)) == "$: 4 entries, limit 4"
    assert check_size(["abcd"], rule) is None
    assert str(check_size(["abcde"], rule)) == "$[0]: 5 characters, limit 5"
    assert check_size({"abcd": 1}, rule) is None
    assert str(check_size({"abcde": 1}, rule)) == "$.abcde: a key of 5 characters, limit 5"
