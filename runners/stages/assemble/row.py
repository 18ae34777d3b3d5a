"""One training row: `prompt, turn_1, feedback_1, turn_2, feedback_2, ...` and what binds it to its origin."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...digests import key_of
from ...records.turns import Turn, asked_in, messages_of, read_turn, revision_id
from ...rows.text import BadRowError
from .later import LaterTurn


@dataclass(frozen=True, slots=True)
class Conversation:
    """The turns that belong together, the first one first. A later turn is there where the one before it failed and was
    asked again."""

    row: dict[str, Any]
    turns: tuple[Turn, ...]
    other_samples: int = 0
    """Answers of later turns that another sample was preferred to."""

    @property
    def accepted(self) -> bool:
        return self.turns[-1].accepted


def conversation(row: dict[str, Any], later: Sequence[LaterTurn]) -> Conversation:
    """Follows a first turn through the later ones. Of several samples of a later turn the first accepted one counts, else
    the first; a row on which the engine failed counts as missing. Raises BadRowError."""
    turns, others = [read_turn(row)], 0
    if row.get("original_id") is not None:
        raise BadRowError("a row of a later turn; the first turn's file comes first, at $.original_id")
    for number, file in enumerate(later, start=2):
        if turns[-1].accepted or not turns[-1].checked:
            break
        found = [turn for _, turn in file.find(revision_id(turns[-1], number))]
        checked = [turn for turn in found if turn.checked]
        if not checked:
            break
        turns.append(next((turn for turn in checked if turn.accepted), checked[0]))
        others += len(found) - 1
    return Conversation(row, tuple(turns), others)


def training_row(found: Conversation, columns: int) -> dict[str, Any]:
    """Raises BadRowError where the row does not say what was asked."""
    row, first = found.row, found.turns[0]
    asked = asked_in(messages_of(row))
    record: dict[str, Any] = {"prompt": asked.prompt}
    for number in range(columns):
        turn = found.turns[number] if number < len(found.turns) else None
        record[f"turn_{number + 1}"] = turn.text if turn else None
        record[f"feedback_{number + 1}"] = turn.feedback if turn else None
    if asked.system:
        record["system"] = asked.system
    if asked.history:
        record["history"] = [list(exchange) for exchange in asked.history]
    reasoning = [turn.reasoning for turn in found.turns]
    if any(thought is not None for thought in reasoning):
        record["reasoning"] = reasoning
    record.update(
        id=first.given_id,
        index=first.index,
        io_pred=row.get("io_pred"),
        function_id=row.get("function_id"),
        pair_id=row.get("pair_id"),
        verdicts=[turn.verdict for turn in found.turns],
        provenance=row.get("provenance", {}),
    )
    return record


def same_key(record: dict[str, Any]) -> bytes:
    """Equal for rows with the same prompt and the same answers."""
    answers = (str(value) for name, value in record.items() if name.startswith("turn_") and value is not None)
    before = (text for exchange in record.get("history", ()) for text in exchange)
    return key_of(record["prompt"], *answers, *before)
