"""One pass over the files of a run into an index: DuckDB for what rows are filtered and sorted by, `words` for their texts. The
rows themselves stay where they are; of compressed files the index has a copy, so that any row can be read at once.

Whatever a file holds becomes rows: lines that cannot be read are rows, too, and a file that breaks off ends there with a note.
"""

import json
import os
import resource
from collections.abc import Callable, Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from reexec.engine.errors import UsageError

from ..digests import number_of
from ..records.functions import FunctionStore
from ..reports import RunFiles
from ..reports.dropped import dropped_row
from ..reports.figures import DIRECTIONS, label_of
from ..reports.sources import Losses, VerifiedFile
from ..rows.source import BROKEN, open_lines, read_places
from ..rows.text import BadRowError, parse_row
from .folders import ABOUT, INDEX, WORDS
from .words import Writer

if TYPE_CHECKING:
    import duckdb

LEFT_OUT = "left out"
UNREADABLE = "unreadable"
"""What a row is called that has no verdict."""
BATCH_ROWS = 8192
_TABLES = """
create table found (n integer, turn integer, file integer, stage varchar, verdict varchar, direction varchar,
    function integer, reason varchar, line bigint, start bigint, length integer, key ubigint);
create table usage (key ubigint, cpu_s double, peak bigint);
create table functions (number integer, id varchar, label varchar, seen_in integer, position bigint);
"""
_COLUMNS = ("n", "turn", "file", "stage", "verdict", "direction", "function", "reason", "line", "start", "length", "key")
_TYPES: dict[str, Any] = {
    "n": np.int32, "turn": np.int32, "file": np.int32, "function": np.int32, "line": np.int64, "start": np.int64,
    "length": np.int32, "key": np.uint64, "cpu_s": np.float64, "peak": np.int64, "number": np.int32,
    "seen_in": np.int32, "position": np.int64,
}  # fmt: skip


def stage_of(run: RunFiles, turn: int) -> str:
    """What the stage is called that verified a turn."""
    return f"verify-{turn}" if run.stages else "verify"


class StoppedError(Exception):
    """Nobody waits for the index any more."""


def resources() -> dict[str, Any]:
    """DuckDB's settings: small where a process may have few addresses, and nothing that it would fetch."""
    few = resource.getrlimit(resource.RLIMIT_AS)[1]
    is_small = few != resource.RLIM_INFINITY and few < 4 << 30
    fetching = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    if is_small:
        return {"threads": 1, "async_threads": 0, "memory_limit": "40MB", **fetching}
    return {"threads": min(4, len(os.sched_getaffinity(0))), "memory_limit": "1GB", **fetching}


def build(run: RunFiles, folder: Path, tell: Callable[[], None]) -> None:
    """Writes the index into `folder`, which exists. `tell` is called for each row, and may raise to stop."""
    import duckdb

    connection = duckdb.connect(config={**resources(), "temp_directory": str(folder / "work")})
    try:
        quoted = str(folder / INDEX).replace("'", "''")
        connection.execute(f"attach '{quoted}' as book (row_group_size 16384)")
        connection.execute("use book")
        connection.execute(_TABLES)
        _Building(connection, folder, tell).all_of(run)
    finally:
        connection.close()


class _Building:
    def __init__(self, connection: "duckdb.DuckDBPyConnection", folder: Path, tell: Callable[[], None]) -> None:
        self._connection, self._folder, self._tell = connection, folder, tell
        self._words = Writer(folder / WORDS)
        self._rows: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
        self._count = 0
        self._functions: dict[str, int] = {}
        self._known: list[tuple[str, int, int]] = []
        """Label, turn and position in the turn's functions file, or -1."""
        self.files: list[dict[str, str]] = []
        self.notes: list[str] = []

    def all_of(self, run: RunFiles) -> None:
        for turn in run.turns:
            self._turn(turn, stage_of(run, turn.turn))
        for losses in run.losses:
            self._losses(losses)
        self._insert("found", self._rows)
        self._words.close()
        self._functions_are_known()
        self._connection.execute(
            "create table rows as select found.* exclude (key), cpu_s, peak from found left join "
            "(select key, max(cpu_s) as cpu_s, max(peak) as peak from usage group by key) using (key); "
            "drop table found; drop table usage; checkpoint"
        )
        segments = [[s.first, s.rows, s.offset, s.text_bytes, s.words, s.pairs] for s in self._words.segments]
        about = {"rows": self._count, "files": self.files, "notes": self.notes, "segments": segments}
        (self._folder / ABOUT).write_text(json.dumps(about))

    def _turn(self, file: VerifiedFile, stage: str) -> None:
        store = self._store(file)
        for number, start, line in self._lines(file.path):
            try:
                row = parse_row(line)
                word = row.get("verdict")
                if not isinstance(word, str) or not word:
                    raise BadRowError("no verdict")
            except BadRowError as error:
                self._damaged(file.turn, stage, number, start, line, str(error))
                continue
            function = self._function(file.turn, str(row.get("function_id", "")), store)
            direction = DIRECTIONS.get(str(row.get("io_pred")), "output")
            key = number_of(f"{file.turn} {row.get('id', '')}")
            self._add(file.turn, stage, word, direction, function, "", number, start, line, key)
            self._words.add(_searched(row))
        if file.usage is not None:
            self._usage(file.turn, file.usage)

    def _losses(self, losses: Losses) -> None:
        for number, start, line in self._lines(losses.rejects):
            try:
                row = dropped_row(losses, number, line)
            except BadRowError as error:
                self._damaged(0, losses.stage, number, start, line, str(error))
                continue
            self._add(0, losses.stage, LEFT_OUT, "", -1, row.reason, number, start, line, 0)
            text = row.text if isinstance(row.text, str) else ""
            self._words.add(f"{row.sentence}\n{row.origin}\n{row.file}\n{text}")

    def _usage(self, turn: int, path: Path) -> None:
        found: dict[str, list[Any]] = {"key": [], "cpu_s": [], "peak": []}
        for _, _, line in self._pieces(path):
            try:
                row = parse_row(line)
            except BadRowError:
                continue
            cpu_s, peak = row.get("cpu_s"), row.get("peak_bytes")
            if isinstance(cpu_s, int | float) and isinstance(peak, int) and 0 <= cpu_s < 1e12 and 0 <= peak < 1 << 63:
                for name, value in (("key", number_of(f"{turn} {row.get('id', '')}")), ("cpu_s", cpu_s), ("peak", peak)):
                    found[name].append(value)
            if len(found["key"]) >= BATCH_ROWS:
                self._insert("usage", found)
        self._insert("usage", found)

    # -- files ------------------------------------------------------------------------------------------------

    def _lines(self, path: Path) -> Iterator[tuple[int, int, bytes]]:
        """Lines with their places in a file that can be read anywhere, which is noted in `files`."""
        place = path
        if path.suffix in (".gz", ".zst"):
            place = self._folder / f"content-{len(self.files)}"
            try:
                with open_lines(path) as packed, open(place, "wb") as copy:
                    while piece := cast(BufferedIOBase, packed).read1(1 << 17):  # what is there, before the file breaks off
                        copy.write(piece)
            except BROKEN as error:
                self.notes.append(f"{path.name}: the file breaks off ({error}); what stands before that is shown")
        self.files.append({"path": str(path.absolute()), "content": place.name if place != path else ""})
        yield from self._pieces(place)

    def _pieces(self, path: Path) -> Iterator[tuple[int, int, bytes]]:
        try:
            yield from read_places(path)
        except UsageError as error:
            self.notes.append(str(error))

    def _store(self, file: VerifiedFile) -> FunctionStore | None:
        try:
            return FunctionStore(file.functions) if file.functions is not None else None
        except UsageError as error:
            self.notes.append(str(error))
            return None

    # -- rows -------------------------------------------------------------------------------------------------

    def _function(self, turn: int, function_id: str, store: FunctionStore | None) -> int:
        number = self._functions.get(function_id)
        if number is None:
            number = self._functions[function_id] = len(self._functions)
            position = store.position_of(function_id) if store is not None else None
            self._known.append((label_of(function_id, store), turn, -1 if position is None else position))
        return number

    def _functions_are_known(self) -> None:
        labels, turns, positions = map(list, zip(*self._known, strict=True)) if self._known else ([], [], [])
        numbers: list[Any] = list(range(len(labels)))
        columns = {"number": numbers, "id": list(self._functions), "label": labels, "seen_in": turns, "position": positions}
        self._insert("functions", columns)

    def _damaged(self, turn: int, stage: str, number: int, start: int, line: bytes, why: str) -> None:
        self._add(turn, stage, UNREADABLE, "", -1, why.partition(":")[0], number, start, line, 0)
        self._words.add(line.decode("utf-8", "replace"))

    def _add(
        self, turn: int, stage: str, verdict: str, direction: str, function: int, reason: str,
        line: int, start: int, text: bytes, key: int,
    ) -> None:  # fmt: skip
        file, length = len(self.files) - 1, len(text)
        values = (self._count, turn, file, stage, verdict, direction, function, reason, line, start, length, key)
        for column, value in zip(self._rows.values(), values, strict=True):
            column.append(value)
        self._count += 1
        self._tell()
        if len(self._rows["n"]) >= BATCH_ROWS:
            self._insert("found", self._rows)

    def _insert(self, table: str, columns: dict[str, list[Any]]) -> None:
        batch = {name: _array(name, values) for name, values in columns.items()}
        if len(next(iter(batch.values()))):
            self._connection.execute(f"insert into {table} select * from batch")  # noqa: S608 - names of ours
        for values in columns.values():
            values.clear()


def _array(name: str, values: list[Any]) -> Any:
    kind = _TYPES.get(name)
    if kind is not None:
        return np.array(values, kind)
    return np.array([value.encode("utf-8", "replace").decode() for value in values], object)


def _searched(row: dict[str, Any]) -> str:
    """What a verified row is searched by: its id, the feedback and the answer."""
    result, text = row.get("res"), row.get("output")
    told = result.get("message", "") if isinstance(result, dict) else ""
    return f"{row.get('id', '')}\n{told}\n{text if isinstance(text, str) else ''}"
