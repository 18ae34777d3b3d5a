"""The audit: every reason of the closed list has a fixture, and what it keeps is exactly what it proved."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reexec import load_policy
from reexec.runners.execution import ExecutorOptions
from reexec.runners.stage import Summary
from reexec.runners.stages.audit import AuditSettings, audit
from tests.support.helpers import Row, function_row, read_rows, reexec, response, write_rows

FIXTURES = sorted(Path(__file__).with_name("fixtures").glob("*.toml"))
NAMES = [path.stem for path in FIXTURES]
REASONS = {
    "mutates-input", "nondeterministic", "missing-module", "exception", "mismatch", "cpu-limit", "wall-limit", "memory-limit",
    "output-limit", "process-limit", "denied", "early-exit", "bad-result",
}  # fmt: skip
SETTINGS = ("limits.cpu_s=0.4", "limits.idle_s=0.4", "limits.memory_bytes=268435456")


def fixture(name: str) -> dict[str, Any]:
    return tomllib.loads((Path(__file__).with_name("fixtures") / f"{name}.toml").read_text())


def fixture_row(name: str) -> Row:
    document = fixture(name)
    return function_row(document["source"], *(tuple(json.loads(pair)) for pair in document["pairs"]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audit")


@pytest.fixture(scope="module")
def summary(folder: Path) -> Summary:
    """One audit over all fixtures."""
    functions = write_rows(folder / "functions.jsonl", [fixture_row(name) for name in NAMES])
    policy = load_policy("codeio", settings=SETTINGS)
    return audit(
        functions, folder / "report.jsonl", AuditSettings(keep=folder / "kept.jsonl"), ExecutorOptions(policy, workers=2)
    )


@pytest.fixture(scope="module")
def report(folder: Path, summary: Summary) -> list[Row]:
    return read_rows(folder / "report.jsonl")


@pytest.mark.parametrize("name", NAMES)
def test_each_reason_has_its_evidence(name: str, report: list[Row]) -> None:
    rows = [row for row in report if row["itemid"] == NAMES.index(name)]
    expected = fixture(name)["reasons"]
    assert [row["reason"] or "" for row in rows] == expected, [row["detail"] for row in rows]
    for row in rows:
        assert row["reproducible"] is (row["reason"] is None)
        assert bool(row["detail"]) is not row["reproducible"]
        assert "\n" not in row["detail"]


def test_the_fixtures_cover_the_closed_list(report: list[Row]) -> None:
    assert {row["reason"] for row in report} == REASONS | {None}
    assert {name for name in NAMES if "-".join(name.split("-")[:2]) in REASONS} | {"exception", "mismatch", "denied"} <= set(
        NAMES
    )


def test_the_summary_adds_up(summary: Summary, report: list[Row]) -> None:
    assert summary.counts["functions"] == len(NAMES)
    assert summary.counts["pairs"] == len(report) == summary.counts["reproducible"] + sum(summary.counts["reasons"].values())
    assert summary.counts["missing_modules"] == {"no_such_module_of_reexec": 1}
    assert summary.engine_errors == summary.rejected == 0


def test_report_rows_have_the_documented_fields_and_lie_in_the_order_of_the_input(report: list[Row]) -> None:
    fields = ["function_id", "pair_id", "itemid", "ioid", "reproducible", "reason", "detail"]
    assert all(list(row) == fields for row in report)
    assert [(row["itemid"], row["ioid"]) for row in report] == sorted((row["itemid"], row["ioid"]) for row in report)


def test_what_is_kept_is_exactly_what_is_proven_with_ids(folder: Path, report: list[Row]) -> None:
    kept = read_rows(folder / "kept.jsonl")
    ids = [(row["function_id"], pair["pair_id"]) for row in kept for pair in row["ios"]]
    assert ids == [(row["function_id"], row["pair_id"]) for row in report if row["reproducible"]]
    assert all(row["ios"] for row in kept)


def test_what_is_kept_can_be_audited_and_verified_again(folder: Path, summary: Summary, tmp_path: Path) -> None:
    kept = folder / "kept.jsonl"
    policy = load_policy("codeio", settings=SETTINGS)
    again = audit(
        kept, tmp_path / "report.jsonl", AuditSettings(keep=tmp_path / "kept.jsonl"), ExecutorOptions(policy, workers=2)
    )
    assert again.counts["reproducible"] == again.counts["pairs"] == summary.counts["reproducible"]
    assert (tmp_path / "kept.jsonl").read_bytes() == kept.read_bytes()

    def predictions() -> Iterator[Row]:
        for row in read_rows(kept):
            for pair in row["ios"]:
                ids = {"function_id": row["function_id"], "pair_id": pair["pair_id"]}
                for io_pred, name in (("o", "output"), ("i", "input")):
                    bound = response(0, 0, pair[name], io_pred)
                    del bound["itemid"], bound["ioid"]
                    yield bound | ids

    rows = write_rows(tmp_path / "predictions.jsonl", predictions())
    done = reexec("verify", rows, "-f", kept, "-o", tmp_path / "v.jsonl", "--json")
    assert done.summary["verdicts"] == {"accepted": 2 * again.counts["pairs"]}


def test_a_shard_keeps_the_positions_of_the_whole_file(tmp_path: Path) -> None:
    program = "def f(n):\n    return n\n"
    rows: list[Row | str] = [function_row(f"# {number}\n{program}", ({"n": 1}, 1)) for number in range(7)]
    rows[3] = "not a row"
    functions = write_rows(tmp_path / "f.jsonl", rows)
    found = []
    for index in range(3):
        done = reexec("audit", functions, "-o", tmp_path / f"{index}.jsonl", "--shard", f"{index}/3")
        assert done.code == (1 if index == 0 else 0)
        found += [row["itemid"] for row in read_rows(tmp_path / f"{index}.jsonl")]
    assert found == [0, 6, 1, 4, 2, 5]


def test_numbers_of_thousands_of_digits_and_lone_surrogates_are_audited_and_kept(tmp_path: Path) -> None:
    digits, text = "7" * 5000, json.dumps("\ud800 é")
    line = (
        '{"refcode": "def f(n, t):\\n    return [n * 1, t]\\n", "funcname": "f", '
        f'"ios": [{{"input": {{"n": {digits}, "t": {text}}}, "output": [{digits}, {text}]}}]}}'
    )
    functions, kept = write_rows(tmp_path / "f.jsonl", [line]), tmp_path / "kept.jsonl"
    done = reexec("audit", functions, "-o", tmp_path / "r.jsonl", "--keep", kept, "--json")
    assert (done.code, done.summary["reproducible"]) == (0, 1), done.err
    assert kept.read_text().count(digits) == 2
    assert kept.read_text().count("\\ud800") == 2
    row = {"itemid": 0, "ioid": 0, "io_pred": "o", "output": f'{{"output": [{digits[:-1]}8, {text}]}}'}
    done = reexec("verify", write_rows(tmp_path / "p.jsonl", [row]), "-f", kept, "-o", tmp_path / "v.jsonl", "--json")
    assert done.code == 0, done.err
    assert done.summary["verdicts"] == {"no-answer": 1}, "answers are read to 4,300 digits"


def test_an_input_that_cannot_be_sent_costs_its_row_and_not_the_run(tmp_path: Path) -> None:
    good = function_row("def f(x):\n    return 1\n", ({"x": 1}, 1))
    deep = "[" * 2500 + "7" + "]" * 2500  # marshal stops at 2,000 levels
    bad = json.dumps(function_row("def f(x):\n    return 1\n", ({"x": "DEEP"}, 1))).replace('"DEEP"', deep)
    functions = write_rows(tmp_path / "f.jsonl", [good, bad, good])
    done = reexec("audit", functions, "-o", tmp_path / "r.jsonl", "--json")
    assert (done.code, done.summary["reproducible"], done.summary["rejected"]) == (1, 2, 1)
    assert done.one_line().endswith("line 2: nested deeper than 400")
    answer = '{"input": {"x": [' + "0," * 500_000 + "0]}}"
    rows = [response(0, 0, {"x": 1}, "i"), {"itemid": 0, "ioid": 0, "io_pred": "i", "output": answer}]
    done = reexec("verify", write_rows(tmp_path / "p.jsonl", rows), "-f", functions, "-o", tmp_path / "v.jsonl", "--json")
    assert done.summary["verdicts"] == {"accepted": 2}, done.err  # half a million items are an input like any other
