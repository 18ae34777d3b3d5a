"""A limit on time near its threshold is confirmed by a second run, alone on its worker.

Processor time does not depend on waiting, yet a busy machine's colder caches make the same work cost more of it, so a check
whose need lies near the limit could get another word on another day. Every check that a limit ended is near it by what is
known: it was stopped there. The second run says whether it was ended by chance; where the two disagree, the one that came to
an end by itself stands, because it shows that the limit suffices, and the disagreement is counted and kept in the Outcome.
"""

from dataclasses import replace

from reexec.policies.model import Limits

from ..outcome import Outcome

NEAR = 1.2
_TIMED = ("cpu-limit", "wall-limit")


def is_near(outcome: Outcome, limits: Limits) -> bool:
    """Whether a limit on time ended it within 120 % of that limit. Below 80 % no limit ends anything; far above it are trees of
    processes that burn time together."""
    if not limits.confirm or outcome.kind not in _TIMED:
        return False
    return outcome.kind == "wall-limit" or outcome.usage.cpu_s <= NEAR * limits.cpu_s


def settle(first: Outcome, second: Outcome) -> Outcome:
    """The outcome of both runs."""
    if second.kind == first.kind:
        return second
    if second.kind in _TIMED or second.kind == "engine-error":
        return replace(first, attempts=second.attempts, disagreed_with=second.kind)
    return replace(second, disagreed_with=first.kind)
