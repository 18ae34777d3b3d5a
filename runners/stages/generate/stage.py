"""The generate stage as a run over a file: many functions at once, written in the order of their rows.

A function that is kept is a row of the output; one that is dropped is in NAME.rejects.jsonl with its reason.
NAME.drops.jsonl has a row for every function that lost something: how many calls and pairs, and why.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator

from reexec.engine.executor import Executor
from reexec.policies.faults import unknown

from ...execution import ExecutorOptions, side_by_side
from ...proof.pairs import Prover
from ...proof.seeds import SeededExecutors
from ...rows.row import Result, Row
from ...rows.run import beside
from ...rows.text import dump_line
from ...settings import Flag, Settings
from ...stage import Stage
from .function import Made, Maker
from .readers import FIELDS, READERS, Source
from .reasons import PAIR_REASONS, REASONS, of_function
from .unified import BadFormError

LEAST_PAIRS = 2
_WINDOW = 32  # functions under way for each worker: enough that a slow one does not let the others idle


class GenerateSettings(Settings):
    pairs: Annotated[int, Field(ge=LEAST_PAIRS, description="Pairs of a function at most."), Flag(metavar="N")] = 10
    calls: Annotated[int, Field(ge=LEAST_PAIRS, description="Calls of an input generator at most."), Flag(metavar="N")] = 1000
    reader: Annotated[str, Field(description=f"The rows' form: {' or '.join(READERS)}.")] = "codeio"
    drop_mutating: Annotated[bool, Field(description="Drop pairs whose call changes its arguments.")] = False

    @field_validator("reader")
    @classmethod
    def _is_known(cls, reader: str) -> str:
        if reader not in READERS:
            raise ValueError(unknown(reader, list(READERS), "reader"))
        return reader


class Generate(Stage[GenerateSettings]):
    """Counts `functions_in`, `functions_kept` with their `pairs_kept`, those of them with one constant output (`trivial`),
    `reasons` why functions were dropped, `pair_reasons` why pairs and generator calls were, those of kept functions included,
    and `missing_modules` of dropped functions."""

    name = "generate"
    reads = FIELDS
    settings_type = GenerateSettings
    executes = True
    numbers = ("functions_in", "functions_kept", "pairs_kept", "trivial")
    tallies = ("reasons", "pair_reasons", "missing_modules")
    counts_rows_in, counts_used_in = "functions_kept", "functions_in"

    def open(self, stack: ExitStack, executor: Executor | ExecutorOptions | None) -> None:
        seeded = SeededExecutors(executor)
        stack.callback(seeded.close)
        self.policy, self.executors = seeded.policy, (seeded.one, seeded.two)
        self._maker = Maker(
            Prover(seeded, drop_mutating=self.settings.drop_mutating),
            self.policy.determinism.random_seed,
            self.policy.size,
            pairs=self.settings.pairs,
            calls=self.settings.calls,
        )

    @property
    def side_file(self) -> Path:
        return beside(self.output, "drops.jsonl")

    def results(self, rows: Iterator[Row]) -> Iterator[Result]:
        """Words: `kept`, or why the function is dropped."""
        workers = sum(executor.workers for executor in self.executors)
        return side_by_side(rows, self._make, window=_WINDOW * workers)

    async def _make(self, row: Row) -> Result:
        try:
            source = READERS[self.settings.reader](row.data)
        except BadFormError as error:
            return _dropped(row, None, Made(), error.reason, str(error))
        made = await self._maker.make(source)
        if len(made.pairs) < LEAST_PAIRS:
            reason = of_function(made.dropped)
            return _dropped(row, source, made, reason, made.details.get(reason, ""))
        side = [_drops(row, source, made, None, "")] if made.dropped else []
        kept = {"functions_kept": 1, "pairs_kept": len(made.pairs), "trivial": int(made.is_trivial())}
        return Result(row, ("kept",), [dump_line(_row(source, made))], side, counts=_counts(made) | kept)


def _dropped(row: Row, source: Source | None, made: Made, reason: str, detail: str) -> Result:
    counts = _counts(made) | {"reasons": {reason: 1}, "missing_modules": dict.fromkeys(made.missing, 1)}
    said = f"{reason}: {detail or REASONS[reason]}"
    return Result(row, (reason,), side=[_drops(row, source, made, reason, detail)], reason=said, counts=counts)


def _counts(made: Made) -> dict[str, Any]:
    failed = made.dropped["engine-error"] + made.dropped["generator-engine-error"]
    return {"functions_in": 1, "pair_reasons": made.dropped, "engine_errors": failed}


def _row(source: Source, made: Made) -> dict[str, Any]:
    return {
        "problem_description": source.problem_description,
        "io_requirements": source.io_requirements,
        "refcode": source.program.source,
        "funcname": source.program.entry,
        "ios": [{"input": proof.given.arguments, "output": proof.output} for proof in made.pairs],
        "category": None,
        "meta": source.meta,
        "inputgencode": source.inputgencode,
        "function_id": source.program.id,
        "provenance": source.provenance,
        "trivial": made.is_trivial(),
    }


def _drops(row: Row, source: Source | None, made: Made, reason: str | None, detail: str) -> bytes:
    record = {
        "line": row.number,
        "function_id": source.program.id if source else None,
        "reason": reason,
        "detail": detail,
        "pairs": len(made.pairs),
        "calls": made.calls,
        "dropped": {word: made.dropped[word] for word in sorted(made.dropped, key=lambda w: (w not in PAIR_REASONS, w))},
        "details": dict(sorted(made.details.items())),
        "missing_modules": sorted(made.missing),
    }
    return dump_line(record)


generate = Generate.run
