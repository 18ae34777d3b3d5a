"""The generate stage as a run over a file: many functions at once, written in the order of their rows.

A function that is kept is a row of the output; one that is dropped is in NAME.rejects.jsonl with its reason.
NAME.drops.jsonl has a row for every function that lost something: how many calls and pairs, and why.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError
from reexec.engine.executor import Executor
from reexec.policies.model import Policy

from ...proof.pairs import Prover
from ...rows.run import Row, Selection, StageRun, beside
from ...rows.text import dump
from .function import Made, Maker
from .readers import READERS, Source
from .reasons import PAIR_REASONS, REASONS, of_function
from .unified import BadFormError

PAIRS = 10
CALLS = 1000
LEAST_PAIRS = 2
_WINDOW = 32  # functions under way for each worker: enough that a slow one does not let the others idle
_WINDOW_BYTES = 64 << 20


@dataclass(slots=True)
class GenerateSummary:
    functions_in: int = 0
    functions_kept: int = 0
    pairs_kept: int = 0
    trivial: int = 0
    rejected: int = 0
    """Rows without a function, dropped functions included."""
    first_reject: str = ""
    unreadable: int = 0
    resumed_rows: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    """Functions dropped, by reason."""
    pair_reasons: dict[str, int] = field(default_factory=dict)
    """Pairs and generator calls dropped, by reason, those of kept functions included."""
    missing_modules: dict[str, int] = field(default_factory=dict)
    """Functions that lacked a module and were dropped."""
    engine_errors: int = 0


def generate(
    source_path: Path,
    output_path: Path,
    policy: Policy,
    *,
    reader: str = "codeio",
    pairs: int = PAIRS,
    calls: int = CALLS,
    drop_mutating: bool = False,
    workers: int = 2,
    python: str | None = None,
    selection: Selection | None = None,
    overwrite: bool = False,
    on_function: Callable[[str], None] | None = None,
    on_start: Callable[[Executor, int], None] | None = None,
) -> GenerateSummary:
    """Makes functions with proven pairs. `on_function` is told `kept`, a reason, or `rejected` (a row that is no object).

    Raises UsageError where nothing could be read or written. A KeyboardInterrupt leaves whole files behind, from which
    the same call goes on.
    """
    if reader not in READERS:
        raise UsageError(f"no reader {reader!r}; known ones are {', '.join(READERS)}")
    if pairs < LEAST_PAIRS or calls < LEAST_PAIRS:
        raise UsageError(f"a function is kept with {LEAST_PAIRS} pairs: pairs and calls must be at least that")
    prover = Prover(policy, workers=workers, python=python, drop_mutating=drop_mutating)
    try:
        run = StageRun(
            "generate",
            source_path,
            output_path,
            key={
                "policy": policy.digest,
                "python": prover.one.interpreter.version_text,
                "reader": reader,
                "pairs": pairs,
                "calls": calls,
                "drop mutating": drop_mutating,
            },
            facts={"isolation": prover.one.isolation.value, "workers": workers, "policy": policy.model_dump(mode="json")},
            selection=selection,
            overwrite=overwrite,
            side_files=(beside(output_path, "drops.jsonl"),),
        )
        if on_start is not None:
            on_start(prover.one, run.resumed_lines)
        maker = Maker(prover, policy.determinism.random_seed, policy.size, pairs=pairs, calls=calls)
        stage = _Generate(run, maker, READERS[reader])
        run.open()
        state = "interrupted"
        try:
            asyncio.run(stage.run(workers, on_function))
            state = "done"
        finally:
            run.close(state)
    finally:
        prover.close()
    if run.fault is not None:
        raise run.fault
    return stage.summary()


@dataclass(slots=True)
class _Item:
    row: Row
    source: Source | None = None
    made: Made | None = None
    reason: str | None = None
    detail: str = ""


class _Generate:
    def __init__(self, run: StageRun, maker: Maker, read: Callable[[dict[str, Any]], Source]) -> None:
        self._run, self._maker, self._read = run, maker, read
        counts = run.progress.counts
        for name in ("rejected", "functions_in", "functions_kept", "pairs_kept", "trivial", "engine_errors"):
            counts.setdefault(name, 0)
        for name in ("reasons", "pair_reasons", "missing_modules"):
            counts.setdefault(name, {})
        self._counts: dict[str, Any] = counts

    # -- running ----------------------------------------------------------------------------------------------

    async def run(self, workers: int, on_function: Callable[[str], None] | None) -> None:
        """Functions side by side; the oldest one is waited for, written, and its place given to the next row."""
        waiting: deque[asyncio.Task[_Item]] = deque()
        sizes: deque[int] = deque()
        rows = self._run.rows()
        window = _WINDOW * max(2, workers)
        try:
            while True:
                while len(waiting) < window and sum(sizes) < _WINDOW_BYTES and (row := next(rows, None)) is not None:
                    waiting.append(asyncio.create_task(self._make(row)))
                    sizes.append(len(row.line))
                if not waiting:
                    return
                item = await waiting[0]
                waiting.popleft()
                sizes.popleft()
                word = self._finish(item)
                if on_function is not None:
                    on_function(word)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _make(self, row: Row) -> _Item:
        if row.fault is not None:
            return _Item(row, detail=row.fault)
        try:
            source = self._read(row.data)
        except BadFormError as error:
            return _Item(row, reason=error.reason, detail=str(error))
        made = await self._maker.make(source)
        if len(made.pairs) >= LEAST_PAIRS:
            return _Item(row, source, made)
        reason = of_function(made.dropped)
        return _Item(row, source, made, reason, made.details.get(reason, ""))

    # -- writing ----------------------------------------------------------------------------------------------

    def _finish(self, item: _Item) -> str:
        """Writes what came of a row; `kept`, the reason, or `rejected`."""
        if item.row.fault is not None:
            self._run.reject(item.row, item.row.fault)
            return "rejected"
        self._run.begin()
        self._count(item)
        side = [[dump(_drops(item)).encode("ascii")] if item.reason or (item.made and item.made.dropped) else []]
        if item.reason is None:
            assert item.source is not None
            assert item.made is not None
            self._run.write(item.row, [dump(_row(item.source, item.made)).encode("ascii")], side)
            return "kept"
        said = f"{item.reason}: {item.detail or REASONS[item.reason]}"
        self._run.reject(item.row, said, side)
        return item.reason

    def _count(self, item: _Item) -> None:
        counts, made = self._counts, item.made
        counts["functions_in"] += 1
        if made is not None:
            for reason, count in made.dropped.items():
                _add(counts["pair_reasons"], reason, count)
            counts["engine_errors"] += made.dropped["engine-error"] + made.dropped["generator-engine-error"]
        if item.reason is not None:
            _add(counts["reasons"], item.reason, 1)
            for name in made.missing if made else ():
                _add(counts["missing_modules"], name, 1)
            return
        assert made is not None
        counts["functions_kept"] += 1
        counts["pairs_kept"] += len(made.pairs)
        counts["trivial"] += made.is_trivial()

    def summary(self) -> GenerateSummary:
        counts = self._counts

        def ordered(words: dict[str, int]) -> dict[str, int]:
            return dict(sorted(words.items(), key=lambda item: (-item[1], item[0])))

        return GenerateSummary(
            functions_in=counts["functions_in"],
            functions_kept=counts["functions_kept"],
            pairs_kept=counts["pairs_kept"],
            trivial=counts["trivial"],
            rejected=counts["rejected"],
            first_reject=counts.get("first_reject", ""),
            unreadable=counts.get("unreadable", 0),
            resumed_rows=self._run.resumed_lines,
            reasons=ordered(counts["reasons"]),
            pair_reasons=ordered(counts["pair_reasons"]),
            missing_modules=ordered(counts["missing_modules"]),
            engine_errors=counts["engine_errors"],
        )


def _add(words: dict[str, int], word: str, count: int) -> None:
    words[word] = words.get(word, 0) + count


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


def _drops(item: _Item) -> dict[str, Any]:
    made = item.made or Made()
    return {
        "line": item.row.number,
        "function_id": item.source.program.id if item.source else None,
        "reason": item.reason,
        "detail": item.detail,
        "pairs": len(made.pairs),
        "calls": made.calls,
        "dropped": {word: made.dropped[word] for word in sorted(made.dropped, key=lambda w: (w not in PAIR_REASONS, w))},
        "details": dict(sorted(made.details.items())),
        "missing_modules": sorted(made.missing),
    }
