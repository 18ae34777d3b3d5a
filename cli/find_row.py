"""The one row that a person means: by the beginning of its id, by its whole id, or by its line; among the rejects as well."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError
from reexec.runners.graders.problems import MOST_LINE_BYTES
from reexec.runners.rows.run import beside
from reexec.runners.rows.source import read_lines
from reexec.runners.rows.text import BadRowError, parse_row

REJECTS = ".rejects.jsonl"
_IDS = ("id", "task_id", "uid", "uuid", "row_id", "_id", "original_id")
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Found:
    row: dict[str, Any]
    rejected: bool
    """Whether it is a record of the rejects: `file`, `line`, `reason` and mostly the row's `text`."""


def output_of(path: Path) -> Path:
    """The output that a file of rejects lies beside; any other file itself."""
    name = path.name.removesuffix(REJECTS)
    return path if name == path.name else path.with_name(f"{name}.jsonl")


def find_row(path: Path, wanted: str) -> Found:
    """`wanted`: an id or how it begins, or :N for line N. Where the file has no such row, the rejects beside it are
    looked into. Raises UsageError, also where several rows are meant."""
    rejects = beside(path, "rejects.jsonl")
    places = [(path, output_of(path) != path)]
    if not places[0][1] and not wanted.startswith(":") and rejects.is_file():
        places.append((rejects, True))
    for place, rejected in places:
        found = list(_named(place, wanted, rejected))
        whole = [entry for entry in found if entry[0]]
        found = whole or found
        if len(found) == 1:
            return Found(found[0][2], rejected)
        if found:
            lines = ", ".join(f":{number}" for _, number, _ in found[:_SHOWN])
            said = f"{len(found)} rows have the id" if whole else f"the ids of {len(found)} rows begin with"
            raise UsageError(f"{place}: {said} {wanted!r} (lines {lines}); give {'' if whole else 'more of the id, or '}a line")
    raise UsageError(f"{path}: no row {wanted!r}; give the beginning of an `id`, or :N for line N")


def _named(path: Path, wanted: str, rejected: bool) -> Iterator[tuple[bool, int, dict[str, Any]]]:
    """(whether the whole id is given, line number, row)."""
    spelled = _spellings(wanted)
    for number, line in read_lines(path, MOST_LINE_BYTES):
        if wanted.startswith(":"):
            if wanted[1:] == str(number):
                yield True, number, _parse(path, number, line)
                return
        elif any(text in line for text in spelled):
            row = _parse(path, number, line)
            ids = _ids(_text_of(row) if rejected else row)
            if any(each.startswith(wanted) for each in ids):
                yield wanted in ids, number, row


def _spellings(wanted: str) -> list[bytes]:
    """How the id may stand in a line: as it is or escaped, and escaped once more in the text that a reject quotes."""
    once = json.dumps(wanted)[1:-1]
    found = {wanted, once, json.dumps(wanted, ensure_ascii=False)[1:-1], json.dumps(once)[1:-1]}
    return [text.encode("utf-8", "surrogatepass") for text in sorted(found)]


def _ids(row: dict[str, Any]) -> list[str]:
    return [str(row[name]) for name in _IDS if isinstance(row.get(name), str | int | float)]


def _text_of(record: dict[str, Any]) -> dict[str, Any]:
    """The row that a reject quotes, if it is one."""
    text = record.get("text")
    try:
        return parse_row(text.encode("utf-8", "replace")) if isinstance(text, str) else {}
    except BadRowError:
        return {}


def _parse(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        return parse_row(line)
    except BadRowError as error:
        raise UsageError(f"{path}, line {number}: {error}") from None
