"""The size guard against its oracle: CodeI/O's rule, with pympler as it is, over `json.loads(json.dumps(value))`.

`asizeof` counts an object once however often it occurs in the value it is asked about. In a decoded value the same
things are always one object: small integers, None, True, False, NaN and the infinities, the empty text, texts of one
Latin-1 character, and equal keys. The generator here is rich in them, and in what is nearly so.
"""

import json
import random
import sys
from typing import Any

import pympler.asizeof
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reexec.engine.judging.size_guard import SizeFinding, check_size
from reexec.policies.size import SizeRule

RULE = SizeRule()
PYMPLER: Any = pympler.asizeof  # without types
needs_3_12 = pytest.mark.skipif(
    sys.version_info[:2] != (3, 12) or sys.maxsize < 2**32, reason="the table is of CPython 3.12 with 64 bits"
)


def asizeof(value: Any) -> int:
    return int(PYMPLER.asizeof(value))


def fits(value: Any) -> bool:
    """The original's rule with its constants."""
    if not asizeof(value) < 1024:
        return False
    if isinstance(value, dict):
        return len(value) < 20 and all(fits(key) and fits(item) for key, item in value.items())
    if isinstance(value, list):
        return len(value) < 20 and all(fits(item) for item in value)
    if isinstance(value, str):
        return len(value) < 100
    return asizeof(value) < 128


ALPHABETS = ("ab", "aé", "aŁ", "a😀", "abcdefgh ", "a\ud83d\ude00", "é\ude00\ud83d😀")
CONSTANTS = (None, True, False, float("nan"), float("inf"), float("-inf"), 0.0, -0.0)
SHORT = ("", "x", "y", "\x00", "\x7f", "é", "ÿ", "Ā", "😀", "\ud83d", "\ud83d\ude00", "xy")
NEAR_SMALL = (-7, -6, -5, -1, 0, 1, 2, 255, 256, 257, 258, 2**60 - 1, 2**60)
NAMES = ("id", "name", "x", "y", "", "é", "Ā", "ключ", "1", "2", "true", "null", "a longer name", "😀", "\ud83d\ude00")
OTHER_KEYS = (1, 2, True, None, 1.5, float("nan"), 10**30)


def text(rng: random.Random, longest: int) -> str:
    return "".join(rng.choices(rng.choice(ALPHABETS), k=rng.randrange(longest)))


def scalar(rng: random.Random) -> Any:
    kind = rng.random()
    if kind < 0.2:
        return rng.randrange(-10, 300)
    if kind < 0.3:
        return rng.choice(NEAR_SMALL)
    if kind < 0.37:
        return rng.getrandbits(rng.choice([31, 61, 400, 719, 720, 721, 740]))
    if kind < 0.45:
        return rng.choice(NAMES)
    if kind < 0.55:
        return rng.random()
    if kind < 0.68:
        return rng.choice(CONSTANTS)
    if kind < 0.85:
        return rng.choice(SHORT)
    return text(rng, rng.choice([5, 12, 30, 103]))


def key(rng: random.Random, other: float) -> Any:
    kind = rng.random()
    if kind < other:
        return rng.choice(OTHER_KEYS)
    return rng.choice(NAMES) if kind < 0.7 else text(rng, rng.choice([4, 9, 101]))


def generated(rng: random.Random, depth: int = 3, other: float = 0) -> Any:
    """Values about as large as the limits: roughly half of them fit.

    `other` is the share of keys that are no texts, and where there are any, some lists are tuples.
    """
    kind = rng.random()
    if depth == 0 or kind < 0.2:
        return scalar(rng)
    count = rng.choice([0, 1, 2, 3, 4, 5, 6, 8, 9, 11, 17, 19, 20]) if depth < 2 else rng.randrange(6)
    if kind < 0.28:
        few = [scalar(rng) for _ in range(3)]  # values that repeat
        return [rng.choice(few) for _ in range(rng.randrange(21))]
    if kind < 0.36:
        row = generated(rng, depth - 1, other)  # an object that repeats, which no decoded value has
        return [row] * rng.randrange(5)
    if kind < 0.5:
        names = [key(rng, other) for _ in range(rng.randrange(5))]  # records: the keys repeat
        return [{name: generated(rng, 0) for name in names} for _ in range(rng.randrange(5))]
    if kind < 0.75:
        items = [generated(rng, depth - 1, other) for _ in range(count)]
        return tuple(items) if rng.random() < other else items
    return {key(rng, other): generated(rng, depth - 1, other) for _ in range(count)}


def decoded(value: Any) -> Any:
    return json.loads(json.dumps(value))


def same_as_pympler(seed: int, count: int) -> None:
    rng = random.Random(seed)
    fitting = 0
    for _ in range(count):
        value = generated(rng, other=rng.choice([0, 0, 0.2]))
        read = decoded(value)
        expected = fits(read)
        finding = check_size(value, RULE)
        assert (finding is None) is expected, (seed, value, finding)
        assert check_size(read, RULE) == finding, (seed, value)
        fitting += expected
    assert 0.25 * count < fitting < 0.9 * count  # otherwise the generator proves little


@needs_3_12
def test_it_decides_as_pympler_does() -> None:
    same_as_pympler(1, 20_000)


@needs_3_12
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
def test_it_decides_as_pympler_does_a_million_times(seed: int) -> None:
    same_as_pympler(seed, 100_000)


def bytes_only(total: int) -> SizeRule:
    return SizeRule(total_bytes_below=total, entries_below=10**6, characters_below=10**6, scalar_bytes_below=10**9)


def assert_size(value: Any, size: int) -> None:
    assert check_size(value, bytes_only(size + 1)) is None, (size, value)
    found = check_size(value, bytes_only(size))
    assert found == SizeFinding("$", f"{size} bytes, limit {size}"), value


def with_other_identities(value: Any) -> Any:
    """An equal value in which no text and no container is one object with another, nor any float."""
    if isinstance(value, dict):
        return {fresh(name): with_other_identities(item) for name, item in value.items()}
    if isinstance(value, list):
        return [with_other_identities(item) for item in value]
    if isinstance(value, str):
        return fresh(value)
    return float(repr(value)) if isinstance(value, float) else value


def fresh(text: str) -> str:
    return "".join(list(text))


def with_one_identity(value: Any, known: dict[str, Any] | None = None) -> Any:
    """An equal value in which all that is equal is one object."""
    known = {} if known is None else known
    if isinstance(value, dict):
        value = {with_one_identity(name, known): with_one_identity(item, known) for name, item in value.items()}
    elif isinstance(value, list):
        value = [with_one_identity(item, known) for item in value]
    return known.setdefault(repr(value), value)


@needs_3_12
def test_the_sizes_are_pymplers_to_the_byte_whatever_is_one_object() -> None:
    rng = random.Random(3)
    for _ in range(3000):
        value = generated(rng, other=rng.choice([0, 0.2]))
        read = decoded(value)
        size = asizeof(read)
        for alike in (value, read, with_other_identities(read), with_one_identity(read)):
            assert_size(alike, size)


LEAVES: list[Any] = [*CONSTANTS, *SHORT, *NAMES, *NEAR_SMALL, 1.0, 2**719, 0.1, [], {}, [1], {"x": "x"}]


@needs_3_12
def test_what_the_reader_makes_one_object_of_counts_once() -> None:
    for one in LEAVES:
        for other in LEAVES:
            for value in ([one, other, one], [{"k": one}, [other]], {"k": {"k": one, "l": other}}, (one, other)):
                assert_size(value, asizeof(decoded(value)))
            if isinstance(one, str):
                for value in ([{one: other}, other, one], {one: {one: other}}, [one, {one: one}]):
                    assert_size(value, asizeof(decoded(value)))


@needs_3_12
def test_a_part_is_never_larger_than_the_whole() -> None:
    rng = random.Random(5)
    for _ in range(3000):
        read = decoded(generated(rng))
        if isinstance(read, list | dict):
            parts = [*read, *read.values()] if isinstance(read, dict) else read
            assert all(asizeof(part) < asizeof(read) for part in parts)


@needs_3_12
@pytest.mark.parametrize("count", [*range(200), 341, 342, 682, 683, 1000, 43_690, 43_691, 100_000])
def test_containers_of_any_length_have_pymplers_size(count: int) -> None:
    for read in (decoded([None] * count), decoded({f"{index:07}": None for index in range(count)})):
        assert_size(read, asizeof(read))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())) | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.integers() | st.none() | st.floats() | st.tuples(st.integers()), inner)
    ),
)


@settings(max_examples=300, deadline=None)
@given(ANYTHING)
def test_it_has_an_answer_for_any_value_and_it_is_the_same_again(value: Any) -> None:
    found = check_size(value, RULE)
    assert found is None or (found.path.startswith("$") and found.path.isascii() and found.reason)
    assert check_size(value, RULE) == found
