"""Which isolation level of the isolation levels to use here, and why not a higher one."""

from reexec.policies.model import IsolationLevel, Policy

from ..errors import IsolationUnavailableError
from . import restricted

IMPLEMENTED = (IsolationLevel.NSJAIL_CGROUP, IsolationLevel.NSJAIL, IsolationLevel.RESTRICTED, IsolationLevel.NONE)


def _wants(policy: Policy) -> dict[str, str]:
    """What a policy asks for that not every isolation level has, and the fields that ask."""
    limits = policy.limits
    wanted = {
        "processes": f"limits.processes={limits.processes}" if limits.processes > 1 else "",
        "scratch": f"limits.scratch_bytes={limits.scratch_bytes}" if limits.scratch_bytes else "",
    }
    return {name: field for name, field in wanted.items() if field}


# What an isolation level lacks, in words. `none` lacks all protection anyway: what it cannot limit it leaves unlimited.
_LACKS: dict[IsolationLevel, dict[str, str]] = {
    IsolationLevel.RESTRICTED: {
        "processes": "it allows one process and no threads",
        "scratch": "it has no writable folder of a fixed size",
    },
}


def refusal(isolation: IsolationLevel, policy: Policy) -> str:
    """Why `isolation level` cannot serve `policy`, on any host; empty where it can."""
    lacking = _LACKS.get(isolation, {})
    return "; ".join(f"{lacking[name]} ({field})" for name, field in _wants(policy).items() if name in lacking)


def hint(policy: Policy) -> str:
    """What to type where the host offers an isolation level that the policy does not accept."""
    weaker = policy.isolation.lowest.strength > IsolationLevel.RESTRICTED.strength
    if not weaker or restricted.why_not() or refusal(IsolationLevel.RESTRICTED, policy):
        return ""
    return "; it can give 'restricted': --set isolation.lowest=restricted accepts that"


def candidates(policy: Policy, only: IsolationLevel | None = None) -> list[IsolationLevel]:
    """Isolation levels to try, strongest first; `none` only where the policy names it; `only` is one that the caller
    insists on. Raises
    IsolationUnavailableError."""
    lowest = policy.isolation.lowest
    levels = [isolation for isolation in IMPLEMENTED if isolation.strength >= lowest.strength]
    if only is not None and only in IMPLEMENTED:
        if only not in levels:
            raise IsolationUnavailableError(
                f"isolation {only.value!r} is weaker than the policy accepts ({lowest.value!r}, at $.isolation.lowest)",
                stage="choose isolation",
            )
        return [only]
    if not levels:
        raise IsolationUnavailableError(
            f"the policy asks for isolation {lowest.value!r}, which this version does not offer; "
            f"the strongest is {IMPLEMENTED[0].value!r}, at $.isolation.lowest",
            stage="choose isolation",
        )
    return levels
