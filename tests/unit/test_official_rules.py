"""The checkers of APPS and LiveCodeBench by their own rules, beside the rules that hold without them.

What the two tools say of each case was read off their sources.
"""

from types import SimpleNamespace
from typing import Any

import pytest

from reexec.runners.graders.io_tests import IoTests
from reexec.runners.graders.official_rules import integer_keys
from reexec.runners.graders.problems import Problems
from reexec.runners.graders.text_rules import TextRule, text_difference


def right(rule: TextRule, actual: str, expected: str) -> bool:
    return text_difference(actual, expected, rule) == ""


@pytest.mark.parametrize(
    ("actual", "expected", "apps", "livecodebench", "lines"),
    [
        ("1 2\n", "1 2", True, True, True),
        (" 1\n2 \n\n", "1\n2\n", True, True, True),
        ("1\n\n2\n", "1\n2\n", True, False, False),  # an empty line between
        ("1\n2\n", "1\n\n2\n", True, False, False),
        ("1\n2\n", "1 2\n", False, False, False),
        ("2 1\n", "1 2\n", True, False, False),  # words as sets
        ("b\na\n", "a\nb\n", True, False, False),  # lines as sets
        ("a\n", "a\na\na\n", True, False, False),  # however often
        ("1 1 1\n", "1\n", True, False, False),
        ("a\nb\n", "a\nc\n", False, False, False),
        ("0.66671\n", "0.66670\n", True, False, False),  # close by 1e-5
        ("0.6671\n", "0.6672\n", True, False, False),  # equal in three digits
        ("0.667\n", "0.668\n", False, False, False),
        ("100.0\n", "100\n", True, True, True),
        ("1e2\n", "100\n", True, True, True),
        ("100000\n", "100001\n", True, False, False),  # a near miss counts for APPS
        ("100000 1\n", "100001 1\n", False, False, False),
        ("50000000000000000\n", "50000000000000001\n", True, False, False),
        ("YES  3\n", "YES 3\n", True, False, True),  # blanks between words
        ("YES 1.0\n", "YES 1\n", False, False, True),  # a number beside a word
        ("1.0  2\n", "1 2.0\n", True, True, True),
        ("yes\n", "YES\n", False, False, False),
        ("inf\n", "inf\n", True, True, True),
        ("inf\n", "1e999\n", True, False, False),
        ("sNaN\n", "NaN\n", False, False, False),
        ("", "", True, True, True),
        ("", "\n", True, True, True),
        ("x\n", "", False, False, False),
        ("", "x\n", False, False, False),
        ("9" * 700 + ".0", "9" * 700, True, True, False),  # beyond 600 digits a number is text for `lines`
    ],
)  # fmt: skip
def test_printed_text_by_each_rule(actual: str, expected: str, apps: bool, livecodebench: bool, lines: bool) -> None:
    found = {rule: right(rule, actual, expected) for rule in ("apps", "livecodebench", "lines")}
    assert found == {"apps": apps, "livecodebench": livecodebench, "lines": lines}


def returns(rule: TextRule, actual: Any, given: Any, wanted: Any) -> bool:
    executor: Any = SimpleNamespace()
    task = IoTests(Problems.of_rows({}), executor, compare=rule)
    row = {"code": "def f(*args):\n    pass\n", "input_output": {"inputs": [given], "outputs": [wanted], "fn_name": "f"}}
    (test,) = task.plan(row, "").tests
    return test.decide([actual]) == ""


@pytest.mark.parametrize(
    ("actual", "wanted", "apps", "ours"),
    [
        (3, 3, True, True),
        (3, [3], True, True),
        ([3], 3, False, False),
        (3, [3, 1], True, False),  # the first element of a longer list: APPS's slip
        ([1, 2], [[1, 2]], True, True),
        ([1, 2], [[1, 2], [3]], True, False),
        ((1, 2), [1, 2], True, True),
        ([(1, 2)], [[[1, 2]]], True, True),
        ([(1, 2)], [[1, 2]], False, True),  # tuples within a list against the whole: APPS overlooks it
        ([(1, 2), 3], [[[1, 2], 3]], False, True),
        ([], [], True, True),
        (None, [], False, False),
        (None, [None], True, True),
        ("595", "595", True, True),  # text that reads as a number, as a value
        ("a", "a", True, True),
        ("a", ["a"], True, True),
        ("a", "ab", False, False),
        ({1: 2}, {"1": 2}, True, True),  # JSON has no integer keys
        ({"a": 1}, {"a": 1}, True, True),
        ({1: 2}, [{"1": 2}], True, False),
        ({1: 2}, {"1": 3}, False, False),
        (True, 1, True, True),
        (1.0, 1, True, True),
        (0.1 + 0.2, 0.3, False, False),
    ],
)  # fmt: skip
def test_returned_values_beside_apps(actual: Any, wanted: Any, apps: bool, ours: bool) -> None:
    assert {"apps": returns("apps", actual, [1], wanted), "lines": returns("lines", actual, [1], wanted)} == {
        "apps": apps,
        "lines": ours,
    }


@pytest.mark.parametrize(
    ("actual", "wanted", "livecodebench", "ours"),
    [
        (3, "3", True, True),
        (3, "[3]", False, False),  # text says what it is: nothing is wrapped in it
        ([3], "[3]", True, True),
        ((1, 2), "[1, 2]", True, True),
        ([(1, 2)], "[[1, 2]]", False, True),  # JSON has no tuples
        (595, "595", True, True),
        ("595", '"595"', True, True),
        (None, "null", True, True),
        (True, "true", True, True),
        (0.30000000000000004, "0.3", False, False),
        ("3", "3", False, False),
    ],
)
def test_returned_values_beside_livecodebench(actual: Any, wanted: str, livecodebench: bool, ours: bool) -> None:
    found = {rule: returns(rule, actual, "1", wanted) for rule in ("livecodebench", "lines")}
    assert found == {"livecodebench": livecodebench, "lines": ours}


def test_integer_keys_come_back_where_all_of_them_are_integers() -> None:
    assert integer_keys({"1": "a", "2": "b"}) == {1: "a", 2: "b"}
    assert integer_keys({"1": "a", "x": "b"}) == {"1": "a", "x": "b"}
    assert integer_keys([1]) == [1]
