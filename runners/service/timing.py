"""Time limits that a request names, under an executor whose own limits are its policy's.

The policy ends a program at its own limits. A request of a foreign protocol may want less. What used more processor time than
that is late, and so is what was mostly asleep for longer than that. What is still running after twice the limit and a second is
ended: its client does not wait for ever. So a program is late for a busy machine alone only where it gets less than half a
processor.
"""

import asyncio
import time

from reexec.engine.outcome import Outcome

from .work import Shop, Ticket, outcome_of

LIMITS_ON_TIME = ("cpu-limit", "wall-limit")
FACTOR, MORE_S = 2.0, 1.0
_LOOK_S = 0.25


async def within(limit_s: float, shop: Shop, ticket: Ticket) -> tuple[Outcome | None, bool]:
    """The outcome of a call, None where it was ended here, and whether it was late. Raises DeadlineExceededError."""
    if not await _ends_within(FACTOR * limit_s + MORE_S, ticket):
        return None, True
    outcome, _ = await outcome_of(shop, ticket)
    return outcome, _is_late(outcome, limit_s)


async def _ends_within(most_s: float, ticket: Ticket) -> bool:
    """Ends the call where a worker has had it for longer."""
    done = asyncio.ensure_future(ticket.done())
    since: float | None = None
    try:
        while not (await asyncio.wait({done}, timeout=min(_LOOK_S, most_s)))[0]:
            now = time.monotonic()
            since = (since or now) if ticket.future.running() else None
            if since is not None and now - since > most_s:
                return False
        return True
    finally:
        done.cancel()  # where it is not done, the call ends with it


def _is_late(outcome: Outcome, limit_s: float) -> bool:
    usage = outcome.usage
    asleep = usage.wall_s > limit_s and usage.cpu_s < usage.wall_s / 2
    return outcome.kind in LIMITS_ON_TIME or usage.cpu_s > limit_s or asleep
