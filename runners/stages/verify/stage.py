"""The verify stage: model responses to verdicts.

An output prediction is compared with the recorded output, or, with `execute_outputs`, with what the function returns for the
recorded input now; an input prediction is run through the function, and what that returns is compared with the recorded output.
One output row for every response row, in the same order, with the row's
own text kept and `res`, `verdict`, `function_id`, `pair_id` and `id` added.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from reexec.engine.executor import Executor
from reexec.engine.judging.verdict import VERDICT_WORDS, Verdict
from reexec.engine.outcome import Outcome
from reexec.engine.quick import quick

from ...digests import digest_of
from ...execution import ExecutorOptions, Work, executed, opened
from ...records.functions import FunctionStore
from ...records.predictions import Prediction, read_prediction
from ...records.turns import FIELDS as FIELDS_OF_TURNS
from ...rows.row import Lines, Result, Row, Selection
from ...rows.run import StageRun
from ...settings import Flag, Settings, Templates
from ...stage import FirstLines, Stage
from .ahead import Ahead
from .blocks import WORDS, Piece, numbers_of
from .feedback import FEEDBACK_FILE
from .judging import Judge, JudgingTerms, Read, has_id, sample_of
from .pass_rates import PassRates, write_pass_rates


class JudgingSettings(Settings):
    """What a pipeline's table [verify] says."""

    execute_outputs: Annotated[
        bool, Field(description="Run the function for output predictions too, and compare with what it returns now.")
    ] = False
    readers: Annotated[
        int | None,
        Field(
            ge=1,
            description="Processes that judge output predictions where a file is large, at the most. [default: workers]",
        ),
        Flag(metavar="N", decides=False),
    ] = None


class VerifySettings(JudgingSettings):
    functions: Annotated[
        Path, Field(description="Rows with refcode, funcname and ios."), Flag(("--functions", "-f"), "FILE", decides=False)
    ]
    usage: Annotated[
        Path | None,
        Field(description="Write CPU, wall and memory of each check here."),
        Flag(metavar="FILE", decides=False),
    ] = None
    templates: Templates = None


class Verify(Stage[VerifySettings]):
    """Counts `verdicts` by word, `missing_modules`, and `limit_disagreements`: limits on time whose confirmation came to
    another end (the usage file says which rows). `recalled` and `shared`: calls that were not executed, because the cache or an
    identical call of the run had the outcome. `read_beside`: output predictions that were judged by a process beside this one.
    Where prompts have several samples there are `pass_rates`."""

    name = "verify"
    reads = ("output", *FIELDS_OF_TURNS)
    settings_type = VerifySettings
    texts_file = FEEDBACK_FILE
    executes = recalls = True
    passing = ("recalled", "shared", "read_beside")
    numbers = ("limit_disagreements",)
    tallies = ("verdicts", "missing_modules")

    def open(self, stack: ExitStack, executor: Executor | ExecutorOptions | None) -> None:
        self._functions = FunctionStore(self.settings.functions)
        self._executor = stack.enter_context(opened(executor))
        self.executors, self.policy = (self._executor,), self._executor.policy
        self.forget()
        self._went_on = False
        rule, limits = self.policy.comparison, self.policy.limits
        executes, usage = self.settings.execute_outputs, self.settings.usage is not None
        self._terms = JudgingTerms(rule, self.texts, limits.cpu_s, limits.idle_s, executes, usage)
        self._judge = Judge(self._terms)
        self._stack = stack
        self._ahead: Ahead | None = None
        self._repeats: dict[str, int] = {}  # ids that had to be made new, with the last number

    def forget(self) -> None:
        """Rows so far: those to come may repeat them, and count alone."""
        self.seen, self._rates = FirstLines(), PassRates()

    def stage_run(self, selection: Selection | None, overwrite: bool) -> StageRun:
        run = super().stage_run(selection, overwrite)
        self._went_on = run.resumed_lines > 0
        return run

    def key(self) -> dict[str, Any]:
        return {"functions": self._functions.digest}

    def facts(self) -> dict[str, Any]:
        return {"functions": str(self.settings.functions)}

    @property
    def side_file(self) -> Path | None:
        return self.settings.usage

    @property
    def also_read(self) -> tuple[Path, ...]:
        return (self.settings.functions,)

    def note(self, row: Row) -> None:
        if has_id(row.data):
            self._take_id(row)
        else:
            self._new_id(row, read_prediction(row.data, self._functions))

    def results_of(self, run: StageRun) -> Iterator[Result]:
        """Words: the verdict's."""
        if not self.settings.execute_outputs and run.selection.shard is None:  # rows of other shards are noted in between
            self._ahead = Ahead(run, self._functions, self._terms, self._judge, self._processes, self._result_of_many)
            self._stack.callback(self._ahead.close)
        return self.results(run.rows() if self._ahead is None else self._ahead.rows())

    def results(self, rows: Iterator[Row] | Iterator[Row | Result]) -> Iterator[Result]:
        """The same of rows that no file holds."""
        return executed(
            rows,
            self.executors,
            self._prepare,
            self._finish,
            repeat_where=self._is_wrong_value,
            accepted_where=self._is_accepted,
        )

    @property
    def _processes(self) -> int:
        """That may judge output predictions."""
        return self.settings.readers or min(len(os.sched_getaffinity(0)), self._executor.workers)

    # -- before execution -------------------------------------------------------------------------------------

    def _prepare(self, row: Row) -> Work | Result:
        if has_id(row.data):
            self._take_id(row)
            prediction, new_id = read_prediction(row.data, self._functions), ""
        else:
            prediction = read_prediction(row.data, self._functions)
            new_id = self._new_id(row, prediction)
        read = self._judge.read(row, prediction, new_id)
        if self._ahead is not None:
            self._ahead.prepared(is_executed=read.verdict is None)
        if read.verdict is not None:
            return self._result(row, read, read.verdict)
        return Work(row, read, [(read.prediction.function.program, read.given)])

    def _take_id(self, row: Row) -> None:
        """Of a row that came with one. Raises BadRowError where an earlier row has it."""
        key = sample_of(row.data["id"], row.data)
        if key is not None:
            self.seen.refuse_repeated(key, row, f"repeats the id{' and index' if 'index' in row.data else ''} of", "id")

    def _new_id(self, row: Row, prediction: Prediction) -> str:
        """For a row that came without: the digest of what it says. Where an earlier row has that id, a digest over it and a
        number from 2, which is the row's place among those that say the same."""
        first = row_id = prediction.id
        number = self._repeats.get(first, 1)
        while self.seen.note(sample_of(row_id, row.data) or "", row) != row.number:
            number += 1
            row_id = digest_of(first, str(number))
        if number > 1:
            self._repeats[first] = number
        return row_id

    # -- after it ---------------------------------------------------------------------------------------------

    def _finish(self, work: Work) -> Result:
        outcome = work.outcomes[0][0]
        return self._result(work.row, work.state, self._judge.verdict(outcome, work.state), outcome)

    def _result(self, row: Row, read: Read, verdict: Verdict, outcome: Outcome | None = None) -> Result:
        judged = self._judge.judged(row, read, verdict, outcome)
        self._rates.add(row.data, judged.function_id, judged.pair_id, read.new_id, judged.word)
        return _made(row, _WORDS[judged.word], (judged.line,), judged.side, None, _counts(verdict), _NOTHING)

    def _result_of_many(self, rows: Lines, piece: Piece) -> Result | None:
        """Of rows that were judged together; None where one of them repeats another."""
        _, count, lines, side, codes, prompts, functions, keys = piece
        if keys and self.seen.any_repeated(keys, rows.numbers):
            return None
        self._rates.add_numbers(numbers_of(prompts), numbers_of(functions), (code == 0 for code in codes))
        verdicts = {WORDS[code]: codes.count(code) for code in dict.fromkeys(codes)}
        return Result(
            Row(rows.numbers[-1], b"\n".join(rows.lines), {}, None, rows.positions[-1]),
            [WORDS[code] for code in codes],
            (lines,),
            (side,) if side else (),
            counts={"rows": count, "verdicts": verdicts},
            rows=count,
        )

    def _is_wrong_value(self, outcome: Outcome, work: Work) -> bool:
        """Whether feedback will quote this value, or a verdict rest on it: not before a second run gave it too."""
        return self._judge.verdict(outcome, work.state).word == "wrong-answer"

    def _is_accepted(self, outcome: Outcome, work: Work) -> bool:
        return self._judge.verdict(outcome, work.state).word == "accepted"

    def passed(self) -> dict[str, int]:
        counted = self._executor.statistics()
        beside = 0 if self._ahead is None else self._ahead.done_beside
        return {"recalled": counted.recalled, "shared": counted.shared, "read_beside": beside}

    def conclude(self, partial: bool) -> dict[str, Any]:
        return {"pass_rates": write_pass_rates(self.output) if self._went_on else self._rates.write(self.output)}


_made = quick(Result)
_NOTHING: dict[str, Any] = {}
_WORDS = {word: (word,) for word in VERDICT_WORDS}
_USUAL = {word: {"rows": 1, "verdicts": {word: 1}} for word in VERDICT_WORDS}


def _counts(verdict: Verdict) -> dict[str, Any]:
    if verdict.outcome is None:
        return _USUAL[verdict.word]
    counts: dict[str, Any] = {"rows": 1, "verdicts": {verdict.word: 1}}
    if verdict.word == "engine-error":
        counts["engine_errors"] = 1
    if verdict.outcome is not None and verdict.outcome.disagreed_with:
        counts["limit_disagreements"] = 1
    exception = verdict.outcome.exception if verdict.outcome else None
    if exception is not None and exception.missing_module:
        counts["missing_modules"] = {exception.missing_module.partition(".")[0]: 1}
    return counts


verify = Verify.run
