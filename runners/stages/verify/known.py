"""What verify knows of a pair that many responses are about, worked out once."""

from dataclasses import dataclass

from reexec.engine.errors import UsageError
from reexec.engine.judging.attainable import require_attainable
from reexec.engine.judging.compare import Comparison, compare
from reexec.engine.judging.verdict import Verdict
from reexec.policies.comparison import ComparisonRule

from ...answers import MAX_DIGITS, Likely
from ...records.functions import Pair
from ...rows.text import BadRowError, dump

_MOST = 4096


@dataclass(frozen=True, slots=True)
class KnownPair:
    likely: Likely | None
    """The right answer as JSON; None where it is long."""
    itself: Verdict
    """Of the recorded output where it is predicted: a rule may say that not even NaN is NaN."""


class KnownPairs:
    """Those met last."""

    def __init__(self, rule: ComparisonRule) -> None:
        self._rule = rule
        self._known: dict[str, KnownPair] = {}

    def of(self, pair: Pair) -> KnownPair:
        known = self._known.get(pair.id)
        if known is None:
            if len(self._known) >= _MOST:
                self._known.clear()
            require_recorded(pair, self._rule)
            text = dump({"output": pair.output})
            likely = Likely(text, pair.output) if len(text) <= MAX_DIGITS else None
            known = self._known[pair.id] = KnownPair(likely, of_comparison(compare(pair.output, pair.output, self._rule)))
        return known


def require_recorded(pair: Pair, rule: ComparisonRule) -> None:
    """Raises BadRowError where no value can be the recorded output."""
    try:
        require_attainable(pair.output, rule)
    except UsageError as error:
        raise BadRowError(f"its function cannot be used: {error}") from None


def of_comparison(comparison: Comparison) -> Verdict:
    """The verdict on a value that nothing had to be executed for."""
    return Verdict("accepted" if comparison.equal else "wrong-answer", None, comparison)
