"""A run as tables: rows, verdicts, usage and drops as Arrow, for whoever looks at results in a notebook.

tables = reexec.read_run("run")
tables.verdicts.to_pandas().groupby(["turn", "verdict"]).size()
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..extras import missing_extra
from ..rows.source import read_lines
from ..rows.text import BadRowError, dump, parse_row
from .dropped import dropped
from .sources import RunFiles, find_run

if TYPE_CHECKING:
    import pyarrow

BATCH_ROWS = 10_000
_SAMPLE = {"id": "string", "index": "int64", "function_id": "string", "pair_id": "string", "io_pred": "string"}
COLUMNS: dict[str, dict[str, str]] = {
    "rows": {"turn": "int32", "line": "int64", **_SAMPLE, "prompt": "string", "output": "string", "row": "string"},
    "verdicts": {
        "turn": "int32", "line": "int64", **_SAMPLE, "verdict": "string", "status": "string", "message": "string",
        "answer_style": "string", "accepted": "bool",
    },
    "usage": {
        "turn": "int32", "id": "string", "index": "int64", "verdict": "string", "cpu_s": "float64", "wall_s": "float64",
        "peak_bytes": "int64", "attempts": "int32", "disagreed_with": "string",
    },
    "drops": {
        "stage": "string", "reason": "string", "sentence": "string", "file": "string", "line": "int64", "origin": "string",
        "text": "string",
    },
}  # fmt: skip
"""Columns by table, with Arrow's names of their types."""

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunTables:
    """The tables of a run; `to_pandas()` makes a frame of each."""

    rows: "pyarrow.Table"
    """A judged row each: what was asked and answered, and in `row` all of it as JSON."""
    verdicts: "pyarrow.Table"
    """In the same order: word, status and feedback."""
    usage: "pyarrow.Table"
    """Seconds and bytes of each check that ran, where a usage file was written."""
    drops: "pyarrow.Table"
    """A row each that a stage left out, with the reason and the place."""


def read_run(path: str | Path) -> RunTables:
    """The tables of a pipeline's folder, or of a file that `reexec verify` wrote. They are read into memory. Raises UsageError
    where there is no such run, or pyarrow is missing."""
    try:
        import pyarrow
    except ImportError:
        raise missing_extra("a table", "parquet") from None
    run = find_run(Path(path), any_stage=True)

    def table(name: str) -> "pyarrow.Table":
        schema = pyarrow.schema([(column, pyarrow.type_for_alias(kind)) for column, kind in COLUMNS[name].items()])
        batches, pending = [], []
        for record in records(run, name):
            pending.append(record)
            if len(pending) >= BATCH_ROWS:
                batches.append(pyarrow.RecordBatch.from_pylist(pending, schema))
                pending = []
        if pending:
            batches.append(pyarrow.RecordBatch.from_pylist(pending, schema))
        return pyarrow.Table.from_batches(batches, schema)

    return RunTables(table("rows"), table("verdicts"), table("usage"), table("drops"))


def records(run: RunFiles, table: str) -> Iterator[Record]:
    """The records of one table, with its columns, as plain values of their types; None where a row lacks one."""
    source = {"rows": _rows, "verdicts": _verdicts, "usage": _usage, "drops": _drops}[table]
    columns = COLUMNS[table]
    for record in source(run):
        yield {name: _as(kind, record.get(name)) for name, kind in columns.items()}


def _verified(run: RunFiles) -> Iterator[Record]:
    for turn in run.turns:
        for number, line in read_lines(turn.path):
            try:
                yield {"turn": turn.turn, "line": number, "own": parse_row(line)}
            except BadRowError:
                continue


def _rows(run: RunFiles) -> Iterator[Record]:
    for found in _verified(run):
        own = found["own"]
        yield {**{name: own.get(name) for name in (*_SAMPLE, "prompt", "output")}, **found, "row": dump(own)}


def _verdicts(run: RunFiles) -> Iterator[Record]:
    for found in _verified(run):
        own = found["own"]
        told = own.get("res") if isinstance(own.get("res"), dict) else {}
        own_columns = {name: own.get(name) for name in (*_SAMPLE, "verdict", "answer_style")}
        yield {
            **own_columns,
            **found,
            "status": told.get("status"),
            "message": told.get("message"),
            "accepted": own.get("verdict") == "accepted",
        }


def _usage(run: RunFiles) -> Iterator[Record]:
    for turn in run.turns:
        if turn.usage is None:
            continue
        for _, line in read_lines(turn.usage):
            try:
                yield {**parse_row(line), "turn": turn.turn}
            except BadRowError:
                continue


def _drops(run: RunFiles) -> Iterator[Record]:
    for row in dropped(run):
        yield {
            "stage": row.stage,
            "reason": row.reason,
            "sentence": row.sentence,
            "file": row.file,
            "line": row.line or None,
            "origin": row.origin,
            "text": row.text,
        }


def _as(kind: str, value: Any) -> Any:
    """A value of a column's type; rows are the users' own, and may hold anything there."""
    if value is None:
        return None
    if kind == "string":
        text = value if isinstance(value, str) else dump(value)
        return text.encode("utf-8", "replace").decode()  # Arrow's texts have no lone surrogates
    if kind == "bool":
        return bool(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if kind == "float64":
        return float(value)
    most = 1 << (31 if kind == "int32" else 63)
    return value if isinstance(value, int) and -most <= value < most else None
