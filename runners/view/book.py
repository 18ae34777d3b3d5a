"""An index as it is read: rows that a reader chose, counted and in order, and where each lies. Its methods may be called by
several threads."""

import json
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reexec.engine.errors import UsageError

from .build import resources
from .folders import ABOUT, INDEX, WORDS
from .query import SORTS, Filters
from .words import Segment, Words

Numbers = npt.NDArray[np.int32]
_KEPT = 12
_COLUMNS = (
    "n, turn, file, stage, verdict, direction, function, reason, line, start, length, cpu_s, peak, "
    "coalesce(functions.id, ''), coalesce(label, '')"
)
_FROM = "from rows left join functions on rows.function = functions.number"


@dataclass(frozen=True, slots=True)
class Place:
    """A row as the index knows it. `cpu_s` and `peak` (bytes) are None where nothing was executed."""

    n: int
    turn: int
    file: int
    stage: str
    verdict: str
    direction: str
    function: int
    reason: str
    line: int
    start: int
    length: int
    cpu_s: float | None
    peak: int | None
    function_id: str
    label: str


class Book:
    def __init__(self, folder: Path) -> None:
        """Raises UsageError where the index cannot be read."""
        import duckdb

        try:
            about = json.loads((folder / ABOUT).read_text())
            config = {**resources(), "enable_external_access": False, "lock_configuration": True}
            self._connection = duckdb.connect(str(folder / INDEX), read_only=True, config=config)
            self._words = Words(folder / WORDS, [Segment(*segment) for segment in about["segments"]])
        except (OSError, ValueError, KeyError, TypeError, duckdb.Error) as error:
            raise UsageError(f"{folder}: the index cannot be read ({error}); remove the folder") from None
        self.rows: int = about["rows"]
        self.notes: list[str] = about["notes"]
        self._files = [_Held(folder, file) for file in about["files"]]
        self._kept: OrderedDict[Any, Any] = OrderedDict()
        self._lock = threading.Lock()

    def sql(self, query: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            return cursor.execute(query, list(values)).fetchall()

    def column(self, query: str, values: Iterable[Any] = ()) -> npt.NDArray[Any]:
        """The one column of a query."""
        with self._connection.cursor() as cursor:
            (found,) = cursor.execute(query, list(values)).fetchnumpy().values()
            return np.ma.compressed(found)

    def choose(self, filters: Filters) -> Numbers:
        """The rows' numbers, in the order that is asked for."""
        ordered: Numbers = self.kept(("order", filters.without("text")), lambda: self._ordered(filters))
        if not filters.text:
            return ordered
        holding = self.kept(("text", filters.text), lambda: self._words.find(filters.text))
        chosen: Numbers = ordered[holding[ordered]]
        return chosen

    def _ordered(self, filters: Filters) -> Numbers:
        where, values = filters.where()
        if where == "true" and not filters.sort:
            return np.arange(self.rows, dtype=np.int32)
        found: Numbers = self.column(f"select n {_FROM} where {where} order by {SORTS[filters.sort][1]}", values)
        return found

    def places(self, numbers: Numbers | list[int]) -> list[Place]:
        """Of some rows, in the order of their numbers here."""
        if not len(numbers):
            return []
        listed = ", ".join(str(int(number)) for number in numbers)
        found = {row[0]: Place(*row) for row in self.sql(f"select {_COLUMNS} {_FROM} where n in ({listed})")}
        return [found[int(number)] for number in numbers]

    def path_of(self, place: Place) -> Path:
        return self._files[place.file].path

    def line_of(self, place: Place) -> bytes:
        """The row's line, as the file has it now; empty where the file cannot be read there."""
        return self._files[place.file].read(place.start, place.length)

    def kept(self, key: Any, make: Callable[[], Any]) -> Any:
        """The last results stay, so that a reader who turns pages asks for each once."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return made

    def close(self) -> None:
        self._connection.close()
        self._words.close()
        for file in self._files:
            file.close()


class _Held:
    """A file of rows, opened when it is first needed: an index that is replaced is still read to its end."""

    def __init__(self, folder: Path, about: dict[str, str]) -> None:
        self.path = Path(about["path"])
        self._content = folder / about["content"] if about["content"] else self.path
        try:
            self._file = os.open(self._content, os.O_RDONLY)
        except OSError:
            self._file = -1

    def read(self, start: int, length: int) -> bytes:
        try:
            return os.pread(self._file, length, start) if self._file >= 0 else b""
        except OSError:
            return b""

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
