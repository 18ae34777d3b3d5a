"""Bad rows: each is rejected with file, line and reason, the good ones around it are kept, and nothing is lost."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.support.helpers import Done, Row, function_row, read_rows, reexec, response, write_rows

PROGRAM = "def f(n):\n    return n + 1\n"


def write_functions(folder: Path) -> Path:
    rows = [function_row(PROGRAM, ({"n": 1}, 2), ({"n": 2}, 3)), function_row("def f(n):\n    return -n\n", ({"n": 1}, -1))]
    return write_rows(folder / "functions.jsonl", rows)


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    return write_functions(tmp_path)


def ids(tmp_path: Path, functions: Path) -> list[Row]:
    """A row with ids for every pair, as the audit writes them."""
    kept = tmp_path / "kept.jsonl"
    assert reexec("audit", functions, "-o", tmp_path / "report.jsonl", "--keep", kept).code == 0
    return [{"function_id": row["function_id"], "pair_id": pair["pair_id"]} for row in read_rows(kept) for pair in row["ios"]]


def verify(tmp_path: Path, functions: Path, rows: list[Any], *more: str) -> Done:
    return reexec(
        "verify", write_rows(tmp_path / "r.jsonl", rows), "-f", functions, "-o", tmp_path / "v.jsonl", "-w", "1", *more
    )


def without(row: Row, name: str) -> Row:
    return {key: value for key, value in row.items() if key != name}


GOOD = response(0, 0, 2)
BAD_RESPONSES: dict[str, tuple[Any, str]] = {
    "not JSON": ("{nope", "not JSON"),
    "cut off": (json.dumps(GOOD)[:-9], "not JSON"),
    "not UTF-8": (b'{"output": "\xff"}', "not UTF-8 at byte 12"),
    "an array": ("[1, 2]", "expected a JSON object, got an array"),
    "a number": ("17", "expected a JSON object, got a number"),
    "nested without end": ('{"output": ' + "[" * 100_000, "nested deeper than"),
    "no response": (without(GOOD, "output"), "at $.output"),
    "a response that is no text": ({**GOOD, "output": 7}, "at $.output"),
    "no side": (without(GOOD, "io_pred"), "at $.io_pred"),
    "an unknown side": ({**GOOD, "io_pred": "x"}, "at $.io_pred"),
    "no itemid": (without(GOOD, "itemid"), "at $.itemid"),
    "no ioid": (without(GOOD, "ioid"), "at $.ioid"),
    "itemid is one too far": ({**GOOD, "itemid": 2}, "itemid is 2, but there are 2 functions (0 to 1), at $.itemid"),
    "itemid below 0": ({**GOOD, "itemid": -1}, "at $.itemid"),
    "itemid is a text": ({**GOOD, "itemid": "0"}, "at $.itemid"),
    "itemid is true": ({**GOOD, "itemid": True}, "at $.itemid"),
    "ioid is one too far": ({**GOOD, "ioid": 2}, "ioid is 2, but there are 2 pairs (0 to 1), at $.ioid"),
    "ioid is a fraction": ({**GOOD, "ioid": 0.5}, "at $.ioid"),
    "an unknown function": ({**without(GOOD, "itemid"), "function_id": "0" * 32}, "at $.function_id"),
    "an unknown pair": ({**without(GOOD, "ioid"), "pair_id": "0" * 32}, "at $.pair_id"),
    "function_id is a number": ({**without(GOOD, "itemid"), "function_id": 5}, "at $.function_id"),
    "function_id is an array": ({**without(GOOD, "itemid"), "function_id": [5]}, "at $.function_id"),
    "10 MB in one row": ({**GOOD, "output": "x" * 10_000_000}, "a line of more than 8 MiB"),
}


def some(cases: Iterable[str], *told: str) -> list[Any]:
    """All cases; those that are not in `told` take long together and show the same."""
    return [pytest.param(case, marks=() if case in told else pytest.mark.slow) for case in cases]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """One run over all of them, each between a right and a wrong prediction."""
    folder = tmp_path_factory.mktemp("mixed")
    rows = [row for bad, _ in BAD_RESPONSES.values() for row in (GOOD, bad, response(0, 1, 9))]
    return folder, verify(folder, write_functions(folder), rows, "--json")


@pytest.mark.parametrize("case", BAD_RESPONSES)
def test_a_bad_response_is_rejected_with_its_place_and_reason(case: str, mixed: tuple[Path, Done]) -> None:
    line = 3 * list(BAD_RESPONSES).index(case) + 2
    (reject,) = (row for row in read_rows(mixed[0] / "v.rejects.jsonl") if row["line"] == line)
    assert reject["file"] == str(mixed[0] / "r.jsonl")
    assert BAD_RESPONSES[case][1] in reject["reason"]


def test_rows_written_and_rejects_are_the_lines_read(mixed: tuple[Path, Done]) -> None:
    folder, done = mixed
    assert done.code == 1
    done.one_line()
    count = len(BAD_RESPONSES)
    assert (done.summary["rows"], done.summary["rejected"]) == (2 * count, count)
    assert [row["verdict"] for row in read_rows(folder / "v.jsonl")] == ["accepted", "wrong-answer"] * count
    assert [reject["line"] for reject in read_rows(folder / "v.rejects.jsonl")] == list(range(2, 3 * count, 3))


@pytest.mark.parametrize(
    "case", some(BAD_RESPONSES, "not JSON", "not UTF-8", "nested without end", "no itemid", "10 MB in one row")
)
def test_a_bad_response_is_told_and_its_neighbours_are_kept(case: str, tmp_path: Path, functions: Path) -> None:
    bad, reason = BAD_RESPONSES[case]
    done = verify(tmp_path, functions, [GOOD, bad, response(0, 1, 9)], "--json")
    assert done.code == 1
    line = done.one_line()
    assert str(tmp_path / "r.jsonl") in line
    assert "line 2" in line
    assert reason in line
    assert (done.summary["rows"], done.summary["rejected"]) == (2, 1)
    assert [row["verdict"] for row in read_rows(tmp_path / "v.jsonl")] == ["accepted", "wrong-answer"]
    (reject,) = read_rows(tmp_path / "v.rejects.jsonl")
    assert (reject["file"], reject["line"]) == (str(tmp_path / "r.jsonl"), 2)
    assert reason in reject["reason"]


def test_a_file_of_which_no_line_is_a_row_is_2(tmp_path: Path, functions: Path) -> None:
    done = verify(tmp_path, functions, [b"\x89PNG\x1a", "[1]", "junk"])
    assert done.code == 2
    assert "no row could be used, 3 were rejected" in done.one_line()


def test_a_repeated_id_is_rejected_with_the_line_where_it_came_first(tmp_path: Path, functions: Path) -> None:
    rows = [{**GOOD, "id": "a"}, {**GOOD, "id": "b"}, {**GOOD, "id": "a"}]
    done = verify(tmp_path, functions, rows)
    assert done.code == 1
    assert "line 3: repeats the id of line 1, at $.id" in done.one_line()
    assert [row["id"] for row in read_rows(tmp_path / "v.jsonl")] == ["a", "b"]


def test_samples_of_one_prompt_share_its_id_and_only_the_same_index_is_a_repetition(tmp_path: Path, functions: Path) -> None:
    rows = [
        {**GOOD, "id": "a", "index": 0},
        {**GOOD, "id": "a", "index": 1},
        {**GOOD, "id": "a"},
        {**GOOD, "id": "a", "index": 1},
    ]
    done = verify(tmp_path, functions, rows)
    assert done.code == 1
    reasons = [(row["line"], row["reason"]) for row in read_rows(tmp_path / "v.rejects.jsonl")]
    assert reasons == [(3, "repeats the id of line 1, at $.id"), (4, "repeats the id and index of line 2, at $.id")]
    assert [row["index"] for row in read_rows(tmp_path / "v.jsonl")] == [0, 1]


def test_ids_that_disagree_with_positions_are_rejected(tmp_path: Path, functions: Path) -> None:
    known = ids(tmp_path, functions)
    rows = [
        {**GOOD, **known[0]},
        {**GOOD, "function_id": known[2]["function_id"]},
        {**GOOD, "pair_id": known[1]["pair_id"]},
        {**without(without(GOOD, "itemid"), "ioid"), **known[0]},
    ]
    done = verify(tmp_path, functions, rows)
    assert done.code == 1
    assert "line 2: itemid 0 and function_id disagree" in done.one_line()
    assert [row["reason"].split(",")[-1] for row in read_rows(tmp_path / "v.rejects.jsonl")] == [
        " at $.function_id",
        " at $.pair_id",
    ]
    assert [row["verdict"] for row in read_rows(tmp_path / "v.jsonl")] == ["accepted", "accepted"]


def test_ids_that_are_null_are_filled_in(tmp_path: Path, functions: Path) -> None:
    nothing = {"function_id": None, "pair_id": None, "id": None}
    done = verify(tmp_path, functions, [{**GOOD, "index": 0}, {**GOOD, **nothing, "index": 1}], "--json")
    assert done.code == 0
    assert done.summary["pass_rates"]["prompts"] == 1
    usual, filled = read_rows(tmp_path / "v.jsonl")
    assert all(usual[name] == filled[name] for name in ("function_id", "pair_id"))
    assert filled["id"]


def test_blank_lines_are_no_rows(tmp_path: Path, functions: Path) -> None:
    done = verify(tmp_path, functions, ["", GOOD, "   ", GOOD, ""], "--json")
    assert (done.code, done.summary["rows"], done.err) == (0, 2, "")


BAD_FUNCTIONS: dict[str, tuple[Any, str]] = {
    "not JSON": ("{nope", "not JSON"),
    "an array": ("[]", "expected a JSON object, got an array"),
    "no code": ({"funcname": "f", "ios": []}, "at $.refcode"),
    "no name": ({"refcode": PROGRAM, "ios": []}, "at $.funcname"),
    "no pairs": ({"refcode": PROGRAM, "funcname": "f"}, "at $.ios"),
    "pairs are an object": ({"refcode": PROGRAM, "funcname": "f", "ios": {}}, "at $.ios"),
    "a pair without output": ({"refcode": PROGRAM, "funcname": "f", "ios": [{"input": {}}]}, "at $.ios[0]"),
    "a pair is null": ({"refcode": PROGRAM, "funcname": "f", "ios": [None]}, "at $.ios[0]"),
    "an input is a string": (function_row(PROGRAM, ({"n": 1}, 2), ("x", 2)), "at $.ios[1].input"),
    "another function's id": ({**function_row(PROGRAM, ({"n": 1}, 2)), "function_id": "0" * 32}, "at $.function_id"),
    "10 MB in one row": ({**function_row(PROGRAM), "more": "x" * 10_000_000}, "a line of more than 8 MiB"),
}


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done, Done]:
    """One audit over all of them, each before a good function, and one run over a prediction about every line."""
    folder = tmp_path_factory.mktemp("damaged")
    good = function_row(PROGRAM, ({"n": 1}, 2))
    path = write_rows(folder / "f.jsonl", [row for bad, _ in BAD_FUNCTIONS.values() for row in (bad, good)])
    audited = reexec("audit", path, "-o", folder / "a.jsonl", "-w", "1", "--json")
    predictions = [{**GOOD, "itemid": itemid} for itemid in range(2 * len(BAD_FUNCTIONS))]
    return folder, audited, verify(folder, path, predictions, "--json")


@pytest.mark.parametrize("case", BAD_FUNCTIONS)
def test_a_bad_function_and_its_predictions_are_rejected_with_their_place_and_reason(
    case: str, damaged: tuple[Path, Done, Done]
) -> None:
    folder, line, reason = damaged[0], 2 * list(BAD_FUNCTIONS).index(case) + 1, BAD_FUNCTIONS[case][1]
    (reject,) = (row for row in read_rows(folder / "a.rejects.jsonl") if row["line"] == line)
    assert reject["file"] == str(folder / "f.jsonl")
    assert reason in reject["reason"]
    (reject,) = (row for row in read_rows(folder / "v.rejects.jsonl") if row["line"] == line)
    assert f"its function cannot be used: {folder / 'f.jsonl'}, line {line}: " in reject["reason"]
    assert reason in reject["reason"]


def test_the_good_functions_between_them_are_used(damaged: tuple[Path, Done, Done]) -> None:
    folder, audited, verified = damaged
    count = len(BAD_FUNCTIONS)
    assert (audited.code, verified.code) == (1, 1)
    assert (audited.summary["rows"], audited.summary["rejected"], audited.summary["reproducible"]) == (count, count, count)
    assert (verified.summary["rows"], verified.summary["rejected"]) == (count, count)
    for name in ("a.jsonl", "v.jsonl"):
        assert [row["itemid"] for row in read_rows(folder / name)] == list(range(1, 2 * count, 2))


@pytest.mark.parametrize("case", some(BAD_FUNCTIONS, "not JSON", "an input is a string"))
def test_a_bad_function_is_told_by_the_audit_and_so_are_its_predictions(case: str, tmp_path: Path) -> None:
    bad, reason = BAD_FUNCTIONS[case]
    good = function_row(PROGRAM, ({"n": 1}, 2))
    path = write_rows(tmp_path / "f.jsonl", [good, bad, good])
    done = reexec("audit", path, "-o", tmp_path / "a.jsonl", "-w", "1", "--json")
    assert done.code == 1
    line = done.one_line()
    assert f"{path}, line 2: " in line
    assert reason in line
    assert (done.summary["rows"], done.summary["rejected"], done.summary["reproducible"]) == (2, 1, 2)
    assert [row["itemid"] for row in read_rows(tmp_path / "a.jsonl")] == [0, 2]

    done = verify(tmp_path, path, [GOOD, {**GOOD, "itemid": 1}, {**GOOD, "itemid": 2}])
    assert done.code == 1
    assert f"its function cannot be used: {path}, line 2: " in done.one_line()
    assert [row["itemid"] for row in read_rows(tmp_path / "v.jsonl")] == [0, 2]
