"""Ends that the host may have caused are confirmed by further runs, alone on a worker.

A limit on time near its threshold is confirmed by a second run.
Processor time does not depend on waiting, yet a busy machine's colder caches make the same work cost more of it, so a check
whose need lies near the limit could get another word on another day. Every check that a limit ended is near it by what is
known: it was stopped there. The second run says whether it was ended by chance; where the two disagree, the one that came to
an end by itself stands, because it shows that the limit suffices, and the disagreement is counted and kept in the Outcome.

SIGKILL without a limit being passed is a program's own doing, or that of somebody outside: an operator, or the kernel of a host
without memory. A program that ends itself does it each time; three in a row are taken for its own.
"""

from dataclasses import replace

from reexec.policies.model import Limits

from ..outcome import Outcome

NEAR = 1.2
KILLS_BELIEVED = 3
_TIMED = ("cpu-limit", "wall-limit")


def is_near(outcome: Outcome, limits: Limits) -> bool:
    """Whether a limit on time ended it within 120 % of that limit. Below 80 % no limit ends anything; far above it are trees of
    processes that burn time together."""
    if not limits.confirm or outcome.kind not in _TIMED:
        return False
    return outcome.kind == "wall-limit" or outcome.usage.cpu_s <= NEAR * limits.cpu_s


def is_killed(outcome: Outcome) -> bool:
    """Whether SIGKILL ended the process of the check. An exception of that name has lines of its program."""
    return outcome.exception is not None and outcome.exception.type == "SIGKILL" and not outcome.exception.lines


def settle(first: Outcome, second: Outcome) -> Outcome:
    """The outcome of both runs."""
    if second.kind == first.kind:
        return second
    if second.kind in _TIMED or second.kind == "engine-error":
        return replace(first, attempts=second.attempts, disagreed_with=second.kind)
    return replace(second, disagreed_with=first.kind)
