"""The audit stage: is a recorded pair reproducible, and if not, why.

Every pair runs in a fork of its own in two zygotes that differ in hash seed, random seeds and addresses. It is
reproducible where both give the recorded output. The report has one row a pair. Reasons and their evidence: reasons.py.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reexec.engine.executor import Executor
from reexec.engine.outcome import Outcome
from reexec.engine.program import Program
from reexec.policies.model import Policy

from ..proof.reasons import SEEDS, Reasons, reseeded
from ..records.functions import BadFunctionError, FunctionRecord, parse_function, why_not_sendable
from ..rows.run import Row, Selection, StageRun
from ..rows.text import dump


@dataclass(slots=True)
class AuditSummary:
    functions: int = 0
    pairs: int = 0
    reproducible: int = 0
    rejected: int = 0
    first_reject: str = ""
    """Where and why the first row was rejected."""
    unreadable: int = 0
    """Rejected lines that hold no row at all."""
    resumed_functions: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    missing_modules: dict[str, int] = field(default_factory=dict)
    engine_errors: int = 0


@dataclass(slots=True)
class _Function:
    row: Row
    record: FunctionRecord | None
    fault: str | None
    results: list[tuple[Outcome, Outcome]] = field(default_factory=list)


def audit(
    functions_path: Path,
    report_path: Path,
    policy: Policy,
    *,
    workers: int = 2,
    python: str | None = None,
    keep_path: Path | None = None,
    selection: Selection | None = None,
    overwrite: bool = False,
    on_pair: Callable[[str], None] | None = None,
    on_start: Callable[[Executor, int], None] | None = None,
) -> AuditSummary:
    """Audits a functions file; `on_pair` is told `reproducible`, a reason, or `rejected` (a function's row).

    `keep_path`: proven pairs with their ids go there, a row for each function that has any.
    Raises UsageError where nothing could be read or written.
    """
    first, second = (reseeded(policy, *seeds) for seeds in SEEDS)
    share = max(1, workers // 2)
    with (
        Executor(first, workers=max(1, workers - share), python=python) as one,
        Executor(second, workers=share, python=python) as two,
    ):
        run = StageRun(
            "audit",
            functions_path,
            report_path,
            key={"policy": policy.digest, "python": one.interpreter.version_text, "keep": keep_path is not None},
            facts={"isolation": one.isolation.value, "workers": workers, "policy": policy.model_dump(mode="json")},
            selection=selection,
            overwrite=overwrite,
            side_files=(keep_path,) if keep_path else (),
        )
        if on_start is not None:
            on_start(one, run.resumed_lines)
        stage = _Audit(run, policy, one, two)
        run.open()
        state = "interrupted"
        try:
            for function in stage.executed():
                for word in stage.finish(function):
                    if on_pair is not None:
                        on_pair(word)
            state = "done"
        finally:
            stage.close()
            run.close(state)
    if run.fault is not None:
        raise run.fault
    return stage.summary()


class _Audit:
    def __init__(self, run: StageRun, policy: Policy, one: Executor, two: Executor) -> None:
        self._run, self._one, self._two = run, one, two
        self._reasons = Reasons(policy, one, two)
        counts = run.progress.counts
        for name, empty in (("rejected", 0), ("functions", 0), ("pairs", 0), ("reproducible", 0), ("engine_errors", 0)):
            counts.setdefault(name, empty)
        counts.setdefault("reasons", {})
        counts.setdefault("missing_modules", {})
        self._counts: dict[str, Any] = counts

    # -- running ----------------------------------------------------------------------------------------------

    def executed(self) -> Iterator[_Function]:
        """Functions in the order of the file, with the outcomes of all their pairs on both sides."""
        left, right = itertools.tee(self._items())
        sides = zip(
            self._one.run_many(left, watch_arguments=True),
            self._two.run_many(right, watch_arguments=True),
            strict=True,
        )
        for (first, (function, last)), (second, _) in sides:
            if first is not None and second is not None:
                function.results.append((first, second))
            if last:
                yield function

    def _items(self) -> Iterator[tuple[Program | None, Any, tuple[_Function, bool]]]:
        for row in self._run.rows():
            function = self._read(row)
            record = function.record
            if record is None or not record.pairs:
                yield None, (), (function, True)
                continue
            for index, pair in enumerate(record.pairs):
                yield record.program, pair.input, (function, index == len(record.pairs) - 1)

    def _read(self, row: Row) -> _Function:
        if row.fault is not None:
            return _Function(row, None, row.fault)
        try:
            record = parse_function(row.data, row.position, row.number)
        except BadFunctionError as error:
            return _Function(row, None, str(error))
        for index, pair in enumerate(record.pairs):
            fault = why_not_sendable(row.line, pair.input)
            if fault:
                return _Function(row, None, f"{fault}, at $.ios[{index}].input")
        return _Function(row, record, None)

    def close(self) -> None:
        self._reasons.close()

    # -- judging ----------------------------------------------------------------------------------------------

    def finish(self, function: _Function) -> list[str]:
        record = function.record
        if record is None:
            self._run.reject(function.row, function.fault or "")
            return ["rejected"]
        judged = self._reasons.of_all(record, function.results)
        lines, kept = [], []
        self._run.begin()
        for index, (pair, (reason, detail)) in enumerate(zip(record.pairs, judged, strict=True)):
            if reason is None:
                kept.append({"input": pair.input, "output": pair.output, "pair_id": pair.id})
            report = {
                "function_id": record.id,
                "pair_id": pair.id,
                "itemid": record.position,
                "ioid": index,
                "reproducible": reason is None,
                "reason": reason,
                "detail": detail,
            }
            lines.append(dump(report).encode("ascii"))
            self._count(reason, function.results[index][0])
        self._counts["functions"] += 1
        proven = [dump({**record.row, "ios": kept, "function_id": record.id}).encode("ascii")] if kept else []
        self._run.write(function.row, lines, [proven][: len(self._run.side_names)])
        return [reason or "reproducible" for reason, _ in judged]

    def _count(self, reason: str | None, outcome: Outcome) -> None:
        counts = self._counts
        counts["pairs"] += 1
        if reason is None:
            counts["reproducible"] += 1
            return
        counts["reasons"][reason] = counts["reasons"].get(reason, 0) + 1
        counts["engine_errors"] += reason == "engine-error"
        if reason == "missing-module" and outcome.exception and outcome.exception.missing_module:
            name = outcome.exception.missing_module.partition(".")[0]
            counts["missing_modules"][name] = counts["missing_modules"].get(name, 0) + 1

    def summary(self) -> AuditSummary:
        counts = self._counts

        def ordered(words: dict[str, int]) -> dict[str, int]:
            return dict(sorted(words.items(), key=lambda item: (-item[1], item[0])))

        return AuditSummary(
            functions=counts["functions"],
            pairs=counts["pairs"],
            reproducible=counts["reproducible"],
            rejected=counts["rejected"],
            first_reject=counts.get("first_reject", ""),
            unreadable=counts.get("unreadable", 0),
            resumed_functions=self._run.resumed_lines,
            reasons=ordered(counts["reasons"]),
            missing_modules=ordered(counts["missing_modules"]),
            engine_errors=counts["engine_errors"],
        )
