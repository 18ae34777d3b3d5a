"""What is too large, how it is said, and where."""

import json
import sys
from pathlib import Path
from typing import Any

import pympler.asizeof
import pytest

from reexec.engine.judging.size_guard import SizeFinding, check_output_size, check_size
from reexec.policies.size import SizeRule

RULE = SizeRule()
PYMPLER: Any = pympler.asizeof  # without types
RECORDED = Path(__file__).parents[3] / "shared" / "data" / "codeio_parsed.jsonl"


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        1.5,
        float("nan"),
        "",
        "x" * 99,
        "\U0001f600" * 99,
        "\ud800",
        [],
        {},
        [0] * 19,
        2**720 - 1,
        -(2**720) + 1,
        {"k" * 99: 1},
        {str(i): i for i in range(8)},
        ((1, 2), (3,)),
        {1: "a", None: "b"},
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_small_values_fit(value: Any) -> None:
    assert check_size(value, RULE) is None


@pytest.mark.parametrize(
    ("value", "finding"),
    [
        ({"rows": [0, 0, 0, [0] * 24]}, "$.rows[3]: 24 entries, limit 20"),
        ([0] * 20, "$: 20 entries, limit 20"),
        ({str(i): i for i in range(20)}, "$: 20 entries, limit 20"),
        ([{i: i for i in range(24)}], "$[0]: 24 entries, limit 20"),
        (["\ud83d\ude00" * 99], None),
        (["\ud83d\ude00" * 100], "$[0]: 100 characters, limit 100"),
        (["x" * 100], "$[0]: 100 characters, limit 100"),
        ({"a b": "x" * 250}, '$["a b"]: 250 characters, limit 100'),
        ({"k" * 100: 1}, "$." + "k" * 100 + ": a key of 100 characters, limit 100"),
        ({10**120: 1}, '$["1' + "0" * 119 + '..."]: a key of 121 characters, limit 100'),
        (2**720, "$: 128 bytes, limit 128"),
        ([-(2**750)], "$[0]: 128 bytes, limit 128"),
        (["ab" * 49] * 10, "$: 1624 bytes, limit 1024"),
        ([["ab" * 49] * 10] * 2, "$: at least 1712 bytes, limit 1024"),
        ([["xy"] * 4] * 3, None),
        ([["xy"] * 4] * 4, "$: 1208 bytes, limit 1024"),
        ([["x"] * 4] * 8, None),
        ([{1, 2}], "$[0]: a type that JSON cannot write"),
        ([b"x"], "$[0]: a type that JSON cannot write"),
        ([{(1, 2): 3}], "$[0]: a key that JSON cannot write"),
        ([object()], "$[0]: a type that JSON cannot write"),
    ],
    ids=lambda part: ascii(part)[:30],
)
def test_what_is_too_large_is_named_with_its_place_and_the_limit(value: Any, finding: str | None) -> None:
    found = check_size(value, RULE)
    assert (None if found is None else str(found)) == finding


def test_the_first_fault_in_the_order_of_reading_is_named() -> None:
    fat = ["x" * 99] * 9
    assert check_size([fat, ["y" * 100]], RULE) == SizeFinding("$", "at least 1568 bytes, limit 1024")
    assert check_size([["y" * 100], fat], RULE) == SizeFinding("$[0][0]", "100 characters, limit 100")
    assert check_size([fat, "y" * 100], RULE) == SizeFinding("$[1]", "100 characters, limit 100")


def test_both_walks_give_the_same_answer() -> None:
    # A tuple or a key that is a number takes the slower walk.
    def slower(value: Any) -> Any:
        if isinstance(value, dict):
            return {int(key) if key.isdigit() else key: slower(item) for key, item in value.items()}
        return tuple(map(slower, value)) if isinstance(value, list) else value

    values: list[Any] = [
        [[1, 2], {"3": None, "k": [True, 1.5, "é", 2**70]}],
        [[["x"] * 4] * 9],
        {"1": [0] * 30},
        {"1": {"k" * 100: 1}},
        {"1": ["x" * 300]},
        {"1": [[], {}, 2**720]},
        [[[["abc"] * 5] * 5] * 5],
    ]
    for value in values:
        assert check_size(value, RULE) == check_size(slower(value), RULE)


def bytes_of(value: Any) -> int:
    """The bytes that the guard counts: the least with which the value still fits."""
    return next(size for size in range(0, 4096, 8) if check_size(value, SizeRule(total_bytes_below=size + 1)) is None)


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ([1, 1], 88 + 32),
        ([1, True, True, 1.0, 1.0], 120 + 32 + 32 + 24 + 24),
        ([-5, -5, 256, 256], 88 + 32 + 32),
        ([-6, -6, 257, 257], 88 + 4 * 32),
        ([None, None, False, False], 88 + 16 + 32),
        ([float("nan"), -float("nan"), float("inf"), float("inf"), -float("inf")], 120 + 3 * 24),
        (["", "", "x", "x", "\x7f", "\x7f"], 120 + 3 * 48),
        (["é", "é", "\xff", "\xff"], 88 + 2 * 64),
        (["Ā", "Ā"], 88 + 2 * 64),
        (["xy", "xy"], 88 + 2 * 48),
        ([{"xy": 1}, {"xy": 1}], 88 + 2 * 184 + 48 + 32),
        ([{"xy": "xy"}], 88 + 184 + 48 + 48),
        ([{"x": "x"}, "x"], 88 + 184 + 48),
        ([{"Ā": "Ā"}, {"Ā": 1}], 88 + 2 * 184 + 64 + 64 + 32),
        ({1: 0, "1": 0, "\ud83d\ude00": 0, "😀": 0}, 184 + 48 + 64 + 32),
        ([[], [], {}, {}], 88 + 56 + 56 + 64 + 64),
    ],
    ids=lambda part: ascii(part)[:30],
)
def test_what_the_json_reader_makes_one_object_of_counts_once(value: Any, size: int) -> None:
    assert bytes_of(value) == size


def test_keys_that_json_reads_as_one_are_one_entry() -> None:
    rule = SizeRule(total_bytes_below=2000)
    value: dict[Any, Any] = {str(i): i for i in range(19)}
    assert check_size({**value, 0: 0, 1: 1}, rule) is None
    assert check_size({**value, 0: 0, 19: 1}, rule) == SizeFinding("$", "20 entries, limit 20")
    assert check_size({"1": [0] * 20, 1: "the last one stays"}, rule) is None
    assert check_size({1: "the last one stays", "1": [0] * 20}, rule) == SizeFinding('$["1"]', "20 entries, limit 20")


def test_what_only_a_program_shares_counts_twice() -> None:
    shared = ["abc", 1000, 0.5]
    assert bytes_of([shared, shared]) == bytes_of([list(shared), ["".join("abc"), 1000, 0.5]])
    assert bytes_of([shared, shared]) == 88 + 2 * (88 + 48 + 32 + 24)


def test_a_tuple_is_judged_as_the_list_that_json_reads() -> None:
    rule = SizeRule(total_bytes_below=185)
    for value in ([1, 2, 3], (1, 2, 3)):
        assert check_size(value, rule) is None
        assert check_size(value, SizeRule(total_bytes_below=184)) is not None


def test_none_is_refused_as_an_output_only() -> None:
    assert check_size(None, RULE) is None
    assert check_output_size(None, RULE) == SizeFinding("$", "an output of None")
    assert check_output_size(None, SizeRule(refuse_none_output=False)) is None
    assert check_output_size([None], RULE) is None
    assert check_output_size([0] * 20, RULE) == SizeFinding("$", "20 entries, limit 20")


def test_bounds_are_those_of_the_rule() -> None:
    wide = SizeRule(total_bytes_below=10**9, entries_below=10**6, characters_below=10**6, scalar_bytes_below=10**6)
    assert check_size({"a": ["x" * 5000] * 5000, "b": 10**9000}, wide) is None
    assert check_size(["x"], SizeRule(characters_below=1)) == SizeFinding("$[0]", "1 characters, limit 1")
    assert check_size("x" * 50, SizeRule(total_bytes_below=96)) == SizeFinding("$", "96 bytes, limit 96")


def test_nesting_cycles_and_sharing_end() -> None:
    wide = SizeRule(total_bytes_below=10**9)
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    ring: list[Any] = []
    ring.append(ring)
    for value in (deep, ring):
        assert check_size(value, RULE) == SizeFinding("$", "at least 1056 bytes, limit 1024")
        assert check_size(value, wide) == SizeFinding("$" + "[0]" * 201, "nested deeper than 200")
    doubled: Any = [1]
    for _ in range(100):
        doubled = [doubled, doubled]
    assert check_size(doubled, RULE) is not None


def test_the_limit_on_digits_does_not_matter() -> None:
    limit = sys.get_int_max_str_digits()
    try:
        sys.set_int_max_str_digits(640)
        assert check_size(1 << 100_000, RULE) is not None
        assert check_size({1 << 100_000: 1}, RULE) is not None
        assert check_size({1 << 9_000_000: 1}, RULE) is not None
    finally:
        sys.set_int_max_str_digits(limit)


@pytest.mark.skipif(sys.version_info[:2] != (3, 12), reason="pympler asks the running interpreter, the table is of 3.12")
@pytest.mark.skipif(not RECORDED.exists(), reason=f"no {RECORDED.name} in ../shared/data")
def test_the_counts_of_docs_comparator_on_recorded_values() -> None:
    pairs = [pair for line in RECORDED.read_text().splitlines() for pair in json.loads(line)["ios"]]
    values = [pair[side] for pair in pairs for side in ("input", "output")]
    refused = [value for value in values if check_size(value, RULE) is not None]
    by_pympler = [value for value in values if PYMPLER.asizeof(json.loads(json.dumps(value))) >= 1024]
    assert (len(values), len(refused)) == (4524, 51)
    assert refused == by_pympler
