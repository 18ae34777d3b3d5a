"""The revise stage: what failed, asked again with the feedback.

Reads verified rows of any turn. A failed one becomes a row whose messages are those of the failed turn, grown by the model's
answer and the feedback on it. Accepted rows need no further turn, and rows on which the engine failed say nothing about the
answer: both are counted and left out.
"""

from typing import Any

from ..records.turns import FIELDS, Turn, messages_of, read_turn, revision_id
from ..rows.row import Result, Row
from ..rows.text import BadRowError, dump_line
from ..settings import Settings, Templates
from ..stage import Stage
from ..texts import Entry, TextsFile

_KEPT = ("itemid", "ioid", "io_pred", "function_id", "pair_id")


class ReviseSettings(Settings):
    templates: Templates = None


class Revise(Stage[ReviseSettings]):
    """Counts rows to retry by what they had failed by (`verdicts`), `accepted` ones, and those that are `unchecked`:
    they ended as engine-error, and are to be verified again."""

    name = "revise"
    reads = ("output", "verdict", "res", *FIELDS)
    settings_type = ReviseSettings
    texts_file = TextsFile("revise.toml", {"output.text": Entry(("message",)), "input.text": Entry(("message",))})
    numbers = ("accepted", "unchecked")
    tallies = ("verdicts",)

    def row(self, row: Row) -> Result:
        """Words: `revise`, `accepted`, `engine-error`."""
        turn = read_turn(row.data)
        if turn.accepted or not turn.checked:
            return Result(row, (turn.verdict,), counts={"accepted" if turn.accepted else "unchecked": 1})
        asked = dump_line(self._next_row(row.data, turn))
        return Result(row, ("revise",), [asked], counts={"rows": 1, "verdicts": {turn.verdict: 1}})

    def _next_row(self, row: dict[str, Any], turn: Turn) -> dict[str, Any]:
        io_pred = row.get("io_pred")
        if io_pred not in ("i", "o"):
            raise BadRowError('io_pred must be "i" or "o", at $.io_pred')
        tries, errors = row.get("retry_count", 0), row.get("history_errors", [])
        if type(tries) is not int or tries < 0:
            raise BadRowError("retry_count must be a whole number from 0, at $.retry_count")
        if not isinstance(errors, list):
            raise BadRowError("history_errors must be an array, at $.history_errors")
        text = self.texts.fill("output.text" if io_pred == "o" else "input.text", message=turn.feedback).strip()
        messages = [
            *messages_of(row),
            {"role": "assistant", "content": turn.text},
            {"role": "user", "content": text},
        ]
        return {
            "id": revision_id(turn, tries + 2),
            # Of the first turn. The response to this row gets an index of its own, hence two names.
            "original_id": row.get("original_id", turn.given_id),
            "original_index": row.get("original_index", turn.index),
            "index": turn.index,
            "messages": messages,
            "retry_count": tries + 1,
            "history_errors": [*errors, turn.feedback],
            **{name: row[name] for name in _KEPT if name in row},
            "provenance": row.get("provenance", {}),
        }


revise = Revise.run
