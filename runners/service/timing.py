"""Time limits that a request names, under an executor whose own limits are its policy's.

The policy ends a program at its own limits. A request of a foreign protocol may want less: what took longer than that is
reported as out of time. A program that computed for too long is so at once; one that was only slow to come back (asleep, or the
machine was busy) gets a second run, so that a busy machine alone decides nothing.
"""

from collections.abc import Awaitable, Callable

from reexec.engine.outcome import Outcome

LIMITS_ON_TIME = ("cpu-limit", "wall-limit")


async def run_within(limit_s: float, run: Callable[[], Awaitable[Outcome]]) -> tuple[Outcome, bool]:
    """What `run` gives, and whether it was out of time."""
    outcome = await run()
    if _is_slow(outcome, limit_s) and not _is_late(outcome, limit_s):
        outcome = await run()
    return outcome, _is_late(outcome, limit_s) or _is_slow(outcome, limit_s)


def _is_late(outcome: Outcome, limit_s: float) -> bool:
    return outcome.kind in LIMITS_ON_TIME or outcome.usage.cpu_s > limit_s


def _is_slow(outcome: Outcome, limit_s: float) -> bool:
    return outcome.usage.wall_s > limit_s
