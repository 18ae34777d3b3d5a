"""Which isolation level to use for a policy, strongest first."""

from reexec.policies.model import IsolationLevel, Policy

from ..addresses import memory_hint
from ..errors import IsolationUnavailableError
from .backends import BACKENDS, Backend

IMPLEMENTED = tuple(BACKENDS)
"""Strongest first."""


def backend_of(isolation: IsolationLevel) -> Backend:
    return BACKENDS[isolation]


def hint(policy: Policy) -> str:
    """What to type where a check cannot get the memory that the policy grants, or where the host offers an isolation level that
    the policy does not accept."""
    lower = memory_hint(policy.limits.memory_bytes)
    if lower:
        return f"; lower the limit: {lower}"
    weaker = BACKENDS[IsolationLevel.RESTRICTED]
    accepted = policy.isolation.lowest.strength <= weaker.level.strength
    if accepted or weaker.unavailable() or weaker.refuses(policy):
        return ""
    return f"; it can give {weaker.level.value!r}: --set isolation.lowest={weaker.level.value} accepts that"


def candidates(policy: Policy, only: IsolationLevel | None = None) -> list[IsolationLevel]:
    """Isolation levels to try, strongest first; `none` only where the policy names it; `only` is one that the caller
    insists on. Raises IsolationUnavailableError."""
    lowest = policy.isolation.lowest
    levels = [isolation for isolation in IMPLEMENTED if isolation.strength >= lowest.strength]
    if only is None:
        return levels
    if only not in levels:
        raise IsolationUnavailableError(
            f"isolation {only.value!r} is weaker than the policy accepts ({lowest.value!r}, at $.isolation.lowest)",
            stage="choose isolation",
        )
    return [only]
