"""Tests of data sets: their forms, their arguments, and when printed text counts as right."""

import base64
import json
import os
import pickle
import zlib
from typing import Any

import pytest

from reexec.runners.graders.io_arguments import arguments_of, expected_of, signature_of
from reexec.runners.graders.io_sets import BadTestsError, IoSet, read_tests
from reexec.runners.graders.text_rules import joined, text_difference

IN_OUT = {"inputs": ["1\n"], "outputs": ["2\n"]}


def packed(value: Any) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(value))).decode()


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"input_output": IN_OUT}, IoSet(("1\n",), ("2\n",))),
        ({"input_output": json.dumps(IN_OUT)}, IoSet(("1\n",), ("2\n",))),
        ({"input_output": {**IN_OUT, "fn_name": "f"}}, IoSet(("1\n",), ("2\n",), "f")),
        ({"tests": [{"input": "1", "output": "2", "testtype": "stdin"}]}, IoSet(("1",), ("2",))),
        (
            {
                "public_test_cases": json.dumps([{"input": "1", "output": "2", "testtype": "functional"}]),
                "private_test_cases": packed(json.dumps([{"input": "3", "output": "4", "testtype": "functional"}])),
                "metadata": json.dumps({"func_name": "f"}),
            },
            IoSet(("1", "3"), ("2", "4"), "f"),
        ),
        ({"public_test_cases": [{"input": "1", "output": "2"}], "private_test_cases": ""}, IoSet(("1",), ("2",))),
        ({"code": "x"}, None),
    ],
)
def test_every_form_gives_the_same_set(row: dict[str, Any], found: IoSet | None) -> None:
    assert read_tests(row) == found


class _Evil:
    def __reduce__(self) -> Any:
        return (os.system, ("touch /tmp/unpickled",))


@pytest.mark.parametrize(
    ("row", "path"),
    [
        ({"input_output": {"inputs": ["1"], "outputs": []}}, "$.input_output"),
        ({"input_output": "neither"}, "$.input_output"),
        ({"input_output": 3}, "$.input_output"),
        ({"input_output": {**IN_OUT, "fn_name": 3}}, "$.input_output.fn_name"),
        ({"tests": [{"input": "1"}]}, "$.tests"),
        ({"tests": [{"input": "1", "output": "2", "testtype": "functional"}]}, "$.metadata.func_name"),
        ({"private_test_cases": packed(_Evil())}, "$.private_test_cases"),
        ({"private_test_cases": base64.b64encode(b"no zlib").decode()}, "$.private_test_cases"),
        ({"private_test_cases": base64.b64encode(zlib.compress(b"cos\nsystem\n(S'x'\ntR.")).decode()}, "$.private_test_cases"),
        ({"private_test_cases": packed("[1, 2")}, "$.private_test_cases"),
    ],
)
def test_what_cannot_be_read_says_where_and_runs_nothing(row: dict[str, Any], path: str) -> None:
    with pytest.raises(BadTestsError) as caught:
        read_tests(row)
    assert str(caught.value).endswith(f"at {path}")


SOLUTION = "class Solution:\n    def f(self, {}) -> {}:\n        pass"


@pytest.mark.parametrize(
    ("parameters", "given", "args"),
    [
        ("a: int, b: int", "1\n2", [1, 2]),
        ("a: int, b: int", "[1, 2]", [1, 2]),
        ("a: List[int]", "[1, 2]", [[1, 2]]),
        ("a: List[int]", "[[1, 2]]", [[1, 2]]),
        ("a: List[List[int]]", "[[1, 2]]", [[[1, 2]]]),
        ("a: List[List[int]]", "[[[1, 2]]]", [[[1, 2]]]),
        ("a: List[int]", "[[]]", [[]]),
        ("s: str, k: int", "['ab', 2]", ["ab", 2]),
        ("s: str", "['1011']", ["1011"]),
        ("s: str", '"1011"', ["1011"]),
        ("a", "[1]", [[1]]),
        ("a, b", "[1, 2]", [1, 2]),
        ("a: list[int], k: int = 3", "[1, 2]", [[1, 2]]),
        ("a: int, b: int", [1, 2], [1, 2]),
        ("d: dict", [{"1": 2}], [{1: 2}]),
        ("d: dict", [{"a": 2}], [{"a": 2}]),
    ],
)
def test_arguments_follow_from_the_signature(parameters: str, given: Any, args: list[Any]) -> None:
    signature = signature_of(SOLUTION.format(parameters, "int"), "f")
    assert signature.method
    assert arguments_of(given, signature) == args


def test_a_function_goes_before_the_class_and_text_stays_text() -> None:
    assert not signature_of("def f(a):\n    pass", "f").method
    text = signature_of(SOLUTION.format("n: int", "str"), "f")
    assert expected_of("595", text) == "595"
    assert expected_of('"595"', text) == "595"
    number = signature_of(SOLUTION.format("n: int", "int"), "f")
    assert [expected_of(given, number) for given in ("595", "True", "[1, 'a']", "11:54", 3)] == [
        595,
        True,
        [1, "a"],
        "11:54",
        3,
    ]


@pytest.mark.parametrize(
    ("actual", "expected", "rule", "equal"),
    [
        ("1 2\n", "1 2", "lines", True),
        (" 1 2 \n\n", "1 2\n", "lines", True),
        ("1\n2\n", "1 2\n", "lines", False),
        ("1\n2\n", "1 2\n", "tokens", True),
        ("1.0\n", "1\n", "lines", True),
        ("1e2\n", "100\n", "lines", True),
        ("0.6666667\n", "0.66666666\n", "lines", False),
        ("0.6666667\n", "0.66666666\n", "numbers", True),
        ("50000000000000000", "50000000000000001", "lines", False),
        ("YES\n", "Yes\n", "lines", False),
        ("", "\n", "lines", True),
        ("x", "", "lines", False),
        ("9" * 5000, "8" * 5000, "lines", False),
        ("9" * 598, "9" * 598 + ".0", "lines", True),
        ("9" * 600, "9" * 600 + ".0", "lines", False),  # beyond 600 digits a number is text
        ("1\n2\n3\n", "1\n2\n", "lines", False),
        ("\u0661\u0662", "12", "lines", False),  # digits of another script
        ("1_2", "12", "lines", False),
        ("+12", "12", "lines", True),
        ("nan", "nan", "lines", True),
        ("1 1", "1 nan", "lines", False),
    ],
)
def test_printed_text(actual: str, expected: str, rule: Any, equal: bool) -> None:
    assert (text_difference(actual, expected, rule) == "") is equal


def test_text_may_be_a_list_of_lines() -> None:
    assert joined(["1", "2"]) == "1\n2"
    assert joined("1\n2") == "1\n2"
