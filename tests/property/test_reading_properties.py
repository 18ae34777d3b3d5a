"""The host's reading of a result frame is total: any frame that the protocol admits gives an Outcome."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reexec import ComparisonRule
from reexec.engine.decoding import has_digits, read_json, read_outcome
from reexec.engine.judging.verdict import judge
from reexec.engine.outcome import KINDS, Outcome
from reexec.engine.pool.answer import KILLED, Answer, of_result
from reexec.engine.protocol import claim, frames, values
from tests.support.processor_time import within

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["!", "v", "type", "message", "lines", "path", "reason", "code", "module", "x"]), inner, max_size=5
        )
        | st.builds(
            lambda tag, items: {"!": tag, "v": items},
            st.sampled_from(["tuple", "set", "frozenset", "dict", "bytes", "complex", "none"]),
            inner,
        )
    ),
    max_leaves=20,
)
PAYLOADS = st.one_of(st.binary(max_size=200), JSON.map(lambda value: json.dumps(value).encode()))
WORDS = st.integers(0, 255) | st.sampled_from(sorted(claim.WORDS))
COUNTS = st.integers(0, 2**64 - 1)


def value_answer(payload: bytes) -> Answer:
    return Answer("value", payload)


@given(WORDS, PAYLOADS, st.binary(max_size=60) | PAYLOADS, st.tuples(*[COUNTS] * 4), st.booleans(), st.booleans())
def test_every_frame_gives_an_outcome_and_a_verdict(
    kind: int, payload: bytes, note: bytes, numbers: tuple[int, ...], python_values: bool, watched: bool
) -> None:
    flags, cpu, wall, peak = numbers
    answer = of_result(frames.Result(1, kind, flags, cpu, wall, peak, payload, note, b"", b""))
    options = (frames.PYTHON_VALUES if python_values else 0) | (frames.WATCH_ARGUMENTS if watched else 0)
    word = claim.WORDS.get(kind)
    outcome = read_outcome(answer, options)
    assert isinstance(outcome, Outcome)
    assert outcome.kind in KINDS
    assert outcome.kind in ("exception" if word == KILLED else word, "bad-result")
    assert isinstance(outcome.describe(), str)
    for rule in ("codeio", "exact"):
        assert judge(outcome, [1], ComparisonRule.preset(rule)).word != "engine-error"


@given(
    st.lists(st.tuples(st.sampled_from([b"x", b"7", b"0", b'"', b","]), st.integers(0, 40)), max_size=30), st.integers(1, 50)
)
def test_a_row_of_digits_is_found_wherever_it_stands(pieces: list[tuple[bytes, int]], count: int) -> None:
    text = b"".join(piece * times for piece, times in pieces)
    longest = max(map(len, re.findall(rb"[0-9]+", text)), default=0)
    assert has_digits(text, count) == (longest >= count)


@given(JSON)
def test_values_are_read_as_they_were_written(value: Any) -> None:
    assert values.encode(read_json(values.encode(value))) == values.encode(value)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"[" * 500_000 + b"]" * 500_000, "nested deeper"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested deeper"),
        (b"[" + b"0," * 1_500_000 + b"0]", ""),
        (b"1" * 100_001, "more than 100000 digits"),
        (b"-" + b"9" * 500_000, "more than 100000 digits"),
        (b'"' + b"\\u0000" * 200_000 + b'"', ""),
        (b"1e" + b"9" * 100_000, ""),
        (b"0." + b"1" * 100_000, ""),
        (b"NaN", ""),
        (b'"\xff"', "wrote into the result channel"),
        (b"", "wrote into the result channel"),
    ],
    ids=["deep", "deep-dicts", "wide", "digits", "more-digits", "escapes", "exponent", "fraction", "nan", "bytes", "empty"],
)
@pytest.mark.parametrize("python_values", [False, True])
def test_monstrous_payloads_are_read_or_refused_in_bounded_time(payload: bytes, said: str, python_values: bool) -> None:
    options = frames.PYTHON_VALUES if python_values else 0
    outcome = within(2, lambda: read_outcome(value_answer(payload), options))
    assert outcome.kind == ("bad-result" if said else "value")
    assert said in outcome.detail


@pytest.mark.parametrize("payload", [b"9" * 90_000, b"[" + b",".join([b"9" * 4_299] * 120) + b"]"], ids=["one", "many"])
def test_long_numbers_are_measured_in_linear_time(payload: bytes) -> None:
    within(0.3, lambda: read_json(payload))


@pytest.mark.parametrize("tag", ["set", "frozenset", "dict"])
def test_integers_chosen_to_collide_cost_the_host_no_more_than_others(tag: str) -> None:
    """Integers have no random hash: multiples of 2**61 - 1 all hash to 0."""
    numbers = [str(step * (2**61 - 1)) for step in range(1, 8_000)]
    items = ",".join(f"[{number},0]" if tag == "dict" else number for number in numbers)
    payload = f'{{"!":"{tag}","v":[{items}]}}'.encode()
    within(0.1, lambda: read_outcome(value_answer(payload), frames.PYTHON_VALUES))
