"""The audit stage: is a recorded pair reproducible, and if not, why.

Every pair runs in a fork of its own in two zygotes that differ in hash seed, random seeds and addresses. It is
reproducible where both give the recorded output. The report has one row a pair. Reasons and their evidence: proof/reasons.py.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from reexec.engine.executor import Executor

from ..execution import ExecutorOptions, Work, executed
from ..proof.reasons import Reasons
from ..proof.seeds import SeededExecutors
from ..records.functions import FIELDS, FunctionRecord, parse_function, why_not_sendable
from ..rows.row import Result, Row
from ..rows.text import BadRowError, dump_line
from ..settings import Flag, Settings
from ..stage import Stage


class AuditSettings(Settings):
    keep: Annotated[
        Path | None, Field(description="Write the proven pairs, with their ids, here."), Flag(metavar="FILE", decides=False)
    ] = None


class Audit(Stage[AuditSettings]):
    """Counts `functions`, their `pairs`, how many of them are `reproducible`, why not (`reasons`), and `missing_modules`."""

    name = "audit"
    reads = FIELDS
    settings_type = AuditSettings
    executes = True
    numbers = ("functions", "pairs", "reproducible")
    tallies = ("reasons", "missing_modules")
    counts_rows_in = "functions"

    def open(self, stack: ExitStack, executor: Executor | ExecutorOptions | None) -> None:
        seeded = SeededExecutors(executor)
        stack.callback(seeded.close)
        self.policy, self.executors, self._reasons = seeded.policy, (seeded.one, seeded.two), Reasons(seeded)

    @property
    def side_file(self) -> Path | None:
        return self.settings.keep

    def results(self, rows: Iterator[Row]) -> Iterator[Result]:
        """Words: `reproducible` or the reason, once a pair."""
        return executed(rows, self.executors, self._calls, self._judge, watch_arguments=True)

    def _calls(self, row: Row) -> Work:
        record = parse_function(row.data, row.position, row.number)
        for index, pair in enumerate(record.pairs):
            fault = why_not_sendable(row.line, pair.input)
            if fault:
                raise BadRowError(f"{fault}, at $.ios[{index}].input")
        return Work(row, record, [(record.program, pair.input) for pair in record.pairs])

    def _judge(self, work: Work) -> Result:
        record: FunctionRecord = work.state
        results = [(first, second) for first, second in work.outcomes]
        judged = self._reasons.of_all(record, results)
        lines, kept = [], []
        missing: Counter[str] = Counter()
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
            lines.append(dump_line(report))
            exception = results[index][0].exception
            if reason == "missing-module" and exception and exception.missing_module:
                missing[exception.missing_module.partition(".")[0]] += 1
        proven = [dump_line({**record.row, "ios": kept, "function_id": record.id})] if kept else []
        reasons = Counter(reason for reason, _ in judged if reason is not None)
        counts: dict[str, Any] = {
            "functions": 1,
            "pairs": len(judged),
            "reproducible": len(kept),
            "reasons": reasons,
            "missing_modules": missing,
            "engine_errors": reasons["engine-error"],
        }
        return Result(work.row, [reason or "reproducible" for reason, _ in judged], lines, proven, counts=counts)


audit = Audit.run
