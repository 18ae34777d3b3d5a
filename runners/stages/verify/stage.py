"""The verify stage: model responses to verdicts.

An output prediction is compared with the recorded output; an input prediction is run through the function, and what that
returns is compared with the recorded output. One output row for every response row, in the same order, with the row's
own text kept and `res`, `verdict`, `function_id`, `pair_id` and `id` added.
"""

import contextlib
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reexec.engine.executor import Executor
from reexec.engine.judging.compare import compare
from reexec.engine.judging.verdict import Verdict, judge
from reexec.engine.outcome import Outcome
from reexec.engine.program import Program

from ...answers import extract_answer
from ...records.functions import FunctionStore, why_not_sendable
from ...records.predictions import BadPredictionError, Prediction, read_prediction
from ...rows.run import Row, Selection, StageRun
from ...rows.text import BadRowError, dump, parse_row, splice
from .feedback import Feedback, default_feedback, status_of
from .pass_rates import write_pass_rates

# Programs that name none of these return the same value each time under a fixed seed and hash seed; for the others a
# wrong value is asked for twice before it is quoted.
_MAY_VARY = re.compile(r"\b(?:time|datetime|date|random|secrets|uuid\w*|urandom|id|hash|getpid|perf_counter|monotonic|os)\b")


@dataclass(slots=True)
class _Item:
    """A response row on its way: a fault, a verdict that needed no execution, or an execution to wait for."""

    row: Row
    prediction: Prediction | None = None
    fault: str | None = None
    verdict: Verdict | None = None
    predicted: Any = None
    style: str = "none"
    detail: str = ""


@dataclass(slots=True)
class VerifySummary:
    rows: int = 0
    rejected: int = 0
    first_reject: str = ""
    """Where and why the first row was rejected."""
    unreadable: int = 0
    """Rejected lines that hold no row at all."""
    resumed_rows: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)
    missing_modules: dict[str, int] = field(default_factory=dict)
    engine_errors: int = 0
    limit_disagreements: int = 0
    """Limits on time whose confirmation came to another end; the usage file says which rows."""
    pass_rates: dict[str, Any] | None = None


def verify(
    functions_path: Path,
    responses_path: Path,
    output_path: Path,
    executor: Executor,
    *,
    feedback: Feedback | None = None,
    usage_path: Path | None = None,
    selection: Selection | None = None,
    overwrite: bool = False,
    on_row: Callable[[str], None] | None = None,
    on_resume: Callable[[int], None] | None = None,
) -> VerifySummary:
    """Verifies a file of responses against a file of functions. `on_row` is told each verdict word, or `rejected`.

    Raises UsageError where nothing could be read or written. A KeyboardInterrupt leaves whole files behind, from which
    the same call goes on.
    """
    functions = FunctionStore(functions_path)
    feedback = feedback or default_feedback()
    seen = _SeenIds()
    run = StageRun(
        "verify",
        responses_path,
        output_path,
        key={
            "functions": functions.digest,
            "policy": executor.policy.digest,
            "templates": _digest_of(feedback.source),
            "python": executor.interpreter.version_text,
        },
        facts={
            "functions": str(functions_path),
            "isolation": executor.isolation.value,
            "workers": executor.workers,
            "policy": executor.policy.model_dump(mode="json"),
        },
        selection=selection,
        overwrite=overwrite,
        side_files=(usage_path,) if usage_path else (),
        also_read=(functions_path,),
        on_consumed=seen.note,
    )
    stage = _Verify(functions, executor, feedback, run, seen)
    if on_resume is not None and run.resumed_lines:
        on_resume(run.resumed_lines)
    run.open()
    state = "interrupted"
    try:
        outcomes = executor.run_many(stage.items())
        for outcome, item in outcomes:
            word = stage.finish(item, outcome)
            if on_row is not None:
                on_row(word)
        state = "done"
    finally:
        run.close(state)
    if run.fault is not None:
        raise run.fault
    return stage.summary(output_path)


class _SeenIds:
    """The ids that rows of the input carry, with the line where each came first. Samples of one prompt share its id and
    differ in `index`."""

    def __init__(self) -> None:
        self._first: dict[str, int] = {}

    def first_line(self, row: dict[str, Any], number: int) -> int:
        """The line where this row's id and index came first; `number` where that is this one, or the row has no id."""
        given = row.get("id")
        if not isinstance(given, str | int):
            return number
        index = row.get("index")
        return self._first.setdefault(f"{given}\0{index}" if index else str(given), number)

    def note(self, number: int, line: bytes) -> None:
        """A line that an earlier run has done."""
        if b'"id"' in line:
            with contextlib.suppress(BadRowError):
                self.first_line(parse_row(line), number)


def _and_index(row: dict[str, Any]) -> str:
    return " and index" if "index" in row else ""


def _digest_of(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class _Verify:
    def __init__(self, functions: FunctionStore, executor: Executor, feedback: Feedback, run: StageRun, seen: _SeenIds) -> None:
        self._functions, self._executor, self._feedback, self._run = functions, executor, feedback, run
        self._rule = executor.policy.comparison
        counts = run.progress.counts
        counts.setdefault("rejected", 0)
        self._verdicts: dict[str, int] = counts.setdefault("verdicts", {})
        self._missing: dict[str, int] = counts.setdefault("missing_modules", {})
        self._seen = seen

    # -- before execution -------------------------------------------------------------------------------------

    def items(self) -> Iterator[tuple[Program | None, Any, _Item]]:
        for row in self._run.rows():
            item = self._prepare(row)
            if item.fault is None and item.verdict is None:
                assert item.prediction is not None
                yield item.prediction.function.program, item.predicted, item
            else:
                yield None, (), item

    def _prepare(self, row: Row) -> _Item:
        if row.fault is not None:
            return _Item(row, fault=row.fault)
        first = self._seen.first_line(row.data, row.number)
        if first != row.number:
            return _Item(row, fault=f"repeats the id{_and_index(row.data)} of line {first}, at $.id")
        try:
            prediction = read_prediction(row.data, self._functions)
        except BadPredictionError as error:
            return _Item(row, fault=str(error))
        answer = extract_answer(prediction.text, "output" if prediction.io_pred == "o" else "input")
        item = _Item(row, prediction, predicted=answer.value, style=answer.style)
        if not answer.found:
            item.detail = answer.reason
        elif prediction.io_pred == "i":
            item.detail = _why_not_arguments(answer.value) or why_not_sendable(row.line, answer.value)
        if item.detail:
            item.verdict = Verdict("no-answer")
        elif prediction.io_pred == "o":
            comparison = compare(answer.value, prediction.pair.output, self._rule)
            item.verdict = Verdict("accepted" if comparison.equal else "wrong-answer", None, comparison)
        return item

    # -- after it ---------------------------------------------------------------------------------------------

    def finish(self, item: _Item, outcome: Outcome | None) -> str:
        """Writes the row; the verdict's word, or `rejected`."""
        if item.fault is not None:
            self._run.reject(item.row, item.fault)
            return "rejected"
        prediction = item.prediction
        assert prediction is not None
        verdict, varying = item.verdict, False
        if verdict is None:
            assert outcome is not None
            verdict = judge(outcome, prediction.pair.output, self._rule)
            varying = self._varies(prediction.function.program, item.predicted, verdict)
        word = verdict.word
        limits = self._executor.policy.limits
        message = self._feedback.text(
            verdict,
            prediction.io_pred,
            predicted=item.predicted,
            expected=prediction.pair.output,
            limit=limits.idle_s if word == "wall-limit" else limits.cpu_s,
            varying=varying,
            detail=item.detail,
        )
        members = {
            "res": {"status": status_of(word, prediction.io_pred), "message": message},
            "verdict": word,
            "answer_style": item.style,
            "function_id": prediction.function.id,
            "pair_id": prediction.pair.id,
            "id": item.row.data.get("id", prediction.id),
        }
        for name in ("function_id", "pair_id", "id"):
            if name in item.row.data:
                del members[name]
        side = [[_usage_line(prediction.id, word, outcome)]]
        line = splice(item.row.line, item.row.data, members)
        self._run.begin()
        self._count(verdict)
        self._run.write(item.row, [line], side[: len(self._run.side_names)])
        return word

    def _varies(self, program: Program, predicted: Any, verdict: Verdict) -> bool:
        """Whether a wrong value comes out differently when it is asked for again: then it must not be quoted."""
        if verdict.word != "wrong-answer" or not _MAY_VARY.search(program.source):
            return False
        again = self._executor.submit(program, predicted).result()
        assert verdict.outcome is not None
        return not (again.ok and compare(again.value, verdict.outcome.value, self._rule).equal)

    def _count(self, verdict: Verdict) -> None:
        self._verdicts[verdict.word] = self._verdicts.get(verdict.word, 0) + 1
        if verdict.outcome is not None and verdict.outcome.disagreed_with:
            counts = self._run.progress.counts
            counts["limit_disagreements"] = counts.get("limit_disagreements", 0) + 1
        exception = verdict.outcome.exception if verdict.outcome else None
        if exception is not None and exception.missing_module:
            name = exception.missing_module.partition(".")[0]
            self._missing[name] = self._missing.get(name, 0) + 1

    def summary(self, output: Path) -> VerifySummary:
        return VerifySummary(
            rows=sum(self._verdicts.values()),
            rejected=self._run.progress.counts["rejected"],
            first_reject=self._run.progress.counts.get("first_reject", ""),
            unreadable=self._run.progress.counts.get("unreadable", 0),
            resumed_rows=self._run.resumed_lines,
            verdicts=dict(sorted(self._verdicts.items(), key=lambda item: (-item[1], item[0]))),
            missing_modules=dict(sorted(self._missing.items(), key=lambda item: (-item[1], item[0]))),
            engine_errors=self._verdicts.get("engine-error", 0),
            limit_disagreements=self._run.progress.counts.get("limit_disagreements", 0),
            pass_rates=write_pass_rates(output),
        )


def _why_not_arguments(value: Any) -> str:
    if not isinstance(value, dict):
        return "the input must be an object that holds the arguments by name"
    if not all(isinstance(key, str) for key in value):
        return "the names of the arguments must be texts"
    return ""


def _usage_line(row_id: str, word: str, outcome: Outcome | None) -> bytes:
    usage = outcome.usage if outcome else None
    record = {
        "id": row_id,
        "verdict": word,
        "cpu_s": usage.cpu_s if usage else None,
        "wall_s": usage.wall_s if usage else None,
        "peak_bytes": usage.peak_bytes if usage else None,
        "attempts": outcome.attempts if outcome else 0,
        "disagreed_with": outcome.disagreed_with if outcome else None,
    }
    return dump(record).encode("ascii")
