"""The verify stage: model responses to verdicts.

An output prediction is compared with the recorded output, or, with `execute_outputs`, with what the function returns for the
recorded input now; an input prediction is run through the function, and what that returns is compared with the recorded output.
One output row for every response row, in the same order, with the row's
own text kept and `res`, `verdict`, `function_id`, `pair_id` and `id` added.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from reexec.engine.executor import Executor
from reexec.engine.judging.compare import compare
from reexec.engine.judging.verdict import VERDICT_WORDS, Verdict, judge
from reexec.engine.outcome import Outcome
from reexec.engine.quick import quick

from ...digests import digest_of
from ...execution import ExecutorOptions, Work, executed, opened
from ...records.functions import FunctionStore
from ...records.ids import text_of_id
from ...records.predicted import read_predicted
from ...records.predictions import Prediction, read_prediction
from ...records.turns import FIELDS as FIELDS_OF_TURNS
from ...rows.row import Result, Row, Selection
from ...rows.run import StageRun
from ...rows.text import dump_line, splice, with_members
from ...settings import Flag, Settings, Templates
from ...stage import Stage
from .feedback import FEEDBACK_FILE, constants, feedback_text, said_of
from .known import KnownPairs, of_comparison
from .pass_rates import PassRates, write_pass_rates


class JudgingSettings(Settings):
    """What a pipeline's table [verify] says."""

    execute_outputs: Annotated[
        bool, Field(description="Run the function for output predictions too, and compare with what it returns now.")
    ] = False


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


@dataclass(slots=True)
class _Read:
    """A prediction with its answer: with a verdict where it needs no execution."""

    prediction: Prediction
    predicted: Any
    style: str
    new_id: str = ""
    """Of a row that came without one."""
    detail: str = ""
    verdict: Verdict | None = None

    @property
    def given(self) -> Any:
        """What the function is called with."""
        return self.predicted if self.prediction.io_pred == "i" else self.prediction.pair.input


class Verify(Stage[VerifySettings]):
    """Counts `verdicts` by word, `missing_modules`, and `limit_disagreements`: limits on time whose confirmation came to
    another end (the usage file says which rows). `recalled` and `shared`: calls that were not executed, because the cache or an
    identical call of the run had the outcome. Where prompts have several samples there are `pass_rates`."""

    name = "verify"
    reads = ("output", *FIELDS_OF_TURNS)
    settings_type = VerifySettings
    texts_file = FEEDBACK_FILE
    executes = recalls = True
    passing = ("recalled", "shared")
    numbers = ("limit_disagreements",)
    tallies = ("verdicts", "missing_modules")

    def open(self, stack: ExitStack, executor: Executor | ExecutorOptions | None) -> None:
        self._functions = FunctionStore(self.settings.functions)
        self._executor = stack.enter_context(opened(executor))
        self.executors, self.policy = (self._executor,), self._executor.policy
        self._rule, self._limits = self.policy.comparison, self.policy.limits
        self._rates, self._went_on = PassRates(), False
        self._known = KnownPairs(self._rule)
        self._constant = constants(self.texts)
        self._repeats: dict[str, int] = {}  # ids that had to be made new, with the last number

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
        if _has_id(row.data):
            self._take_id(row)
        else:
            self._new_id(row, read_prediction(row.data, self._functions))

    def results(self, rows: Iterator[Row]) -> Iterator[Result]:
        """Words: the verdict's."""
        return executed(
            rows,
            self.executors,
            self._prepare,
            self._finish,
            repeat_where=self._is_wrong_value,
            accepted_where=self._is_accepted,
        )

    # -- before execution -------------------------------------------------------------------------------------

    def _prepare(self, row: Row) -> Work | Result:
        if _has_id(row.data):
            self._take_id(row)
            prediction, new_id = read_prediction(row.data, self._functions), ""
        else:
            prediction = read_prediction(row.data, self._functions)
            new_id = self._new_id(row, prediction)
        read = self._read(row, prediction, new_id)
        if read.verdict is not None:
            return self._result(row, read, read.verdict)
        return Work(row, read, [(read.prediction.function.program, read.given)])

    def _take_id(self, row: Row) -> None:
        """Of a row that came with one. Raises BadRowError where an earlier row has it."""
        key = _sample(row.data["id"], row.data)
        if key is not None:
            self.seen.refuse_repeated(key, row, f"repeats the id{' and index' if 'index' in row.data else ''} of", "id")

    def _new_id(self, row: Row, prediction: Prediction) -> str:
        """For a row that came without: the digest of what it says. Where an earlier row has that id, a digest over it and a
        number from 2, which is the row's place among those that say the same."""
        first = row_id = prediction.id
        number = self._repeats.get(first, 1)
        while self.seen.note(_sample(row_id, row.data) or "", row) != row.number:
            number += 1
            row_id = digest_of(first, str(number))
        if number > 1:
            self._repeats[first] = number
        return row_id

    def _read(self, row: Row, prediction: Prediction, new_id: str) -> _Read:
        judged_here = prediction.io_pred == "o" and not self.settings.execute_outputs
        known = self._known.of(prediction.pair) if judged_here else None
        program, likely = prediction.function.program, None if known is None else known.likely
        found = read_predicted(prediction.text, program, prediction.io_pred, self._rule, row.line, likely)
        read = _Read(prediction, found.value, found.style, new_id, found.fault)
        if found.fault:
            read.verdict = _NO_ANSWER
        elif known is not None:
            expected = prediction.pair.output
            same = found.value is expected
            read.verdict = known.itself if same else of_comparison(compare(found.value, expected, self._rule))
        return read

    # -- after it ---------------------------------------------------------------------------------------------

    def _finish(self, work: Work) -> Result:
        outcome = work.outcomes[0][0]
        return self._result(work.row, work.state, self._judged(outcome, work.state), outcome)

    def _result(self, row: Row, read: _Read, verdict: Verdict, outcome: Outcome | None = None) -> Result:
        prediction, data = read.prediction, row.data
        io_pred, word = prediction.io_pred, verdict.word
        said = self._constant.get((io_pred, word)) if outcome is None else None
        if said is None:
            message = feedback_text(
                self.texts,
                verdict,
                io_pred,
                predicted=read.predicted,
                expected=prediction.pair.output,
                limit=self._limits.idle_s if word == "wall-limit" else self._limits.cpu_s,
                varying=outcome is not None and outcome.varies is True,
                detail=read.detail,
                as_json=read.style == "json",
            )
            said = said_of(word, io_pred, message)
        function_id, pair_id = prediction.function.id, prediction.pair.id
        ids = {"function_id": function_id, "pair_id": pair_id, "id": read.new_id}
        added, takes_more = "", data.keys().isdisjoint(_NEW)
        for name, value in ids.items():
            if name not in data:
                added += f', "{name}": "{value}"'
            elif _is_lacking(data[name]):
                takes_more = False
        if takes_more:
            line = with_members(row.line, data, f'{said}, "answer_style": "{read.style}"{added}')
        else:
            lacking = {name: value for name, value in ids.items() if _is_lacking(data.get(name))}
            line = splice(row.line, data, {**json.loads(f"{{{said}}}"), "answer_style": read.style, **lacking})
        usage = [_usage_line(read.new_id or data["id"], data, word, outcome)] if self.settings.usage else ()
        self._rates.add(data, function_id, pair_id, read.new_id, word)
        return _made(row, _WORDS[word], (line,), usage, None, _counts(verdict), _NOTHING)

    def _is_wrong_value(self, outcome: Outcome, work: Work) -> bool:
        """Whether feedback will quote this value, or a verdict rest on it: not before a second run gave it too."""
        return self._judged(outcome, work.state).word == "wrong-answer"

    def _is_accepted(self, outcome: Outcome, work: Work) -> bool:
        return self._judged(outcome, work.state).word == "accepted"

    def _judged(self, outcome: Outcome, read: _Read) -> Verdict:
        """An output prediction is held against what the function returned; the recorded output is not asked."""
        if read.prediction.io_pred == "i":
            return judge(outcome, read.prediction.pair.output, self._rule)
        if not outcome.ok:
            return judge(outcome, None, self._rule)
        comparison = compare(read.predicted, outcome.value, self._rule)
        return Verdict("accepted" if comparison.equal else "wrong-answer", outcome, comparison)

    def passed(self) -> dict[str, int]:
        counted = self._executor.statistics()
        return {"recalled": counted.recalled, "shared": counted.shared}

    def conclude(self, partial: bool) -> dict[str, Any]:
        return {"pass_rates": write_pass_rates(self.output) if self._went_on else self._rates.write(self.output)}


def _is_lacking(given: Any) -> bool:
    return given is None or given == ""


def _has_id(row: dict[str, Any]) -> bool:
    return not _is_lacking(row.get("id"))


def _sample(given: Any, row: dict[str, Any]) -> str | None:
    """What tells a row from all others: samples of one prompt share its id and differ in `index`. None where the id is none
    that later stages take."""
    try:
        text, index = text_of_id(given), row.get("index")
    except ValueError:
        return None
    return f"{text}\0{index}" if index else text


_made = quick(Result)
_NEW = ("res", "verdict", "answer_style")
_NO_ANSWER = Verdict("no-answer")
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


def _usage_line(row_id: Any, row: dict[str, Any], word: str, outcome: Outcome | None) -> bytes:
    usage = outcome.usage if outcome else None
    record = {
        "id": row_id,
        **({"index": row["index"]} if "index" in row else {}),
        "verdict": word,
        "cpu_s": usage.cpu_s if usage else None,
        "wall_s": usage.wall_s if usage else None,
        "peak_bytes": usage.peak_bytes if usage else None,
        "attempts": outcome.attempts if outcome else 0,
        "disagreed_with": outcome.disagreed_with if outcome else None,
    }
    return dump_line(record)


verify = Verify.run
