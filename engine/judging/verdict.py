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

from ..errors import UsageError
from ..json_form import from_plain, members, to_plain
from ..outcome import Outcome
from ..quick import quick
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

    def to_json(self) -> dict[str, Any]:
        """As objects that every JSON writer takes; `from_json` makes an equal Verdict of it. Raises UsageError where the
        caller's `id` is no plain value."""
        found = self.comparison
        return {
            "word": self.word,
            "outcome": None if self.outcome is None else self.outcome.to_json(),
            "comparison": None if found is None else {"equal": found.equal, "path": found.path, "reason": found.reason},
            "id": to_plain(self.id, "$.id"),
        }

    @classmethod
    def from_json(cls, data: Any) -> "Verdict":
        """The Verdict of `to_json`. Raises UsageError."""
        fields = members(data, "a verdict", "word", "outcome", "comparison", optional=("id",))
        if fields["word"] not in VERDICT_WORDS:
            raise UsageError(f"no verdict: {fields['word']!r}, at $.word")
        outcome, found = fields["outcome"], fields["comparison"]
        return cls(
            fields["word"],
            None if outcome is None else Outcome.from_json(outcome),
            None if found is None else Comparison(**members(found, "a comparison", "equal", "path", "reason")),
            from_plain(fields["id"], "$.id"),
        )

    @property
    def scored(self) -> bool:
        """False where the engine failed: such a check says nothing about the prediction."""
        return self.word != "engine-error"


_verdict = quick(Verdict)


def judge(outcome: Outcome, expected: Any, rule: ComparisonRule, check_id: Any = None) -> Verdict:
    """The verdict on `outcome` where `expected` was wanted. Pure; never raises."""
    if outcome.kind == "value":
        comparison = compare(outcome.value, expected, rule)
        return _verdict("accepted" if comparison.equal else "wrong-answer", outcome, comparison, check_id)
    word = "runtime-error" if outcome.kind == "exception" else outcome.kind
    return Verdict(cast(VerdictWord, word), outcome, None, check_id)
