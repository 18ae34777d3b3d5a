"""The short ways of verify against the long ones: whatever a row says, both find the same pair, answer and line."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reexec.engine.judging.compare import compare
from reexec.policies.comparison import ComparisonRule
from reexec.runners.answers import Likely, extract_answer
from reexec.runners.records.functions import FunctionStore, Pair
from reexec.runners.records.predictions import _by_position, _checked
from reexec.runners.rows.text import BadRowError, dump, parse_row, splice, with_members
from reexec.runners.stages.verify.known import KnownPairs
from tests.property.test_answers_properties import json_values, noise
from tests.support.helpers import function_row, write_rows

PROGRAM = "def f(n):\n    return n + %d\n"
POSITIONS = st.sampled_from([0, 1, 2, -1, 7, True, 1.0, 0.0, 1.5, "0", None, [0], 10**30])


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> FunctionStore:
    rows: list[Any] = [function_row(PROGRAM % k, ({"n": 1}, 1 + k), ({"n": 2}, 2 + k)) for k in range(3)]
    return FunctionStore(write_rows(tmp_path_factory.mktemp("functions") / "functions.jsonl", [*rows, {"refcode": 5}]))


def found(binding: Any) -> str:
    try:
        function, pair = binding()
    except BadRowError as error:
        return str(error)
    return f"{function.position} {pair.id}"


@settings(max_examples=500)
@given(st.data())
def test_positions_bind_as_all_checks_say(functions: FunctionStore, data: Any) -> None:
    records = [functions.at(at) for at in range(3)]
    function_ids = st.sampled_from([None, 5, True, ["x"], "unknown", *(record.id for record in records)])
    pair_ids = st.sampled_from([None, 5, True, ["x"], "unknown", *(pair.id for record in records for pair in record.pairs)])
    members = {"itemid": POSITIONS, "ioid": POSITIONS, "function_id": function_ids, "pair_id": pair_ids}
    row = data.draw(st.fixed_dictionaries({}, optional=members))
    assert found(lambda: _by_position(row, functions) or _checked(row, functions)) == found(lambda: _checked(row, functions))


@settings(max_examples=500, deadline=None)
@given(noise, json_values, json_values, st.booleans(), noise)
def test_a_likely_answer_changes_none(before: str, value: Any, other: Any, right: bool, after: str) -> None:
    text = f"{before}{json.dumps({'output': value if right else other})}{after}"
    known = KnownPairs(ComparisonRule()).of(Pair("id", {}, value))
    assert repr(extract_answer(text, "output", known.likely)) == repr(extract_answer(text, "output"))


def test_a_likely_answer_is_not_even_read() -> None:
    value = [1]
    answer = extract_answer('So: {"output": [1]}', "output", Likely('{"output": [1]}', value))
    assert answer.value is value


RULES = (ComparisonRule(), ComparisonRule(numbers="same-type", max_depth=1), ComparisonRule(max_nodes=3))


@settings(deadline=None)
@given(json_values, st.sampled_from(RULES))
def test_a_recorded_output_is_judged_against_itself_as_its_copy_is(value: Any, rule: ComparisonRule) -> None:
    copy = parse_row(f'{{"copy": {dump(value)}}}'.encode())["copy"]
    found = compare(copy, value, rule)
    if found.equal:
        assert KnownPairs(rule).of(Pair("id", {}, value)).itself.comparison == found
    else:  # no answer could equal it
        with pytest.raises(BadRowError, match="no result can equal the expected value"):
            KnownPairs(rule).of(Pair("id", {}, value))


MEMBERS = st.dictionaries(st.text(), json_values, min_size=1, max_size=3)


@given(st.just({}) | MEMBERS, MEMBERS, st.sampled_from(["", " \t"]))
def test_members_put_behind_a_row_are_those_that_are_read(row: dict[str, Any], members: dict[str, Any], end: str) -> None:
    row = {name: value for name, value in row.items() if name not in members}
    line = with_members((dump(row) + end).encode(), row, dump(members)[1:-1])
    assert list(parse_row(line)) == [*row, *members]
    assert line == splice((dump(row) + end).encode(), row, members)
