"""The revise stage: what failed, asked again with the feedback.

Reads verified rows of any turn. A failed one becomes a row whose messages are those of the failed turn, grown by the model's
answer and the feedback on it. Accepted rows need no further turn, and rows on which the engine failed say nothing about the
answer: both are counted and left out.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..records.turns import BadTurnError, Turn, messages_of, read_turn, revision_id
from ..rows.run import Row, Selection, StageRun
from ..rows.text import dump
from ..texts import Entry, Texts

_ENTRIES = {"output.text": Entry(("message",)), "input.text": Entry(("message",))}
_KEPT = ("itemid", "ioid", "io_pred", "function_id", "pair_id")


@dataclass(slots=True)
class ReviseSummary:
    rows: int = 0
    """Rows to be asked again."""
    accepted: int = 0
    unchecked: int = 0
    """Rows that ended as engine-error: verify them again."""
    rejected: int = 0
    first_reject: str = ""
    unreadable: int = 0
    resumed_rows: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)
    """What the rows to be asked again had failed by."""

    @property
    def read(self) -> int:
        return self.rows + self.accepted + self.unchecked


class ReviseTemplate:
    """The texts of revise.toml, ours or that of a folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self.texts = Texts("revise.toml", _ENTRIES, folder)

    def text(self, io_pred: str, message: str) -> str:
        return self.texts.fill("output.text" if io_pred == "o" else "input.text", message=message).strip()


def revise(
    verified_path: Path,
    output_path: Path,
    *,
    template: ReviseTemplate | None = None,
    selection: Selection | None = None,
    overwrite: bool = False,
    on_row: Callable[[str], None] | None = None,
    on_resume: Callable[[int], None] | None = None,
) -> ReviseSummary:
    """Writes the next turn's messages. `on_row` is told `revise`, `accepted`, `engine-error` or `rejected`.

    Raises UsageError where nothing could be read or written.
    """
    template = template or ReviseTemplate()
    run = StageRun(
        "revise",
        verified_path,
        output_path,
        key={"templates": template.texts.digest},
        facts={"template": str(template.texts.path)},
        selection=selection,
        overwrite=overwrite,
    )
    counts = run.progress.counts
    for name in ("rejected", "rows", "accepted", "unchecked"):
        counts.setdefault(name, 0)
    verdicts: dict[str, int] = counts.setdefault("verdicts", {})
    if on_resume is not None and run.resumed_lines:
        on_resume(run.resumed_lines)
    run.open()
    state = "interrupted"
    try:
        for row in run.rows():
            word = _one(row, run, template, counts, verdicts)
            if on_row is not None:
                on_row(word)
        state = "done"
    finally:
        run.close(state)
    if run.fault is not None:
        raise run.fault
    return ReviseSummary(
        rows=counts["rows"],
        accepted=counts["accepted"],
        unchecked=counts["unchecked"],
        rejected=counts["rejected"],
        first_reject=counts.get("first_reject", ""),
        unreadable=counts.get("unreadable", 0),
        resumed_rows=run.resumed_lines,
        verdicts=dict(sorted(verdicts.items(), key=lambda item: (-item[1], item[0]))),
    )


def _one(row: Row, run: StageRun, template: ReviseTemplate, counts: dict[str, Any], verdicts: dict[str, int]) -> str:
    try:
        if row.fault is not None:
            raise BadTurnError(row.fault)
        turn = read_turn(row.data)
        asked = None if turn.accepted or not turn.checked else _next_row(row.data, turn, template)
    except BadTurnError as error:
        run.reject(row, str(error))
        return "rejected"
    run.begin()
    if asked is None:
        counts["accepted" if turn.accepted else "unchecked"] += 1
        run.write(row, [])
        return turn.verdict
    counts["rows"] += 1
    verdicts[turn.verdict] = verdicts.get(turn.verdict, 0) + 1
    run.write(row, [dump(asked).encode("ascii")])
    return "revise"


def _next_row(row: dict[str, Any], turn: Turn, template: ReviseTemplate) -> dict[str, Any]:
    io_pred = row.get("io_pred")
    if io_pred not in ("i", "o"):
        raise BadTurnError('io_pred must be "i" or "o", at $.io_pred')
    tries, errors = row.get("retry_count", 0), row.get("history_errors", [])
    if type(tries) is not int or tries < 0:
        raise BadTurnError("retry_count must be a whole number from 0, at $.retry_count")
    if not isinstance(errors, list):
        raise BadTurnError("history_errors must be an array, at $.history_errors")
    messages = [
        *messages_of(row),
        {"role": "assistant", "content": turn.text},
        {"role": "user", "content": template.text(io_pred, turn.feedback)},
    ]
    return {
        "id": revision_id(turn, tries + 2),
        # Of the first turn. The response to this row gets an index of its own, hence two names.
        "original_id": row.get("original_id", turn.id),
        "original_index": row.get("original_index", turn.index),
        "index": turn.index,
        "messages": messages,
        "retry_count": tries + 1,
        "history_errors": [*errors, turn.feedback],
        **{name: row[name] for name in _KEPT if name in row},
        "provenance": row.get("provenance", {}),
    }
