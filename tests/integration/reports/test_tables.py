"""A run as tables: what they hold, and that Arrow takes it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from reexec import UsageError
from reexec.runners.reports.sources import find_run
from reexec.runners.reports.tables import COLUMNS, read_run, records
from tests.conftest import lacking
from tests.support.helpers import FUNCTIONS, RESPONSES, reexec

SAMPLE = {"id", "index", "function_id", "pair_id", "io_pred"}


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    rows = RESPONSES.read_text().splitlines()[:40]
    strange = json.loads(rows[0]) | {"id": "s", "prompt": ["a", "\ud800"], "index": "no number"}
    (folder / "in.jsonl").write_text("\n".join([*rows, json.dumps(strange), "{"]) + "\n")
    output = folder / "verified.jsonl"
    done = reexec(
        "verify", folder / "in.jsonl", "--functions", FUNCTIONS, "-o", output, "--usage", folder / "verified.usage.jsonl"
    )
    assert done.code == 1
    return output


def test_the_columns_are_those_that_others_rely_on() -> None:
    """By name, since programs of users read them: one that goes or is renamed is a break, and belongs into the changelog."""
    assert {table: set(columns) for table, columns in COLUMNS.items()} == {
        "rows": SAMPLE | {"turn", "line", "prompt", "output", "row"},
        "verdicts": SAMPLE | {"turn", "line", "verdict", "status", "message", "answer_style", "accepted"},
        "usage": {"turn", "id", "index", "verdict", "cpu_s", "wall_s", "peak_bytes", "attempts", "disagreed_with"},
        "drops": {"stage", "reason", "sentence", "file", "line", "origin", "text"},
    }


def test_records_have_the_columns_and_their_types(verified: Path) -> None:
    run = find_run(verified, any_stage=True)
    kinds = {"string": str, "int32": int, "int64": int, "float64": float, "bool": bool}
    for table, columns in COLUMNS.items():
        found = list(records(run, table))
        assert found, table
        for record in found:
            assert list(record) == list(columns)
            for name, value in record.items():
                assert value is None or type(value) is kinds[columns[name]], (table, name, value)
                if isinstance(value, str):
                    value.encode()


def test_tables_say_what_the_files_say(verified: Path) -> None:
    run = find_run(verified, any_stage=True)
    lines = [json.loads(line) for line in verified.read_text().splitlines()]
    verdicts = list(records(run, "verdicts"))
    assert [row["verdict"] for row in verdicts] == [line["verdict"] for line in lines]
    assert [row["message"] for row in verdicts] == [line["res"]["message"] for line in lines]
    assert [row["accepted"] for row in verdicts] == [line["verdict"] == "accepted" for line in lines]
    rows = list(records(run, "rows"))
    assert [json.loads(row["row"]) for row in rows] == lines
    assert (rows[-1]["prompt"], rows[-1]["index"]) == ('["a", "\\ud800"]', None)
    assert len(list(records(run, "usage"))) == len(lines)
    assert [(row["stage"], row["line"]) for row in records(run, "drops")] == [("verify", 42)]


def test_arrow_takes_them(verified: Path) -> None:
    if subprocess.run([sys.executable, "-c", "import pyarrow"], capture_output=True, check=False).returncode:
        lacking("a pyarrow that can be imported (it needs more addresses)")
    tables = read_run(verified)
    for name, columns in COLUMNS.items():
        table = getattr(tables, name)
        assert table.column_names == list(columns)
        assert table.to_pylist() == list(records(find_run(verified), name))


def test_what_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nix: no such file or folder"):
        list(records(find_run(tmp_path / "nix", any_stage=True), "rows"))
