"""Any value as text: what a person reads tells what it is, what a file gets is JSON, and neither ever raises."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reexec.engine.rendering import json_form, render
from reexec.runners.rows.text import MAX_LEVELS, MAX_QUOTED_CHARACTERS, BadRowError, canonical, dump, parse_row, quoted

RENDERED: dict[str, tuple[Any, str]] = {
    "JSON": ({"a": [1, 2.5, None, True, "x\ny"], "b": {}}, '{"a": [1, 2.5, null, true, "x\\ny"], "b": {}}'),
    "other scripts": ("é\ud800\x1b", '"\\u00e9\\ud800\\u001b"'),
    "floats": ([math.nan, math.inf, -math.inf, -0.0, 1e22], "[NaN, Infinity, -Infinity, -0.0, 1e+22]"),
    "tuples": ([(), (1,), (1, (2,))], "[(), (1,), (1, (2,))]"),
    "sets": ([set(), {3, 1, 2}, frozenset(), frozenset({"b", "a"})], '[set(), {1, 2, 3}, frozenset(), frozenset({"a", "b"})]'),
    "keys": ({(1, 2): 3, 1: 2, None: 0, b"a": 1, 0.5: 1}, "{(1, 2): 3, 1: 2, null: 0, b'a': 1, 0.5: 1}"),
    "bytes and complex": ([b"a\x00", 1 + 2j], "[b'a\\x00', (1+2j)]"),
    "another type": (len, "<builtin_function_or_method>"),
    "a long integer": (-(10**5000), "-1" + "0" * 5000),
}


@pytest.mark.parametrize("name", RENDERED)
def test_a_value_is_rendered_as_what_it_is(name: str) -> None:
    value, text = RENDERED[name]
    assert render(value) == text


hashable = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.binary(max_size=4)
    | st.complex_numbers(),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)
anything = st.recursive(
    hashable | st.just(object()) | st.integers(1, 3).map(lambda n: n * 10**5000),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(hashable, inner, max_size=4)
        | st.sets(hashable, max_size=4)
    ),
    max_leaves=15,
)


@settings(deadline=None)
@given(anything)
def test_no_value_raises_and_files_get_json(value: Any) -> None:
    assert render(value).isascii()
    assert "\n" not in render(value)
    assert len(quoted(value)) < MAX_QUOTED_CHARACTERS + 60
    for text in (dump(value), canonical(value).decode()):
        json.loads(text, parse_int=str)


plain_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=()), max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=10,
)


@given(plain_json)
def test_json_is_rendered_as_json_writes_it(value: Any) -> None:
    assert render(value) == json.dumps(value) == dump(value)
    assert repr(json_form(value)) == repr(value)


@pytest.mark.parametrize("key", [(1, 2), frozenset({1}), b"a", 1j])
def test_a_key_that_json_lacks_does_not_end_a_row(key: Any) -> None:
    assert list(json.loads(dump({"value": {key: 3}}))["value"].values()) == [3]


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def test_depth_does_not_raise() -> None:
    assert render(deep(50_000)) == "[" * 50_000 + "1" + "]" * 50_000
    assert json.loads(dump(deep(1000)))
    value: Any = 1
    for _ in range(5_000):
        value = {"a": (value,)}
    assert json.loads(dump(value))


def test_rows_are_measured_before_they_are_read() -> None:
    deepest = MAX_LEVELS - 1
    assert parse_row(b'{"a": ' + b"[" * deepest + b"]" * deepest + b"}")
    for levels in (MAX_LEVELS, 1490, 500_000):
        with pytest.raises(BadRowError, match="nested deeper than 400"):
            parse_row(b'{"a": ' + b"[" * levels + b"]" * levels + b"}")
    assert parse_row(b'{"a": "' + b"[" * 1000 + b'"}') == {"a": "[" * 1000}
