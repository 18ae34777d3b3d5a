"""Rows as their files have them: one line each in a list, or all of it."""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError

from ..records.functions import FunctionStore
from ..reports import RunFiles
from ..reports.dropped import dropped_row
from ..reports.figures import Failure, cut, failure_of, rule_of
from ..reports.sources import Losses
from ..rows.text import BadRowError, parse_row
from .book import Book, Place
from .build import LEFT_OUT, UNREADABLE

TOLD_CHARACTERS = 160
PAGE_CHARACTERS = 200_000
CHANGED = "The file has changed since it was read: the row does not lie there any more."


@dataclass(frozen=True, slots=True)
class Listed:
    place: Place
    where: str
    """For a row that was left out: the raw file and the line that the stage read."""
    told: str
    """The beginning of the feedback, or the reason."""


@dataclass(frozen=True, slots=True)
class Detail:
    place: Place
    file: str
    verified: Failure | None = None
    source: str = ""
    """The function's program."""
    sentence: str = ""
    """Why the row was left out, or cannot be read."""
    where: str = ""
    text: str = ""
    """The row itself, or its line."""
    fault: str = ""


class Details:
    """Looks rows up in the files of a run."""

    def __init__(self, run: RunFiles, book: Book) -> None:
        self._run, self._book = run, book
        self._stores: dict[Path, FunctionStore | None] = {}
        self._lock = threading.Lock()
        for turn in run.turns:
            self._store(turn.functions)  # now, because it reads the file once, and no page may wait for that

    def listed(self, place: Place) -> Listed:
        line = self._book.line_of(place)
        try:
            if place.verdict == UNREADABLE:
                return Listed(place, "", place.reason)
            if place.verdict == LEFT_OUT:
                row = dropped_row(self._losses(place.stage), place.line, line)
                return Listed(place, row.place, cut(row.sentence, TOLD_CHARACTERS))
            return Listed(place, "", cut(_message(parse_row(line)), TOLD_CHARACTERS))
        except BadRowError:
            return Listed(place, "", CHANGED)

    def whole(self, place: Place) -> Detail:
        line = self._book.line_of(place)
        file = str(self._book.path_of(place))
        text = cut(line.decode("utf-8", "replace"), PAGE_CHARACTERS)
        if place.verdict == UNREADABLE:
            return Detail(place, file, sentence=_why(line) or place.reason, text=text)
        try:
            if place.verdict == LEFT_OUT:
                row = dropped_row(self._losses(place.stage), place.line, line)
                own = cut(row.text, PAGE_CHARACTERS) if isinstance(row.text, str) else text
                return Detail(place, file, sentence=row.sentence, where=row.place, text=own)
            return self._verified(place, file, parse_row(line), text)
        except BadRowError:
            return Detail(place, file, text=text, fault=CHANGED)

    def _verified(self, place: Place, file: str, row: dict[str, Any], text: str) -> Detail:
        turn = next(turn for turn in self._run.turns if turn.turn == place.turn)
        direction: Any = place.direction
        with self._lock:
            store = self._store(turn.functions)
            failure = failure_of(
                place.turn, place.verdict, direction, place.line, row, place.label, store, rule_of(turn), PAGE_CHARACTERS
            )
            source = ""
            position = store.position_of(place.function_id) if store is not None else None
            if store is not None and position is not None:
                source = cut(store.at(position).program.source, PAGE_CHARACTERS)
        return Detail(place, file, failure, source, text=text)

    def _store(self, functions: Path | None) -> FunctionStore | None:
        """Opened once for all turns; positions come from the index, which has looked at every function."""
        if functions is None or functions in self._stores:
            return self._stores.get(functions) if functions is not None else None
        try:
            store = FunctionStore(functions)
        except UsageError:  # noted by the index
            self._stores[functions] = None
            return None
        turns = [turn.turn for turn in self._run.turns if turn.functions == functions]
        known = self._book.sql("select id, position from functions where position >= 0 and list_contains(?, seen_in)", (turns,))
        store.learn(dict(known))
        self._stores[functions] = store
        return store

    def _losses(self, stage: str) -> Losses:
        return next(losses for losses in self._run.losses if losses.stage == stage)


def _message(row: dict[str, Any]) -> str:
    result = row.get("res")
    return str(result.get("message", "")) if isinstance(result, dict) else ""


def _why(line: bytes) -> str:
    try:
        parse_row(line)
    except BadRowError as error:
        return str(error)
    return ""
