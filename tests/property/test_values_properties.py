"""Values as JSON text and back: exact, bounded, and read by the base types' own methods."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reexec.engine.protocol import values

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(exclude_categories=[]), max_size=20),
    st.integers(-(10**300), 10**300),
)  # fmt: skip
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=15,
)
HASHABLE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=6), st.binary(max_size=6)),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=6,
)
PYTHON = st.recursive(
    st.one_of(SCALARS, st.binary(max_size=8), st.complex_numbers(allow_nan=False, allow_infinity=False), HASHABLE),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.sets(HASHABLE, max_size=3),
        st.dictionaries(HASHABLE, inner, max_size=3),
        st.dictionaries(st.sampled_from(["!", "v", "a"]), inner, max_size=3),
    ),
    max_leaves=12,
)


def same(left: Any, right: Any) -> bool:
    """Equal with equal types, NaN the same as NaN."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return (math.isnan(left) and math.isnan(right)) or (left == right and math.copysign(1, left) == math.copysign(1, right))
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):  # the order is kept
        return same(list(left), list(right)) and all(map(same, left.values(), right.values()))
    return bool(left == right)


@given(JSON)
def test_plain_values_come_back_as_they_were(value: Any) -> None:
    assert same(values.decode(values.encode(value)), value)


@given(JSON)
def test_the_text_is_what_json_writes(value: Any) -> None:
    assert json.loads(values.encode(value), parse_constant=str) == json.loads(json.dumps(value), parse_constant=str)


@given(PYTHON)
def test_tagged_values_come_back_with_their_types(value: Any) -> None:
    assert same(values.decode(values.encode(value, tagged=True), tagged=True), value)


@given(PYTHON)
def test_everything_else_is_refused_or_too_long_and_nothing_else(value: Any) -> None:
    try:
        values.encode(value, max_bytes=200)
    except (values.Refused, values.TooLong):
        pass


@given(JSON, st.integers(0, 300))
def test_the_limit_holds_for_the_text(value: Any, limit: int) -> None:
    scalar = not isinstance(value, (list, dict, str))
    try:
        text = values.encode(value, max_bytes=limit)
    except values.TooLong:
        return
    assert len(text) <= limit or (scalar and len(text) <= 40)


@given(
    st.recursive(
        st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=4)),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["!", "v", "x"]), inner, max_size=3)
            | st.builds(
                lambda tag, items: {"!": tag, "v": items},
                st.sampled_from(["tuple", "set", "frozenset", "dict", "bytes", "complex", "other", 3, None]),
                inner,
            )
        ),
        max_leaves=12,
    )
)
def test_forged_tags_are_rebuilt_or_refused_and_nothing_else(value: Any) -> None:
    try:
        values.untag(value)
    except values.Refused:
        pass


@pytest.mark.parametrize("items", [[10**400, 0], {}, [], [1], "12", ["a", 1], [[1], 2], None, 5])
def test_no_forged_complex_number_escapes(items: Any) -> None:
    with pytest.raises(values.Refused, match="a broken tagged value"):
        values.untag({"!": "complex", "v": items})


class LyingDict(dict):  # type: ignore[type-arg]
    def items(self) -> Any:
        return [("right", 1)]

    def __iter__(self) -> Any:
        return iter(["right"])

    def __len__(self) -> int:
        return 1

    def __getitem__(self, key: Any) -> Any:
        return 1

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None


class LyingList(list):  # type: ignore[type-arg]
    def __iter__(self) -> Any:
        return iter(["right"])

    def __len__(self) -> int:
        return 1

    def __getitem__(self, key: Any) -> Any:
        return "right"


class LyingTuple(tuple):  # type: ignore[type-arg]
    def __iter__(self) -> Any:
        return iter(["right"])


class LyingStr(str):
    def __str__(self) -> str:
        return "right"

    __repr__ = __str__

    def __len__(self) -> int:
        return 5

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"right"


class LyingInt(int):
    def __index__(self) -> int:
        return 42

    def __int__(self) -> int:
        return 42

    def __repr__(self) -> str:
        return "42"

    def bit_length(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return hash(42)


class LyingFloat(float):
    def __float__(self) -> float:
        return 42.0

    def __repr__(self) -> str:
        return "42.0"


@pytest.mark.parametrize("tagged", [False, True])
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (LyingDict(wrong=2), b'{"wrong":2}'),
        (LyingList(["wrong", 2]), b'["wrong",2]'),
        (LyingStr("wrong"), b'"wrong"'),
        (LyingInt(7), b"7"),
        (LyingFloat(7.5), b"7.5"),
        ({LyingStr("wrong"): LyingInt(7)}, b'{"wrong":7}'),
        ([LyingStr("a"), LyingList([LyingFloat(0.5)])], b'["a",[0.5]]'),
    ],
)
def test_subclasses_that_lie_are_read_as_what_they_are(value: Any, text: bytes, tagged: bool) -> None:
    encoded = values.encode(value, tagged=tagged)
    if tagged and isinstance(value, dict) and not all(type(key) is str for key in value):
        assert b'"wrong"' in encoded
    else:
        assert encoded == text


def test_a_lying_tuple_and_number_keys_are_read_as_what_they_are() -> None:
    assert values.encode(LyingTuple(("wrong",))) == b'["wrong"]'
    assert values.encode({LyingInt(7): 1, LyingFloat(2.5): 2, None: 3, True: 4}) == b'{"7":1,"2.5":2,"null":3,"true":4}'


def test_a_cycle_depth_and_sharing_are_bounded() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    wide: list[Any] = [0]
    for _ in range(60):
        wide = [wide, wide]
    for value in (cycle, deep):
        with pytest.raises(values.Refused, match="nested deeper"):
            values.encode(value)
    with pytest.raises(values.TooLong):
        values.encode(wide, max_bytes=1 << 16)


@pytest.mark.parametrize("depth", [values.MAX_DEPTH, values.MAX_DEPTH + 1, values.MAX_DEPTH + 2])
def test_the_depth_limit_is_exact(depth: int) -> None:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    if depth <= values.MAX_DEPTH + 1:
        assert values.decode(values.encode(value)) == value
    else:
        with pytest.raises(values.Refused, match=f"nested deeper than {values.MAX_DEPTH}"):
            values.encode(value)


@pytest.mark.parametrize("value", [{1: 0, "1": 0}, {None: 0, "null": 0}, {True: 0, "true": 0}, {1.5: 0, "1.5": 0}])
def test_keys_that_json_writes_alike_are_refused_plain_and_kept_tagged(value: Any) -> None:
    with pytest.raises(values.Refused, match="two keys"):
        values.encode(value)
    assert values.decode(values.encode(value, tagged=True), tagged=True) == value


def test_huge_integers_are_exact_up_to_their_limit() -> None:
    for number in (10**5000 + 7, -(10**99_000), 1 << 200_000):
        assert values.decode(values.encode([number])) == [number]
    with pytest.raises(values.Refused, match="digits"):
        values.encode(1 << (4 * values.MAX_DIGITS))


def test_numpy_values_are_numbers_and_lists_where_allowed() -> None:
    cases: list[tuple[Any, bytes]] = [
        (np.int64(3), b"3"),
        (np.float32(0.5), b"0.5"),
        (np.float64(0.5), b"0.5"),
        (np.bool_(True), b"true"),
        (np.array([[1, 2], [3, 4]]), b"[[1,2],[3,4]]"),
        (np.array(5), b"5"),
        ({"a": np.arange(3)}, b'{"a":[0,1,2]}'),
        (np.str_("x"), b'"x"'),
    ]
    for value, text in cases:
        assert values.encode(value, numpy_values=True) == text
    refused: list[tuple[Any, str]] = [
        (np.datetime64("2020-01-01"), "a numpy value of type datetime64"),
        (np.array([object()]), "an object of type object"),
        (np.array([1j]), "an object of type complex"),
    ]
    for value, reason in refused:
        with pytest.raises(values.Refused, match=reason):
            values.encode(value, numpy_values=True)
    with pytest.raises(values.Refused, match="an object of type ndarray"):
        values.encode(np.array([1]))


def test_a_huge_array_is_measured_before_it_is_a_list() -> None:
    with pytest.raises(values.TooLong):
        values.encode(np.broadcast_to(np.int8(1), (1 << 40,)), numpy_values=True, max_bytes=1 << 20)
