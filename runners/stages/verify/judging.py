"""What becomes of one prediction: its answer, the verdict where nothing needs to be executed, and the row of the output."""

import json
from dataclasses import dataclass
from typing import Any

from reexec.engine.judging.compare import compare
from reexec.engine.judging.verdict import Verdict, judge
from reexec.engine.outcome import Outcome
from reexec.engine.quick import quick
from reexec.policies.comparison import ComparisonRule

from ...records.ids import text_of_id
from ...records.predicted import read_predicted
from ...records.predictions import Prediction
from ...rows.row import Row
from ...rows.text import dump_line, splice, with_members
from ...texts import Texts
from .feedback import constants, feedback_text, said_of
from .known import KnownPairs, of_comparison, require_recorded


@dataclass(frozen=True, slots=True)
class JudgingTerms:
    """What decides what is said of a prediction, beside the functions."""

    rule: ComparisonRule
    texts: Texts
    cpu_s: float
    idle_s: float
    """The policy's limits, for what is said of them."""
    execute_outputs: bool
    usage: bool
    """Whether a line of usage is wanted for each row."""


@dataclass(slots=True)
class Read:
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


@dataclass(frozen=True, slots=True)
class Judged:
    """A row of the output."""

    line: bytes
    side: tuple[bytes, ...]
    word: str
    function_id: str
    pair_id: str


class Judge:
    def __init__(self, terms: JudgingTerms) -> None:
        self._terms, self._rule = terms, terms.rule
        self._known = KnownPairs(terms.rule)
        self._constant = constants(terms.texts)

    def read(self, row: Row, prediction: Prediction, new_id: str) -> Read:
        """`new_id`: what a row that came without an id gets for one."""
        judged_here = prediction.io_pred == "o" and not self._terms.execute_outputs
        if prediction.io_pred == "i":
            require_recorded(prediction.pair, self._rule)
        known = self._known.of(prediction.pair) if judged_here else None
        program, likely = prediction.function.program, None if known is None else known.likely
        found = read_predicted(prediction.text, program, prediction.io_pred, self._rule, row.line, likely)
        read = Read(prediction, found.value, found.style, new_id, found.fault)
        if found.fault:
            read.verdict = _NO_ANSWER
        elif known is not None:
            expected = prediction.pair.output
            same = found.value is expected
            read.verdict = known.itself if same else of_comparison(compare(found.value, expected, self._rule))
        return read

    def verdict(self, outcome: Outcome, read: Read) -> Verdict:
        """An output prediction is held against what the function returned; the recorded output is not asked."""
        if read.prediction.io_pred == "i":
            return judge(outcome, read.prediction.pair.output, self._rule)
        if not outcome.ok:
            return judge(outcome, None, self._rule)
        comparison = compare(read.predicted, outcome.value, self._rule)
        return Verdict("accepted" if comparison.equal else "wrong-answer", outcome, comparison)

    def judged(self, row: Row, read: Read, verdict: Verdict, outcome: Outcome | None = None) -> Judged:
        prediction, data, terms = read.prediction, row.data, self._terms
        io_pred, word = prediction.io_pred, verdict.word
        said = self._constant.get((io_pred, word)) if outcome is None else None
        if said is None:
            message = feedback_text(
                terms.texts,
                verdict,
                io_pred,
                predicted=read.predicted,
                expected=prediction.pair.output,
                limit=terms.idle_s if word == "wall-limit" else terms.cpu_s,
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
        side = (_usage_line(read.new_id or data["id"], data, word, outcome),) if terms.usage else ()
        return _judged(line, side, word, function_id, pair_id)


_judged = quick(Judged)
_NEW = ("res", "verdict", "answer_style")
_NO_ANSWER = Verdict("no-answer")


def _is_lacking(given: Any) -> bool:
    return given is None or given == ""


def has_id(row: dict[str, Any]) -> bool:
    return not _is_lacking(row.get("id"))


def sample_of(given: Any, row: dict[str, Any]) -> str | None:
    """What tells a row from all others: samples of one prompt share its id and differ in `index`. None where the id is none
    that later stages take."""
    try:
        text, index = text_of_id(given), row.get("index")
    except ValueError:
        return None
    return f"{text}\0{index}" if index else text


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
