"""The quick ways of rows against the slow ones: the same values, texts and reasons."""

import json
import math
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from reexec.runners.rows.text import BadRowError, _parsed_slowly, parse_row, quoted, quoted_json

_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**60), 10**60)
    | st.floats()
    | st.text()
    | st.text(st.characters(categories=("Cs", "L")))
)
VALUES = st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4))
_MARKS = ("{", "}", "[", "]", '"a"', ":", ",", " ", "\t", "\ufeff", "\x0b", "\x00")
_NUMBERS = ("-", "+", "0", "1", "12345678901234567890123", ".", "e", "E", "5", "NaN", "Infinity", "nan", "inf")
_WORDS = ("tru", "true", "null", '"\\ud800"', '"\\ud83d\\ude00"', '"\\/"', '"\\u00e9"')
SPOILED = st.lists(st.sampled_from(_MARKS + _NUMBERS + _WORDS), max_size=12).map("".join)
NUMBERS = st.from_regex(r"\A-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][-+]?[0-9]{1,3})?\Z")


def told(read: Any, line: bytes) -> str:
    """A value with its types, or what is wrong with the line."""
    try:
        return f"{spelled(read(line))}"
    except BadRowError as error:
        return f"bad: {error}"


def spelled(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {spelled(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(spelled, value))}]"
    if type(value) is int:
        return hex(value)  # `repr` refuses thousands of digits
    return f"{type(value).__name__} {math.copysign(1, value) if isinstance(value, float) else ''} {value!r}"


def slow(line: bytes) -> Any:
    row = _parsed_slowly(line)
    if not isinstance(row, dict):
        raise BadRowError("expected")
    return row


def same(line: bytes) -> None:
    quick, usual = told(parse_row, line), told(slow, line)
    assert quick == usual or (usual == "bad: expected" and quick.startswith("bad: expected a JSON object"))


@given(VALUES, st.booleans())
def test_rows_are_read_as_python_reads_them(value: Any, in_ascii: bool) -> None:
    same(json.dumps({"row": value}, ensure_ascii=in_ascii).encode("utf-8", "surrogatepass"))


@given(NUMBERS)
@example("-0")
@example("1e400")
@example("9" * 5000)
@example("2.2250738585072011e-308")
def test_numbers_are_read_as_python_reads_them(number: str) -> None:
    same(b'{"n": %s}' % number.encode())


@settings(max_examples=500)
@given(SPOILED, st.booleans())
@example('{"a":1,"b":2,"a":3}', False)
@example("-NaN", True)
@example("-Infinity", True)
def test_what_is_no_row_is_refused_in_the_same_words(text: str, wrapped: bool) -> None:
    same((f'{{"a": {text}}}' if wrapped else text).encode())


@given(st.binary(max_size=12))
def test_bytes_that_are_no_text_are_refused_in_the_same_words(middle: bytes) -> None:
    same(b'{"a": "' + middle + b'"}')


@given(VALUES)
@example(10**5000)
def test_json_is_quoted_as_any_value_is(value: Any) -> None:
    assert quoted_json(value) == quoted(value)
