"""The judgement on one prediction: an outcome, an expected value and a rule make one word.

    outcome                              word
    value, equal under the rule          accepted
    value, not equal                     wrong-answer
    exception                            runtime-error
    every other kind of outcome          the kind's own name

`no-answer` and `nondeterministic` come from runners, which see what an executor does not: the text of a prediction,
and several runs of one call.
"""

from dataclasses import dataclass, field
from typing import Any, Literal, cast

from reexec.policies.comparison import ComparisonRule

from ..outcome import Outcome
from .compare import Comparison, compare

VerdictWord = Literal[
    "accepted",
    "wrong-answer",
    "no-answer",
    "runtime-error",
    "cpu-limit",
    "wall-limit",
    "memory-limit",
    "output-limit",
    "process-limit",
    "denied",
    "early-exit",
    "bad-result",
    "nondeterministic",
    "engine-error",
]
VERDICT_WORDS: tuple[str, ...] = VerdictWord.__args__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One word, what it rests on, and the caller's id of the check."""

    word: VerdictWord
    outcome: Outcome | None = None
    comparison: Comparison | None = None
    id: Any = field(default=None)

    @property
    def accepted(self) -> bool:
        return self.word == "accepted"

    @property
    def scored(self) -> bool:
        """False where the engine failed: such a check says nothing about the prediction."""
        return self.word != "engine-error"


def judge(outcome: Outcome, expected: Any, rule: ComparisonRule, check_id: Any = None) -> Verdict:
    """The verdict on `outcome` where `expected` was wanted. Pure; never raises."""
    if outcome.kind == "value":
        comparison = compare(outcome.value, expected, rule)
        return Verdict("accepted" if comparison.equal else "wrong-answer", outcome, comparison, check_id)
    word = "runtime-error" if outcome.kind == "exception" else outcome.kind
    return Verdict(cast(VerdictWord, word), outcome, None, check_id)
