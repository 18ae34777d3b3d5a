"""The assemble stage as a run over the first turn's file; rows come in its order."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError

from ...records.turns import BadTurnError
from ...rows.run import Row, Selection, StageRun
from ...rows.text import BadRowError, dump, parse_row
from .later import LaterTurn
from .row import Conversation, conversation, same_digest, training_row

LEAST_COLUMNS = 2
"""Turns that a row has columns for at least: readers of the original's files want five fields."""


@dataclass(slots=True)
class AssembleSummary:
    rows: int = 0
    accepted: dict[str, int] = field(default_factory=dict)
    """Rows of the output by the turn that got it right, {"1": 500, "2": 80}."""
    failed: int = 0
    """Rows of the output whose last turn is wrong; those without a further turn included."""
    without_next_turn: int = 0
    """Rows of the output that failed and have no row in the next turn's file."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Conversations left out: unchecked (the engine failed on the first turn), failed, duplicate, over-cap."""
    other_samples: int = 0
    """Answers of later turns that another sample of the same prompt was preferred to."""
    unmatched: int | None = None
    """Rows of later turns that belong to no row of the first; None where only a part of the first was read."""
    rejected: int = 0
    first_reject: str = ""
    unreadable: int = 0
    resumed_rows: int = 0


def assemble(
    verified_paths: Sequence[Path],
    output_path: Path,
    *,
    turns: int | None = None,
    only_successes: bool = False,
    deduplicate: bool = False,
    max_per_function: int | None = None,
    selection: Selection | None = None,
    overwrite: bool = False,
    on_row: Callable[[str], None] | None = None,
    on_resume: Callable[[int], None] | None = None,
) -> AssembleSummary:
    """Ties the verified turns together, first turn's file first. `on_row` is told `accepted`, `failed`, the reason for
    which a conversation was left out, or `rejected`.

    Raises UsageError where nothing could be read or written, or a later turn's file holds lines that are no verified rows.
    """
    if not verified_paths:
        raise UsageError("no verified file to assemble")
    columns = max(LEAST_COLUMNS, len(verified_paths)) if turns is None else turns
    if columns < len(verified_paths):
        raise UsageError(f"turns {columns}: {len(verified_paths)} files of turns were given")
    if max_per_function is not None and max_per_function < 1:
        raise UsageError(f"max per function {max_per_function}: must be 1 or more")
    later = [LaterTurn(path) for path in verified_paths[1:]]
    for file in later:
        if file.unusable:
            raise UsageError(f"{file.first_fault} ({file.unusable} such lines)")
    chooser = _Chooser(later, columns, only_successes, deduplicate, max_per_function)
    run = StageRun(
        "assemble",
        verified_paths[0],
        output_path,
        key={
            "later turns": [file.digest for file in later],
            "columns": columns,
            "only successes": only_successes,
            "deduplicate": deduplicate,
            "max per function": max_per_function,
        },
        facts={"later turns": [str(path) for path in verified_paths[1:]]},
        selection=selection,
        overwrite=overwrite,
        also_read=tuple(verified_paths[1:]),
        on_consumed=chooser.note,
    )
    counts = run.progress.counts
    for name in ("rejected", "rows", "failed", "without_next_turn", "other_samples"):
        counts.setdefault(name, 0)
    counts.setdefault("accepted", {})
    counts.setdefault("dropped", {})
    if on_resume is not None and run.resumed_lines:
        on_resume(run.resumed_lines)
    run.open()
    state = "interrupted"
    try:
        for row in run.rows():
            word = _one(row, run, chooser, counts)
            if on_row is not None:
                on_row(word)
        state = "done"
    finally:
        run.close(state)
    if run.fault is not None:
        raise run.fault
    partial = selection is not None and (selection.limit is not None or selection.shard is not None)
    return AssembleSummary(
        rows=counts["rows"],
        accepted=dict(sorted(counts["accepted"].items(), key=lambda item: int(item[0]))),
        failed=counts["failed"],
        without_next_turn=counts["without_next_turn"],
        dropped=dict(sorted(counts["dropped"].items())),
        other_samples=counts["other_samples"],
        unmatched=None if partial else sum(file.unmatched for file in later),
        rejected=counts["rejected"],
        first_reject=counts.get("first_reject", ""),
        unreadable=counts.get("unreadable", 0),
        resumed_rows=run.resumed_lines,
    )


class _Chooser:
    """Which conversations become rows. What it remembers of those before is built anew from the input when a run goes on."""

    def __init__(
        self, later: list[LaterTurn], columns: int, only_successes: bool, deduplicate: bool, max_per_function: int | None
    ) -> None:
        self._later, self._columns = later, columns
        self._only_successes, self._deduplicate, self._cap = only_successes, deduplicate, max_per_function
        self._seen: set[bytes] = set()
        self._of_function: dict[str, int] = {}

    @property
    def later_turns(self) -> int:
        return len(self._later)

    def choose(self, row: dict[str, Any]) -> tuple[Conversation, dict[str, Any], str]:
        """(conversation, row, why it is left out or empty). Raises BadTurnError."""
        found = conversation(row, self._later)
        record = training_row(found, self._columns)
        return found, record, self._why_not(found, record)

    def _why_not(self, found: Conversation, record: dict[str, Any]) -> str:
        if not found.turns[0].checked:
            return "unchecked"
        if self._only_successes and not found.accepted:
            return "failed"
        if self._deduplicate:
            same = same_digest(record)
            if same in self._seen:
                return "duplicate"
            self._seen.add(same)
        if self._cap is not None and record["function_id"] is not None:
            function = str(record["function_id"])
            if self._of_function.get(function, 0) >= self._cap:
                return "over-cap"
            self._of_function[function] = self._of_function.get(function, 0) + 1
        return ""

    def note(self, _number: int, line: bytes) -> None:
        """A line that an earlier run has done."""
        with contextlib.suppress(BadRowError, BadTurnError):
            self.choose(parse_row(line))


def _one(row: Row, run: StageRun, chooser: _Chooser, counts: dict[str, Any]) -> str:
    try:
        if row.fault is not None:
            raise BadTurnError(row.fault)
        found, record, reason = chooser.choose(row.data)
    except BadTurnError as error:
        run.reject(row, str(error))
        return "rejected"
    run.begin()
    counts["other_samples"] += found.other_samples
    if reason:
        counts["dropped"][reason] = counts["dropped"].get(reason, 0) + 1
        run.write(row, [])
        return reason
    counts["rows"] += 1
    if found.accepted:
        turn = str(len(found.turns))
        counts["accepted"][turn] = counts["accepted"].get(turn, 0) + 1
    else:
        counts["failed"] += 1
        counts["without_next_turn"] += len(found.turns) <= chooser.later_turns
    run.write(row, [dump(record).encode("ascii")])
    return "accepted" if found.accepted else "failed"
