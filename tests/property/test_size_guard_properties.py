"""The size guard against pympler on values as JSON reads them.

`asizeof` counts an object once however often it occurs, and in a decoded value many do: small integers, None, True,
False, the empty text and texts of one Latin-1 character are single objects of the interpreter, and the JSON reader
gives equal keys one object. Our rule counts every occurrence. So there are two oracles: pympler with its memory of
objects taken away, for any value, and pympler untouched, for values in which nothing occurs twice.
"""

import json
import random
import sys
from collections.abc import Callable
from typing import Any

import pympler.asizeof
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reexec.engine.size_guard import SizeFinding, strict_check_size
from reexec.policies.size import SizeRule

RULE = SizeRule()
PYMPLER: Any = pympler.asizeof  # without types
needs_3_12 = pytest.mark.skipif(
    sys.version_info[:2] != (3, 12) or sys.maxsize < 2**32, reason="the table is of CPython 3.12 with 64 bits"
)


class _Forgetful(dict[int, int]):
    """In place of pympler's memory of seen objects: nothing has been seen."""

    def __contains__(self, key: object) -> bool:
        return False


def without_sharing(value: Any) -> int:
    sizer = PYMPLER.Asizer()
    sizer._seen = _Forgetful()
    return int(sizer.asizeof(value))


def untouched(value: Any) -> int:
    return int(PYMPLER.asizeof(value))


def fits(value: Any, size_of: Callable[[Any], int]) -> bool:
    """The original's rule, word for word, with its constants."""
    if not size_of(value) < 1024:
        return False
    if isinstance(value, dict):
        return len(value) < 20 and all(fits(key, size_of) and fits(item, size_of) for key, item in value.items())
    if isinstance(value, list):
        return len(value) < 20 and all(fits(item, size_of) for item in value)
    if isinstance(value, str):
        return len(value) < 100
    return size_of(value) < 128


ALPHABETS = ("ab", "aé", "aŁ", "a😀", "abcdefgh ")


def text(rng: random.Random, longest: int) -> str:
    return "".join(rng.choices(rng.choice(ALPHABETS), k=rng.randrange(longest)))


def scalar(rng: random.Random) -> Any:
    kind = rng.random()
    if kind < 0.35:
        return rng.randrange(-10, 300)
    if kind < 0.45:
        return rng.getrandbits(rng.choice([31, 61, 400, 719, 720, 721, 740]))
    if kind < 0.6:
        return rng.random()
    if kind < 0.7:
        return rng.choice([None, True, False, "", "x", "é"])
    return text(rng, rng.choice([5, 12, 30, 103]))


def generated(rng: random.Random, depth: int = 3) -> Any:
    """Values about as large as the limits: roughly half of them fit."""
    kind = rng.random()
    if depth == 0 or kind < 0.3:
        return scalar(rng)
    count = rng.choice([0, 1, 2, 3, 4, 5, 6, 8, 9, 11, 17, 19, 20]) if depth < 2 else rng.randrange(6)
    if kind < 0.7:
        return [generated(rng, depth - 1) for _ in range(count)]
    return {text(rng, rng.choice([4, 9, 101])): generated(rng, depth - 1) for _ in range(count)}


def decoded(value: Any) -> Any:
    return json.loads(json.dumps(value))


def same_as_pympler(seed: int, count: int) -> None:
    rng = random.Random(seed)
    fitting = 0
    for _ in range(count):
        value = generated(rng)
        read = decoded(value)
        expected = fits(read, without_sharing)
        finding = strict_check_size(value, RULE)
        assert (finding is None) is expected, (seed, value, finding)
        assert strict_check_size(read, RULE) == finding
        fitting += expected
    assert 0.25 * count < fitting < 0.9 * count  # otherwise the generator proves little


@needs_3_12
def test_it_decides_as_pympler_without_sharing_does() -> None:
    same_as_pympler(1, 20_000)


@needs_3_12
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
def test_it_decides_as_pympler_without_sharing_does_a_million_times(seed: int) -> None:
    same_as_pympler(seed, 100_000)


class _Distinct:
    """Values in which no object occurs twice: no small integers, no constants, no text twice."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.next = 1000

    def value(self, depth: int = 3) -> Any:
        self.next += 1
        kind = self.rng.random()
        if depth == 0 or kind < 0.4:
            return self.rng.choice([self.next, self.next + 0.5, f"{self.next} {text(self.rng, 20)}", self.next << 300])
        count = self.rng.randrange(7)
        if kind < 0.7:
            return [self.value(depth - 1) for _ in range(count)]
        return {f"k{self.next}.{index}": self.value(depth - 1) for index in range(count)}


@needs_3_12
def test_it_decides_as_pympler_untouched_does_where_nothing_is_shared() -> None:
    rng = random.Random(7)
    for _ in range(2000):
        read = decoded(_Distinct(rng).value())
        assert without_sharing(read) == untouched(read)
        assert (strict_check_size(read, RULE) is None) is fits(read, untouched), read


def bytes_only(total: int) -> SizeRule:
    return SizeRule(total_bytes_below=total, entries_below=10**6, characters_below=10**6, scalar_bytes_below=10**9)


@needs_3_12
def test_the_sizes_are_pymplers_to_the_byte() -> None:
    rng = random.Random(3)
    for _ in range(3000):
        read = decoded(generated(rng))
        size = without_sharing(read)
        assert strict_check_size(read, bytes_only(size + 1)) is None
        found = strict_check_size(read, bytes_only(size))
        assert found == SizeFinding("$", f"{size} bytes, limit {size}"), read


@needs_3_12
@pytest.mark.parametrize("count", [*range(200), 341, 342, 682, 683, 1000, 43_690, 43_691, 100_000])
def test_containers_of_any_length_have_pymplers_size(count: int) -> None:
    for read in (decoded([None] * count), decoded({f"{index:07}": None for index in range(count)})):
        size = without_sharing(read)
        assert strict_check_size(read, bytes_only(size + 1)) is None
        assert strict_check_size(read, bytes_only(size)) is not None


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.integers() | st.none() | st.floats() | st.tuples(st.integers()), inner)
    ),
)


@settings(max_examples=300, deadline=None)
@given(ANYTHING)
def test_it_has_an_answer_for_any_value_and_it_is_the_same_again(value: Any) -> None:
    found = strict_check_size(value, RULE)
    assert found is None or (found.path.startswith("$") and found.path.isascii() and found.reason)
    assert strict_check_size(value, RULE) == found
