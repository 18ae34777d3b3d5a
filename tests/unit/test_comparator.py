"""What each preset calls equal, where the first difference is said to lie, and that no value ends in an exception."""

import os
import subprocess
import sys
from typing import Any

import pytest

from reexec.engine.judging.compare import Comparison, compare
from reexec.policies.comparison import ComparisonRule, comparison_preset_names

INF, NAN = float("inf"), float("nan")
ALL = ("codeio", "exact", "numeric", "python-literal", "text")
HUGE = 10**400


def equal(name: str, actual: Any, expected: Any) -> bool:
    return compare(actual, expected, ComparisonRule.preset(name)).equal


def difference(actual: Any, expected: Any, name: str = "numeric") -> tuple[str, str]:
    found = compare(actual, expected, ComparisonRule.preset(name))
    assert not found.equal
    return found.path, found.reason


# One row a pair: the presets under which it is equal.
TABLE: list[tuple[Any, Any, str]] = [
    (3, 3, "codeio exact numeric python-literal text"),
    (3, 4, ""),
    (3, 3.0, "codeio numeric python-literal text"),
    (True, 1, "codeio python-literal"),
    (True, 1.0, "codeio python-literal"),
    (0, False, "codeio python-literal"),
    (True, False, ""),
    (None, 0, ""),
    (None, False, ""),
    ("1", 1, ""),
    ("", None, ""),
    (1000.9, 1000.5, "codeio"),
    (1001.0, 1000.5, ""),  # another integer part
    (2.9999, 3.0, ""),
    (3.0001, 3, "codeio"),
    (1.001, 1.0, "codeio"),
    (1.0011, 1.0, ""),
    (0.1 + 0.2, 0.3, "codeio numeric text"),
    (1e-12, 0.0, "numeric text"),
    (-0.0, 0.0, "codeio numeric python-literal text"),
    (NAN, float("nan"), "codeio exact numeric python-literal text"),
    (NAN, 0.0, ""),
    (0, NAN, ""),
    (INF, INF, "codeio exact numeric python-literal text"),
    (INF, -INF, ""),
    (INF, 1.7e308, ""),
    (1, INF, ""),
    (HUGE, INF, ""),
    (1.7e308, -1.7e308, ""),
    (2**53, float(2**53), "codeio numeric python-literal text"),
    (2**53 + 1, float(2**53), "numeric text"),  # equal in doubles, another integer part in truth
    (2**1000, 2.0**1000, "codeio numeric python-literal text"),
    (2**1000 + 2**970, 2.0**1000, "numeric text"),  # close, but another integer part
    (HUGE + 1, HUGE, ""),
    (HUGE, 1.5, ""),
    ((1, 2), [1, 2], "codeio numeric text"),
    ((1, (2,)), (1, (2,)), "codeio exact numeric python-literal text"),
    ({1: "a"}, {"1": "a"}, "codeio numeric text"),
    ({True: 0, None: 1, 1.5: 2}, {"true": 0, "null": 1, "1.5": 2}, "codeio numeric text"),
    ({NAN: 0, INF: 1, 1e22: 2}, {"NaN": 0, "Infinity": 1, "1e+22": 2}, "codeio numeric text"),
    ({1: 0}, {True: 0}, "python-literal"),
    ({1: 0}, {1.0: 0}, "python-literal"),
    ({0.0: 0}, {-0.0: 0}, "python-literal"),  # JSON writes the sign
    ({NAN: 0}, {float("nan"): 0}, "codeio exact numeric python-literal text"),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}, "codeio exact numeric python-literal text"),
    ([1, 2], [2, 1], ""),
    ([], {}, ""),
    ([], None, ""),
    ({1, 2}, {2, 1}, "codeio exact numeric python-literal text"),
    ({1}, frozenset({1}), "codeio numeric python-literal text"),
    ({1}, {1.0}, "codeio numeric python-literal text"),
    ({1}, {True}, "codeio python-literal"),
    ({1}, [1], ""),
    ({(1, frozenset({2}))}, {(1.0, frozenset({2.0}))}, "codeio numeric python-literal text"),
    ({(NAN, 1)}, {(float("nan"), 1)}, "codeio exact numeric python-literal text"),
    (b"ab", b"ab", "codeio exact numeric python-literal text"),
    (b"ab", "ab", ""),
    (1 + 0j, 1, "python-literal"),
    (1 + 2j, 1 + 2j, "codeio exact numeric python-literal text"),
    (1 + 2j, 1 + 3j, ""),
    (complex(NAN, 1), complex(NAN, 1), "codeio exact numeric python-literal text"),
    ("\ud800", "\ud800", "codeio exact numeric python-literal text"),
    ("\ud800", "\ud801", ""),
    ("a \n\n", "a", "text"),
    ("a\r\nb", "a\nb", "text"),
    (" a", "a", ""),
    (["a "], ["a"], "text"),
]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(("actual", "expected", "under"), TABLE, ids=lambda part: ascii(part)[:40])
def test_the_table_of_docs_comparator(actual: Any, expected: Any, under: str, name: str) -> None:
    assert equal(name, actual, expected) is (name in under.split())


@pytest.mark.parametrize(("actual", "expected", "under"), TABLE, ids=lambda part: ascii(part)[:40])
def test_the_table_holds_inside_containers_too(actual: Any, expected: Any, under: str) -> None:
    for name in ALL:
        assert equal(name, {"a": [0, actual]}, {"a": [0, expected]}) is (name in under.split())


def test_codeio_is_relative_to_what_was_expected() -> None:
    assert equal("codeio", 1000.0, 1001.0) is False
    assert equal("codeio", 0.9990005, 0.9999) is True
    assert equal("codeio", 0.9999, 0.999) is True
    rule = ComparisonRule.preset("codeio").model_copy(update={"same_integer_part": False, "rtol": 0.5})
    assert compare(1.0, 2.0, rule).equal
    assert not compare(2.0, 1.0, rule).equal


@pytest.mark.parametrize(
    ("actual", "expected", "path", "reason"),
    [
        (1, 2, "$", "another number"),
        ({"edges": [{}, {}, {"weight": 1}]}, {"edges": [{}, {}, {"weight": 2}]}, "$.edges[2].weight", "another number"),
        ({"a b": [1.0]}, {"a b": [2.0]}, '$["a b"][0]', "outside the tolerance"),
        ({"": 1}, {"": 2}, '$[""]', "another number"),
        ({"é": 1}, {"é": 2}, '$["\\u00e9"]', "another number"),
        ({"\ud800": 1}, {"\ud800": 2}, '$["\\ud800"]', "another number"),
        ([[1], [1, 2]], [[1], [1]], "$[1]", "length 2, expected 1"),
        ({"a": 1}, {"a": 1, "b": 2}, "$.b", "missing"),
        ([{"a": 1, "b": 2}], [{"a": 1}], "$[0].b", "not expected"),
        ({1: [1]}, {1: [2]}, '$["1"][0]', "another number"),
        ([1, "x"], [1, 7], "$[1]", "a text, expected an int"),
        (None, [], "$", "None, expected a list"),
        ({"a": {1, 2}}, {"a": {1, 3}}, "$.a", "other elements"),
        ("x", "y", "$", "another text"),
        (2.9999, 3.0, "$", "outside the tolerance"),
        ([object()], [1], "$[0]", "a type that is not compared"),
        ({"k" * 500: 1}, {"k" * 500: 2}, '$["' + "k" * 120 + '..."]', "another number"),
    ],
)
def test_path_and_reason_name_the_first_difference(actual: Any, expected: Any, path: str, reason: str) -> None:
    assert difference(actual, expected) == (path, reason)


def test_paths_show_keys_of_python_dicts_in_brackets() -> None:
    assert difference({1: [0]}, {1: [1]}, "exact")[0] == "$[1][0]"
    assert difference({(1, 2): 0}, {(1, 2): 1}, "python-literal")[0] == "$[a tuple]"
    assert difference({None: 0}, {None: 1}, "exact")[0] == "$[null]"


def test_reasons_of_codeio_tell_tolerance_from_integer_part() -> None:
    assert difference(2.9999, 3.0, "codeio") == ("$", "another integer part")
    assert difference(3.1, 3.0, "codeio") == ("$", "outside the tolerance")


def test_equal_has_neither_path_nor_reason() -> None:
    assert compare([1], [1], ComparisonRule.preset("exact")) == Comparison(True, "", "")


@pytest.mark.parametrize("name", ALL)
def test_two_keys_that_json_writes_alike_are_both_compared(name: str) -> None:
    assert equal(name, {1: "a", "1": "b"}, {"1": "b", 1: "a"})
    assert not equal(name, {1: "a", "1": "b"}, {1: "x", "1": "b"})
    assert not equal(name, {1: "a", "1": "b"}, {"1": "b"})


WORDS = ComparisonRule.preset("text").model_copy(update={"token_numbers": True})


@pytest.mark.parametrize(
    ("actual", "expected", "reason"),
    [
        ("1.0000001 x\n2", "1 x\n2.0", ""),
        ("a   b\t c", "a b c", ""),
        ("007", "7", ""),
        ("1e3 .5 +2.", "1000.0 0.5 2", ""),
        ("1.1", "1.2", "line 1: word 1: outside the tolerance"),
        ("ok\n1 2", "ok\n1 3", "line 2: word 2: another number"),
        ("1 2", "1 2 3", "line 1: 2 words, expected 3"),
        ("a\nb\nc", "a\nb", "3 lines, expected 2"),
        ("1_000", "1000", "line 1: word 1: another text"),
        ("\u0661", "1", "line 1: word 1: another text"),
        ("1e99999", "inf", "line 1: word 1: another text"),
        ("1e99999", "2e99999", "line 1: word 1: another text"),
        ("9" * 5000, "8" * 5000, "line 1: word 1: another text"),
        ("nan", "NaN", "line 1: word 1: another text"),
    ],
)
def test_words_of_text_that_are_numbers_are_compared_as_numbers(actual: str, expected: str, reason: str) -> None:
    found = compare(actual, expected, WORDS)
    assert (found.equal, found.reason) == (not reason, reason)


def test_text_without_token_numbers_names_the_line() -> None:
    assert difference("a\n1.0", "a\n1", "text") == ("$", "line 2: another text")


def test_every_preset_loads_and_is_one_object() -> None:
    assert comparison_preset_names() == sorted(ALL)
    for name in ALL:
        assert ComparisonRule.preset(name) is ComparisonRule.preset(name)


def test_values_says_how_they_must_be_carried() -> None:
    carried = {name: ComparisonRule.preset(name).values for name in ALL}
    assert [name for name in ALL if carried[name] == "python"] == ["exact", "python-literal"]


def test_an_unknown_preset_names_the_nearest_known_ones() -> None:
    with pytest.raises(ValueError, match=r"did you mean 'numeric'.*codeio, exact, numeric, python-literal, text"):
        ComparisonRule.preset("numerics")
    with pytest.raises(ValueError, match=r"no comparison rule '\.\./codeio'"):
        ComparisonRule.preset("../codeio")


_BATTERY = """
from reexec.engine.judging.compare import compare
from reexec.policies.comparison import ComparisonRule, comparison_preset_names
pairs = [({"a", "b", "c", "d"}, {"a", "b", "c", "x"}), ({"k": {("p", "q"), "r"}}, {"k": {("p", "q"), "r"}}),
         ({"z": 1, "y": 2}, {"y": 3, "z": 4}), ({frozenset("abcd"): 1}, {frozenset("dcba"): 2})]
for name in comparison_preset_names():
    for pair in pairs:
        print(compare(*pair, ComparisonRule.preset(name)))
"""


def test_the_answer_does_not_depend_on_the_hash_seed() -> None:
    answers = {
        subprocess.run(
            [sys.executable, "-c", _BATTERY],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(answers) == 1
