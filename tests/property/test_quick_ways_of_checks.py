"""The quick ways that most checks take give what the long ways give: arguments to bytes, JSON to values."""

import itertools
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reexec.engine import decoding, units
from reexec.engine.arguments import encode_arguments, encode_call
from reexec.engine.errors import UsageError
from reexec.engine.program import Call


class Number(int):
    """No plain one."""


class Text(str):
    __slots__ = ()


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.complex_numbers(), st.text(max_size=5), st.binary(max_size=5),
    st.integers().map(Number), st.text(max_size=5).map(Text), st.just(object()),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
NAMES = st.one_of(st.text(max_size=3), st.text(max_size=3).map(Text), st.integers())
ARGUMENTS = st.one_of(
    st.dictionaries(NAMES, VALUES, max_size=3),
    st.lists(VALUES, max_size=3),
    st.lists(VALUES, max_size=3).map(tuple),
    st.lists(st.integers(), min_size=60, max_size=70),
    st.builds(Call, st.lists(VALUES, max_size=2).map(tuple), st.dictionaries(st.text(max_size=3), VALUES, max_size=2)),
    SCALARS,
)


def result_of(function: Any, argument: Any) -> Any:
    try:
        return function(argument)
    except (UsageError, ValueError) as error:
        return type(error), str(error)


@given(ARGUMENTS)
def test_arguments_become_the_same_bytes_either_way(arguments: Any) -> None:
    assert result_of(encode_arguments, arguments) == result_of(lambda given: encode_call(Call.of(given)), arguments)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
AROUND = st.text(alphabet=' \n\t,]}1"x', max_size=3)


@given(JSON, AROUND, AROUND)
def test_json_becomes_the_same_value_either_way(value: Any, before: str, after: str) -> None:
    text = before + json.dumps(value) + after
    quick, slow = result_of(decoding._decode_exact, text), result_of(json.JSONDecoder(strict=False).decode, text)
    assert repr(quick) == repr(slow)  # NaN is not equal to itself


def drawn(calls: list[bytes], program: str = "p") -> list[int]:
    draw = units.Draw()
    return [number for number, call in enumerate(calls) if draw.takes(program, call)]


def test_a_hundredth_is_drawn_as_the_calls_say() -> None:
    calls = [b"%d" % number for number in range(100_000)]
    found = drawn(calls)
    assert 900 < len(found) < 1100
    assert drawn(calls) == found
    others = drawn([b"another", *calls[1:]])
    assert len(set(found) & set(others)) < 100, "what was read first has a part in all that follows"
    gaps = [after - before for before, after in itertools.pairwise(found)]
    assert min(gaps) < 5, "no place is safe behind one that was drawn"
    assert max(gaps) > 300
