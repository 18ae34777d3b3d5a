"""`reexec rows`: why rows were left out, how often, and which raw file each came from; which functions are slow."""

from pathlib import Path

import pytest

from tests.support.helpers import Done, Row, function_row, reexec, response, write_rows

SLOW = "def slow(n):\n    for i in range(3_000_000):\n        n += 1\n    return n\n"


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    write_rows(folder / "f.jsonl", [function_row("def f(n):\n    return n\n", ({"n": 1}, 1)),
                                    function_row(SLOW, ({"n": 1}, 3_000_001), entry="slow")])  # fmt: skip
    rows: list[Row | str] = [response(0, 0, 1), response(0, 0, {"n": 1}, "i"), response(1, 0, {"n": 1}, "i")]
    rows += [response(item, 0, 1, provenance={"path": f"raw/{item}\x1b[2J.py"}) for item in (7, 8, 9)]
    rows += ["not JSON", {"itemid": 0, "ioid": 0, "io_pred": "o"}]
    write_rows(folder / "r.jsonl", rows)
    done = reexec("verify", "r.jsonl", "-f", "f.jsonl", "-o", "v.jsonl", "--usage", "times.jsonl", "-w", "1", cwd=folder)
    assert done.code == 1, done.err
    return folder / "v.jsonl"


def rows(*arguments: str | Path) -> Done:
    done = reexec("rows", *arguments, env={"COLUMNS": "250"})
    assert done.code == 0, done.err
    return done


def test_reasons_are_counted_without_what_differs_and_have_an_example(verified: Path) -> None:
    assert rows(verified, "--json").summary["reasons"] == [
        {"stage": "verify", "reason": "itemid is ..., but there are ... functions (... to ...), at $.itemid", "rows": 3},
        {"stage": "verify", "reason": "not JSON: expecting value at character ...", "rows": 1},
        {"stage": "verify", "reason": "the response is missing, at $.output", "rows": 1},
    ]
    shown = rows(verified).out
    assert "5 rows left out for 3 reasons" in shown
    assert "r.jsonl, line 7" in shown
    assert "and 2 more reasons" in rows(verified, "--top", "1").out


def test_every_row_of_a_reason_is_listed_with_its_raw_file_made_visible(verified: Path) -> None:
    lines = rows(verified, "--reason", "itemid is").out.splitlines()
    said = "but there are 2 functions (0 to 1), at $.itemid"
    assert lines == [
        f"verify: raw/{item}\\x1b[2J.py (r.jsonl, line {line}): itemid is {item}, {said}"
        for item, line in ((7, 4), (8, 5), (9, 6))
    ]
    assert len(rows(verified, "--reason", "").out.splitlines()) == 5
    assert rows(verified, "--reason", "other", "--stage", "verify").out == "no row was left out for such a reason\n"
    assert "unknown stage 'generate'" in reexec("rows", verified, "--reason", "itemid", "--stage", "generate").one_line()
    assert rows(verified.with_name("v.rejects.jsonl"), "--reason", "itemid is 8", "--json").summary["rows"] == 1


def test_the_slowest_functions_come_first_wherever_the_usage_file_is(verified: Path) -> None:
    slowest = rows(verified, "--json").summary["slowest"]
    assert [each["function"] for each in slowest] == ["slow", "f"]
    assert slowest[0]["worst_s"] > 10 * slowest[1]["worst_s"]


def test_the_output_of_any_stage_has_its_losses(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "raw.jsonl", [{"content": "x = 1\n", "path": "a.py"}, {"path": "b.py"}])
    reexec("transform", source, "-o", tmp_path / "m.jsonl")
    (line,) = rows(tmp_path / "m.jsonl", "--reason", "").out.splitlines()
    assert line.startswith("transform: b.py (")
    assert "times" not in rows(tmp_path / "m.jsonl").out


def test_what_is_no_run_is_refused_in_one_line(tmp_path: Path) -> None:
    done = reexec("rows", write_rows(tmp_path / "x.jsonl", [{}]))
    assert done.code == 2
    assert "x.jsonl" in done.one_line()
