"""Verification as a step of a data set: a callable class for `map_batches` of Ray Data.

    rows.map_batches(Verifier, fn_constructor_kwargs={"functions": "functions.jsonl"}, concurrency=4, batch_size=512)

Each actor of Ray Data has an executor of its own. Nothing here needs Ray: a batch is a dict of columns.
"""

import math
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError
from reexec.policies.layers import load_policy

from .execution import ExecutorOptions
from .rows.row import Result, Row
from .rows.text import BadRowError, dump_line, parse_row
from .stages.verify import Verify, VerifySettings

READS = ("itemid", "ioid", "function_id", "pair_id", "io_pred", "output", "index", "id")
"""Columns that a verdict rests on; others are not looked at, whatever they hold. A null is what a row does not have."""
MEMBERS = ("verdict", "status", "feedback", "answer_style", "function_id", "pair_id")


class Verifier:
    """Judges rows as `reexec verify` does, a batch at a time.

    functions: the file with rows of refcode, funcname and ios; every node must see it.
    policy:    a preset's name or a TOML file; REEXEC_POLICY is read as everywhere.
    settings:  changes of it, as "limits.cpu_s=1".
    workers:   checks that run at the same time; one by default, as Ray counts one processor for an actor.
    python:    interpreter of the checked programs; this one where None.

    A batch has the columns itemid, ioid, io_pred and output, or others of READS, and any more, which stay. The columns of
    MEMBERS are added, and `reject`: why a row cannot be used, with None for the others; None where it can.
    """

    def __init__(
        self, functions: str | Path, *, policy: str | Path = "codeio", settings: Sequence[str] = (), workers: int | None = 1,
        python: str | Path | None = None, execute_outputs: bool = False, templates: str | Path | None = None,
    ) -> None:  # fmt: skip
        """Raises UsageError where a file or a setting is wrong, IsolationUnavailableError where nothing can be isolated."""
        judging = VerifySettings(
            functions=Path(functions), execute_outputs=execute_outputs, templates=None if templates is None else Path(templates)
        )
        self._stack = ExitStack()
        self._stage = Verify(Path("batch"), Path("batch"), judging)
        wanted = load_policy(policy, settings=settings, environment=os.environ)
        self._stage.open(self._stack, ExecutorOptions(wanted, workers, python))

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of the batch and those that are added. Raises UsageError where columns differ in length."""
        lengths = {len(column) for column in batch.values()}
        if len(lengths) > 1:
            raise UsageError(f"the columns of a batch have the same length, not {sorted(lengths)}")
        columns = {name: _values(batch[name]) for name in READS if name in batch}
        rows = (
            _row(position, {name: column[position] for name, column in columns.items()})
            for position in range(max(lengths, default=0))
        )
        added: dict[str, list[Any]] = {name: [] for name in (*MEMBERS, "reject")}
        self._stage.forget()
        for result in self._stage.results(rows):
            for name, value in _members(result).items():
                added[name].append(value)
        return {**batch, **added}

    def close(self) -> None:
        """Ends the executor; so does the end of the process."""
        self._stack.close()


def _values(column: Any) -> list[Any]:
    """Of an array or a sequence, as Python's own values."""
    values = column.tolist() if hasattr(column, "tolist") else list(column)
    return [value.item() if hasattr(value, "item") else value for value in values]


def _row(position: int, columns: dict[str, Any]) -> Row:
    data = {name: value for name, value in columns.items() if not _is_null(value)}
    if "output" in columns:
        data.setdefault("output", None)  # a response that is empty, not one that is missing
    try:
        line = dump_line(data)
        return Row(position + 1, line, parse_row(line), None, position)
    except (BadRowError, TypeError, ValueError) as error:
        return Row(position + 1, b"", {}, str(error), position)


def _is_null(value: Any) -> bool:
    """None, or the NaN that pandas makes of it."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _members(result: Result) -> dict[str, Any]:
    if not result.lines:
        return {**dict.fromkeys(MEMBERS), "reject": result.reason}
    row = parse_row(result.lines[0])
    said = {"status": row["res"]["status"], "feedback": row["res"]["message"]}
    return {**{name: row.get(name) for name in MEMBERS}, **said, "reject": None}
