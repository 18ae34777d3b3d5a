"""The assemble stage as a run over the first turn's file; rows come in its order."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from reexec.engine.errors import UsageError

from ...records.turns import FIELDS
from ...rows.row import Result, Row
from ...rows.text import dump_line
from ...settings import Flag, Settings
from ...stage import Stage
from .later import LaterTurn
from .row import Conversation, conversation, same_key, training_row

LEAST_COLUMNS = 2
"""Turns that a row has columns for at least: readers of CodeI/O's files want five fields."""


class AssembleSettings(Settings):
    later: Annotated[tuple[Path, ...], Flag(argument=True, decides=False, by_pipeline=True)] = ()
    """The verified files of the second turn, the third, and so on."""
    turns: Annotated[
        int | None, Field(ge=1, description="Columns turn_1 to turn_N. [default: the files, at least 2]"), Flag(metavar="N")
    ] = None
    only_successes: Annotated[bool, Field(description="Leave out what no turn got right.")] = False
    deduplicate: Annotated[bool, Field(description="Leave out rows whose prompt and answers have come before.")] = False
    max_per_function: Annotated[int | None, Field(ge=1, description="At most N rows of a function."), Flag(metavar="N")] = None

    @property
    def columns(self) -> int:
        return max(LEAST_COLUMNS, 1 + len(self.later)) if self.turns is None else self.turns


class Assemble(Stage[AssembleSettings]):
    """Counts of the output's rows: `accepted` by the turn that got them right, `failed`, and failed without a row in the next
    turn's file (`without_next_turn`).

    `dropped` conversations are unchecked (the engine failed on the first turn), failed, duplicate or over-cap. `other_samples`
    are answers of later turns that another sample of the prompt was preferred to. `unmatched` rows of later turns belong to no
    row of the first; None where only a part of the first was read."""

    name = "assemble"
    reads = ("output", "verdict", "res", *FIELDS)
    settings_type = AssembleSettings
    numbers = ("failed", "without_next_turn", "other_samples")
    tallies = ("accepted", "dropped")

    def open(self, stack: ExitStack, executor: object) -> None:
        if self.settings.columns < 1 + len(self.settings.later):
            raise UsageError(f"turns {self.settings.columns}: {1 + len(self.settings.later)} files of turns were given")
        self._later = [LaterTurn(path) for path in self.settings.later]
        for file in self._later:
            if file.unusable:
                raise UsageError(f"{file.first_fault} ({file.unusable} such lines)")
        # What is remembered of the rows before; it is built anew from the input when a run goes on.
        self._known: set[bytes] = set()
        self._of_function: dict[str, int] = {}

    def key(self) -> dict[str, Any]:
        return {"turns": self.settings.columns, "later turns": [file.digest for file in self._later]}

    def facts(self) -> dict[str, Any]:
        return {"later turns": [str(path) for path in self.settings.later]}

    @property
    def also_read(self) -> tuple[Path, ...]:
        return self.settings.later

    def note(self, row: Row) -> None:
        self._choose(row.data)

    def row(self, row: Row) -> Result:
        """Words: `accepted`, `failed`, or why a conversation is left out."""
        found, record, reason = self._choose(row.data)
        others = {"other_samples": found.other_samples}
        if reason:
            return Result(row, (reason,), counts={**others, "dropped": {reason: 1}})
        line = [dump_line(record)]
        if found.accepted:
            return Result(row, ("accepted",), line, counts={**others, "rows": 1, "accepted": {str(len(found.turns)): 1}})
        missing = len(found.turns) <= len(self._later)
        return Result(row, ("failed",), line, counts={**others, "rows": 1, "failed": 1, "without_next_turn": int(missing)})

    def _choose(self, row: dict[str, Any]) -> tuple[Conversation, dict[str, Any], str]:
        """(conversation, row, why it is left out or empty). Raises BadRowError."""
        found = conversation(row, self._later)
        record = training_row(found, self.settings.columns)
        return found, record, self._why_not(found, record)

    def _why_not(self, found: Conversation, record: dict[str, Any]) -> str:
        if not found.turns[0].checked:
            return "unchecked"
        if self.settings.only_successes and not found.accepted:
            return "failed"
        if self.settings.deduplicate:
            same = same_key(record)
            if same in self._known:
                return "duplicate"
            self._known.add(same)
        cap = self.settings.max_per_function
        if cap is not None and record["function_id"] is not None:
            function = str(record["function_id"])
            if self._of_function.get(function, 0) >= cap:
                return "over-cap"
            self._of_function[function] = self._of_function.get(function, 0) + 1
        return ""

    def conclude(self, partial: bool) -> dict[str, Any]:
        return {"unmatched": None if partial else sum(file.unmatched for file in self._later)}


assemble = Assemble.run
