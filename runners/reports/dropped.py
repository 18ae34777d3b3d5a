"""Rows that the stages of a run left out, one by one, each with its reason and the raw file that it came from."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..rows.source import read_lines
from ..rows.text import BadRowError, parse_row
from .sources import Losses, RunFiles

_VARYING = re.compile(r"\d+|'[^']*'")


@dataclass(frozen=True, slots=True)
class Dropped:
    stage: str
    reason: str
    """The kind of its reason: what differs from row to row is left out of it."""
    sentence: str
    """The reason itself."""
    file: str
    line: int
    """Where the stage read the row; 0 where its record does not say."""
    origin: str
    """The raw file that the row comes from, where the row says so."""
    text: Any
    """The row's own text, unless it was long."""
    record: bytes
    """The line of the rejects."""
    number: int
    """Its line there."""

    @property
    def place(self) -> str:
        """Where a person finds it: the raw file, and the line that the stage read."""
        read = f"{self.file}, line {self.line}" if self.file else f"line {self.number} of the rejects"
        return f"{self.origin} ({read})" if self.origin else read


def dropped(run: RunFiles, stage: str = "", reason: str = "") -> Iterator[Dropped]:
    """In the order of the stages and files. `stage` and `reason` choose: the stage's name; what the reason begins with."""
    for losses in run.losses:
        if stage in ("", losses.stage):
            yield from (row for row in dropped_by(losses) if row.reason.startswith(reason) or row.sentence.startswith(reason))


def dropped_by(losses: Losses) -> Iterator[Dropped]:
    for number, line in read_lines(losses.rejects):
        try:
            yield dropped_row(losses, number, line)
        except BadRowError:
            continue


def dropped_row(losses: Losses, number: int, line: bytes) -> Dropped:
    """What a line of the rejects says. Raises BadRowError."""
    row = parse_row(line)
    sentence, text, at = str(row.get("reason", "")), row.get("text"), row.get("line")
    kind = sentence.partition(":")[0] if losses.drops is not None else _VARYING.sub("...", sentence)
    place = at if isinstance(at, int) else 0
    return Dropped(losses.stage, kind, sentence, str(row.get("file", "")), place, origin_of(text), text, line, number)


def origin_of(text: Any) -> str:
    """`path` or `blob_id` of the raw file, out of the rejected row's own text."""
    try:
        row = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return ""
    if not isinstance(row, dict):
        return ""
    provenance = row.get("provenance")
    holders = [provenance, row] if isinstance(provenance, dict) else [row]
    for holder in holders:
        for name in ("path", "max_stars_repo_path", "blob_id"):
            if isinstance(holder.get(name), str):
                repo = holder.get("repo_name")
                return f"{repo}: {holder[name]}" if isinstance(repo, str) else str(holder[name])
    return ""
