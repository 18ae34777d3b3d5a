"""The functions file: rows by position and by id, ids that belong to what they name, predictions bound to pairs."""

import json
from pathlib import Path
from typing import Any

import pytest

from reexec.engine.errors import UsageError
from reexec.engine.program import Program
from reexec.runners.records.functions import FunctionStore, pair_id
from reexec.runners.records.predictions import read_prediction
from reexec.runners.rows.text import BadRowError
from tests.support.helpers import FUNCTIONS, Row, function_row, read_rows, response, write_rows

SOURCES = [f"def f(n):\n    return n + {number}\n" for number in range(4)]


def rows() -> list[Row]:
    return [function_row(source, ({"n": 1}, 1 + number), ({"n": 2}, 2 + number)) for number, source in enumerate(SOURCES)]


@pytest.fixture(params=["functions.jsonl", "functions.jsonl.gz"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> FunctionStore:
    return FunctionStore(write_rows(tmp_path / request.param, rows()))


# -- the store ------------------------------------------------------------------------------------------------


def test_functions_are_found_by_position_in_any_order(store: FunctionStore) -> None:
    assert len(store) == 4
    for position in (3, 0, 2, 2, 1):
        record = store.at(position)
        assert record.program == Program(SOURCES[position], "f")
        assert (record.position, record.line) == (position, position + 1)
        assert [pair.output for pair in record.pairs] == [1 + position, 2 + position]
    for position in (4, -1):
        with pytest.raises(IndexError):
            store.at(position)


def test_functions_are_found_by_id(store: FunctionStore) -> None:
    for position, source in enumerate(SOURCES):
        assert store.position_of(Program(source, "f").id) == position
    assert store.position_of("0" * 32) is None


def test_of_two_equal_functions_the_first_is_found_by_id(tmp_path: Path) -> None:
    store = FunctionStore(write_rows(tmp_path / "f.jsonl", [*rows(), rows()[2]]))
    assert store.position_of(store.at(4).id) == 2


def test_bad_rows_and_blank_lines_keep_the_positions_of_the_others(tmp_path: Path) -> None:
    good = rows()
    overlong = {**good[0], "more": "x" * (9 << 20)}
    path = write_rows(tmp_path / "f.jsonl", [good[0], "", "not JSON", overlong, "[]", good[1], "  ", good[2]])
    store = FunctionStore(path)
    assert len(store) == 6
    assert [store.at(position).program.source for position in (0, 4, 5)] == SOURCES[:3]
    assert store.at(5).line == 8
    for position, line, says in ((1, 3, "not JSON"), (2, 4, "a line of more than"), (3, 5, "expected a JSON object")):
        with pytest.raises(BadRowError, match=rf"f\.jsonl, line {line}: .*{says}"):
            store.at(position)
    assert store.position_of(store.at(5).id) == 5


def test_the_digest_is_that_of_the_content(tmp_path: Path) -> None:
    plain, packed = (FunctionStore(write_rows(tmp_path / name, rows())) for name in ("f.jsonl", "f.jsonl.gz"))
    assert plain.digest == packed.digest
    other = FunctionStore(write_rows(tmp_path / "g.jsonl", [*rows()[:3], {**rows()[3], "more": 1}]))
    assert other.digest != plain.digest


def test_files_that_cannot_serve_are_refused(tmp_path: Path) -> None:
    for name, data in (("empty.jsonl", b""), ("blank.jsonl", b"\n \n"), ("cut.jsonl.gz", b"\x1f\x8b\x08")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UsageError, match=name):
            FunctionStore(tmp_path / name)


def test_more_functions_than_are_kept_in_memory(tmp_path: Path) -> None:
    many = [function_row(f"# {number}\n", ({"n": number}, number)) for number in range(700)]
    store = FunctionStore(write_rows(tmp_path / "f.jsonl", many))
    for position in (*range(700), 0, 699, 1):
        assert store.at(position).pairs[0].output == position


def test_ids_depend_on_values_and_not_on_spelling() -> None:
    function_id = Program(SOURCES[0], "f").id
    assert pair_id(function_id, {"a": 1, "b": [1.0]}, None) == pair_id(function_id, {"b": [1.0], "a": 1}, None)
    different = [({"a": 1}, 1), ({"a": 1.0}, 1), ({"a": True}, 1), ({"a": "1"}, 1), ({"a": 1}, 1.0), ({"a": 1}, None)]
    assert len({pair_id(function_id, given, output) for given, output in different}) == len(different)
    assert pair_id(function_id, {"a": 10**5000}, "\ud800") != pair_id(function_id, {"a": 10**5000 + 1}, "\ud800")


def test_an_id_that_does_not_belong_to_the_row_is_refused(tmp_path: Path) -> None:
    record = FunctionStore(write_rows(tmp_path / "f.jsonl", rows())).at(0)
    proven = {**rows()[0], "function_id": record.id}
    proven["ios"] = [{**pair, "pair_id": own.id} for pair, own in zip(proven["ios"], record.pairs, strict=True)]
    swapped = json.loads(json.dumps(proven))
    swapped["ios"][0]["pair_id"], swapped["ios"][1]["pair_id"] = record.pairs[1].id, record.pairs[0].id
    store = FunctionStore(write_rows(tmp_path / "g.jsonl", [proven, {**proven, "refcode": SOURCES[1]}, swapped]))
    assert store.at(0).pairs == record.pairs
    with pytest.raises(BadRowError, match=r"at \$\.function_id"):
        store.at(1)
    with pytest.raises(BadRowError, match=r"at \$\.ios\[0\]\.pair_id"):
        store.at(2)


def test_the_bundled_functions_can_all_be_read() -> None:
    store = FunctionStore(FUNCTIONS)
    assert [store.at(position).row for position in range(len(store))] == read_rows(FUNCTIONS)


# -- predictions ----------------------------------------------------------------------------------------------


def with_ids(store: FunctionStore, function: int, pair: int) -> Row:
    record = store.at(function)
    return {"function_id": record.id, "pair_id": record.pairs[pair].id}


def test_positions_and_ids_lead_to_the_same_pair(store: FunctionStore) -> None:
    by_position = read_prediction(response(2, 1, 4), store)
    unbound = {key: value for key, value in response(0, 0, 4).items() if key not in ("itemid", "ioid")}
    by_id = read_prediction(unbound | with_ids(store, 2, 1), store)
    both = read_prediction(response(2, 1, 4) | with_ids(store, 2, 1), store)
    assert by_position == by_id == both
    assert by_position.pair.output == 4


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"itemid": 4}, r"itemid is 4, but there are 4 functions \(0 to 3\), at \$\.itemid"),
        ({"itemid": -1}, r"at \$\.itemid"),
        ({"itemid": "2"}, r"expected an integer, got a string, at \$\.itemid"),
        ({"itemid": True}, r"got a boolean, at \$\.itemid"),
        ({"itemid": 2.5}, r"got a number, at \$\.itemid"),
        ({"ioid": 2}, r"ioid is 2, but there are 2 pairs \(0 to 1\), at \$\.ioid"),
        ({"ioid": None}, r"got null, at \$\.ioid"),
        ({"io_pred": "output"}, r"at \$\.io_pred"),
        ({"output": ["x"]}, r"expected a string, got an array, at \$\.output"),
        ({"function_id": "0" * 32}, r"no function has the id '0+', at \$\.function_id"),
        ({"function_id": 7}, r"expected a string, got a number, at \$\.function_id"),
        ({"pair_id": "0" * 32}, r"ioid 1 and pair_id disagree, at \$\.pair_id"),
    ],
)
def test_what_cannot_be_bound_says_where(change: Row, says: str, store: FunctionStore) -> None:
    with pytest.raises(BadRowError, match=says):
        read_prediction(response(2, 1, 4) | change, store)


def test_of_a_function_without_pairs_no_range_is_named(tmp_path: Path) -> None:
    store = FunctionStore(write_rows(tmp_path / "f.jsonl", [{**rows()[0], "ios": []}]))
    with pytest.raises(BadRowError, match=r"ioid is 0, but there are no pairs, at \$\.ioid"):
        read_prediction(response(0, 0, 4), store)


@pytest.mark.parametrize("missing", ["itemid", "ioid", "io_pred", "output"])
def test_a_missing_field_is_named(missing: str, store: FunctionStore) -> None:
    row = response(2, 1, 4)
    del row[missing]
    with pytest.raises(BadRowError, match=rf"at \$\.{missing}$"):
        read_prediction(row, store)


def test_ids_and_positions_that_disagree_are_refused(store: FunctionStore) -> None:
    with pytest.raises(BadRowError, match=r"that id is at position 1, at \$\.function_id"):
        read_prediction(response(2, 1, 4) | {"function_id": store.at(1).id}, store)
    with pytest.raises(BadRowError, match=r"disagree, at \$\.pair_id"):
        read_prediction(response(2, 1, 4) | with_ids(store, 2, 0), store)


def test_no_response_at_all_is_an_empty_one(store: FunctionStore) -> None:
    assert read_prediction({**response(0, 0, 1), "output": None}, store).text == ""


def test_a_predictions_id_tells_samples_sides_and_texts_apart(store: FunctionStore) -> None:
    variants: list[dict[str, Any]] = [{}, {"index": 1}, {"io_pred": "i"}, {"output": "\ud800"}, {"ioid": 0}, {"itemid": 1}]
    ids = [read_prediction(response(2, 1, 4) | variant, store).id for variant in variants]
    assert len(set(ids)) == len(ids)
    assert ids == [read_prediction(response(2, 1, 4) | variant, store).id for variant in variants]
