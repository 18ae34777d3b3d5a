"""Values that cross the API: one rule for arguments, expected values and results, or a refusal with a path."""

import array
import collections
import datetime
import decimal
import enum
import json
import marshal
from typing import Any

import numpy as np
import pytest

from reexec import Call, Check, Program, UsageError
from reexec.engine.arguments import encode_call
from reexec.engine.decoding import UnreadableError, is_deeper, read_json, read_outcome
from reexec.engine.pool.answer import Answer
from reexec.engine.protocol import frames, values
from tests.support.processor_time import within

PROGRAM = Program("def f(x):\n    return x\n", "f")
Point = collections.namedtuple("Point", "x y")


class Colour(enum.IntEnum):
    RED = 1


class Name(str):
    __slots__ = ()


class Flag(bytes):
    pass


# name: (value, the plain Python value)
FOLDED: dict[str, tuple[Any, Any]] = {
    "numpy integer": (np.int64(3), 3),
    "numpy float": (np.float64(1.5), 1.5),
    "numpy float of 32 bits": (np.float32(0.5), 0.5),
    "numpy bool": (np.bool_(True), True),
    "numpy text": (np.str_("ab"), "ab"),
    "numpy bytes": (np.bytes_(b"ab"), b"ab"),
    "numpy complex": (np.complex128(1 + 2j), 1 + 2j),
    "long double": (np.longdouble(0.5), 0.5),
    "array": (np.array([300, 2]), [300, 2]),
    "array of two dimensions": (np.array([[1.5], [2.0]]), [[1.5], [2.0]]),
    "array without dimensions": (np.array(7), 7),
    "array of long doubles": (np.array([0.5], dtype=np.longdouble), [0.5]),
    "array of objects": (np.array([{"a": np.int8(1)}, None], dtype=object), [{"a": 1}, None]),
    "masked array": (np.ma.masked_array([1, 2, 3], mask=[False, True, False]), [1, None, 3]),
    "masked value": (np.ma.masked, None),
    "structured array": (np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]), [(1, 2.5)]),
    "floats in a list": ([np.float64(1.5), np.float64(2.0)], [1.5, 2.0]),
    "numpy keys": ({np.int64(1): 2, np.float64(0.5): 3, np.str_("a"): 4}, {1: 2, 0.5: 3, "a": 4}),
    "ordered dict": (collections.OrderedDict(a=1), {"a": 1}),
    "counter": (collections.Counter("aab"), {"a": 2, "b": 1}),
    "default dict": (collections.defaultdict(list, a=[1]), {"a": [1]}),
    "named tuple": (Point(1, np.int64(2)), (1, 2)),
    "enumeration": ({"c": Colour.RED}, {"c": 1}),
    "text of a subclass": ([Name("n")], ["n"]),
    "bytes of a subclass": ([Flag(b"n")], [b"n"]),
    "in tuples and sets": ((np.int8(1), {np.int8(2)}, frozenset({np.int8(3)})), (1, {2}, frozenset({3}))),
}

# name: (value, the path and what is there)
REFUSED: dict[str, tuple[Any, str]] = {
    "array of the library": (array.array("i", [300, 2]), "$.x is an object of type array"),
    "bytearray": (bytearray(b"a"), "$.x is an object of type bytearray"),
    "memoryview": (memoryview(b"a"), "$.x is an object of type memoryview"),
    "date of numpy": (np.datetime64("2020-01-01"), "$.x is a numpy value of type datetime64"),
    "nanoseconds of numpy": (np.datetime64("2020-01-01", "ns"), "$.x is a numpy value of type datetime64"),
    "time span": ([np.timedelta64(1, "D")], "$.x[0] is a numpy value of type timedelta64"),
    "array of dates": (np.array(["2020-01-01"], dtype="datetime64[ns]"), "$.x is a numpy array of dates or times"),
    "decimal": ({"a": [decimal.Decimal("1.5")]}, "$.x.a[0] is an object of type Decimal"),
    "date": (datetime.date(2020, 1, 1), "$.x is an object of type date"),
    "function": (len, "$.x is an object of type builtin_function_or_method"),
    "object": ([object()], "$.x[0] is an object of type object"),
    "deque": (collections.deque([1]), "$.x is an object of type deque"),
}


def exactly(value: Any) -> str:
    """The repr, which for plain values tells their types too."""
    return f"{type(value).__name__} {value!r}"


@pytest.mark.parametrize("name", FOLDED)
def test_arguments_and_expected_values_become_plain_by_the_rule_of_results(name: str) -> None:
    value, plain = FOLDED[name]
    payload, how = encode_call(Call(kwargs={"x": value}))
    assert how == 0
    assert exactly(marshal.loads(payload)[1]["x"]) == exactly(plain)
    assert exactly(Check(PROGRAM, {}, value).expected) == exactly(plain)
    assert exactly(values.decode(values.encode(value, tagged=True, numpy_values=True), tagged=True)) == exactly(plain)


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_plain_form_is_refused_with_its_path(name: str) -> None:
    value, message = REFUSED[name]
    with pytest.raises(UsageError, match="cannot be sent") as raised:
        encode_call(Call(kwargs={"x": value}))
    assert message in str(raised.value)
    with pytest.raises(UsageError, match="no plain form") as raised:
        Check(PROGRAM, {}, value)
    assert message.replace("$.x", "$") in str(raised.value)
    with pytest.raises(values.Refused) as refused:
        values.encode(value, tagged=True, numpy_values=True)
    assert f"{refused.value.path} is {refused.value.reason}" == message.replace("$.x", "$")


def test_positional_arguments_are_named_by_their_place() -> None:
    with pytest.raises(UsageError, match=r"\$\[1\] is an object of type object"):
        encode_call(Call(args=(1, object())))


def test_plain_values_come_back_as_they_are() -> None:
    value = {"a": [1, (2.5, None), {3}, frozenset({b"x"})], 4: "x" * 10, (1, 2): 1j}
    assert Check(PROGRAM, {}, value).expected is value


@pytest.mark.parametrize(
    ("value", "path", "reason"),
    [
        (np.datetime64("2020-01-01"), "$", "a numpy value of type datetime64"),
        ({"a": {1: 2, "1": 3}}, "$.a", "two keys are written '1' in JSON"),
        ([{1}], "$[0]", "an object of type set"),
        (b"a", "$", "an object of type bytes"),
        ({"z": (1, [1j])}, "$.z[1][0]", "an object of type complex"),
    ],
)
def test_json_says_no_more_than_it_can(value: Any, path: str, reason: str) -> None:
    with pytest.raises(values.Refused) as refused:
        values.encode(value, numpy_values=True)
    assert (refused.value.path, refused.value.reason) == (path, reason)


def test_cycles_and_depths_are_refused() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    shared: Any = [1]
    for _ in range(60):
        shared = [shared, shared]
    for value in (cycle, shared):
        with pytest.raises(UsageError, match=r"nested deeper|items"):
            Check(PROGRAM, {}, value)


# -- what comes back is decoded within bounds --


def value_answer(payload: bytes) -> Answer:
    return Answer("value", payload)


@pytest.mark.parametrize("levels", [203, 300, 1490, 100_000])
def test_a_claim_that_is_too_deep_is_a_bad_result(levels: int) -> None:
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        outcome = read_outcome(value_answer(opening * levels + b"1" + closing * levels))
        assert (outcome.kind, outcome.detail) == ("bad-result", f"$: nested deeper than {values.MAX_DEPTH}")


@pytest.mark.parametrize("tag", ["tuple", "set", "frozenset", "dict"])
def test_a_tagged_claim_that_is_too_deep_is_a_bad_result(tag: str) -> None:
    opening, closing = f'{{"!":"{tag}","v":['.encode(), b"]}"
    if tag == "dict":
        opening, closing = b'{"!":"dict","v":[[1,', b"]]}"
    payload = opening * 1000 + b"1" + closing * 1000
    outcome = read_outcome(value_answer(payload), frames.PYTHON_VALUES)
    assert (outcome.kind, outcome.detail) == ("bad-result", f"$: nested deeper than {values.MAX_DEPTH}")


def test_brackets_in_strings_have_no_depth() -> None:
    text = b'["' + b"[" * 1000 + b'", "\\"[[[["]'
    assert not is_deeper(text, 1)
    assert read_json(text) == ["[" * 1000, '"[[[[']


@pytest.mark.parametrize(
    "text", ["1" * 100_001, "0" * 300_000 + '"', "7," * 1_100_000, "[{" * 1_100_000], ids=lambda text: text[:2]
)
def test_digits_and_commas_of_a_text_are_no_integer_and_no_items(text: str) -> None:
    assert read_json(json.dumps([text, 5]).encode()) == [text, 5]
    with pytest.raises(UnreadableError, match="more than 100000 digits"):
        read_json(json.dumps([text, "x"]).encode()[:-1] + b", " + b"1" * 100_001 + b"]")


COLLIDING = 2**61 - 1


def _tagged(tag: str, items: list[int]) -> str:
    return json.dumps({"!": tag, "v": items})


def colliding(count: int, tag: str) -> bytes:
    """JSON of `count` different values that share a hash, or are slow to compare."""
    if tag == "integer":
        items = [str(step * COLLIDING) for step in range(1, count)]
    elif tag == "tuple":
        items = [_tagged(tag, [*[0] * 200, step * COLLIDING]) for step in range(1, count // 50)]
    else:
        items = [_tagged(tag, [step * COLLIDING, *range(1, 40)]) for step in range(1, count // 10)]
    return ('{"!":"set","v":[' + ",".join(items) + "]}").encode()


@pytest.mark.parametrize("tag", ["integer", "tuple", "frozenset"])
def test_keys_that_share_a_hash_are_a_bad_result_at_once(tag: str) -> None:
    payload = colliding(8000, tag)
    outcome = within(0.3, lambda: read_outcome(value_answer(payload), frames.PYTHON_VALUES))
    assert (outcome.kind, outcome.detail) == ("bad-result", "$: too many keys with the same hash")


def test_keys_that_share_a_hash_by_chance_are_read() -> None:
    value = {-1, -2, frozenset({-1}), frozenset({-2}), (-1,), (-2,), 0, COLLIDING}
    outcome = read_outcome(value_answer(values.encode(value, tagged=True)), frames.PYTHON_VALUES)
    assert outcome.value == value
