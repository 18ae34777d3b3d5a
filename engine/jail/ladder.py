"""Which rung of the isolation ladder to use here, and why not a higher one."""

from reexec.policies.model import Policy, Rung

from ..errors import IsolationUnavailableError
from . import restricted

IMPLEMENTED = (Rung.NSJAIL_CGROUP, Rung.NSJAIL, Rung.RESTRICTED, Rung.NONE)


def _wants(policy: Policy) -> dict[str, str]:
    """What a policy asks for that not every rung has, and the fields that ask."""
    limits = policy.limits
    wanted = {
        "processes": f"limits.processes={limits.processes}" if limits.processes > 1 else "",
        "scratch": f"limits.scratch_bytes={limits.scratch_bytes}" if limits.scratch_bytes else "",
    }
    return {name: field for name, field in wanted.items() if field}


# What a rung lacks, in words. `none` lacks all protection anyway: what it cannot limit it leaves unlimited.
_LACKS: dict[Rung, dict[str, str]] = {
    Rung.RESTRICTED: {
        "processes": "it allows one process and no threads",
        "scratch": "it has no writable folder of a fixed size",
    },
}


def refusal(rung: Rung, policy: Policy) -> str:
    """Why `rung` cannot serve `policy`, on any host; empty where it can."""
    lacking = _LACKS.get(rung, {})
    return "; ".join(f"{lacking[name]} ({field})" for name, field in _wants(policy).items() if name in lacking)


def hint(policy: Policy) -> str:
    """What to type where the host offers a rung that the policy does not accept."""
    weaker = policy.isolation.lowest.strength > Rung.RESTRICTED.strength
    if not weaker or restricted.why_not() or refusal(Rung.RESTRICTED, policy):
        return ""
    return "; it can give 'restricted': --set isolation.lowest=restricted accepts that"


def candidates(policy: Policy, only: Rung | None = None) -> list[Rung]:
    """Rungs to try, strongest first; `none` only where the policy names it; `only` is one that the caller insists on. Raises
    IsolationUnavailableError."""
    lowest = policy.isolation.lowest
    rungs = [rung for rung in IMPLEMENTED if rung.strength >= lowest.strength]
    if only is not None and only in IMPLEMENTED:
        if only not in rungs:
            raise IsolationUnavailableError(
                f"isolation {only.value!r} is weaker than the policy accepts ({lowest.value!r}, at $.isolation.lowest)",
                stage="choose isolation",
            )
        return [only]
    if not rungs:
        raise IsolationUnavailableError(
            f"the policy asks for isolation {lowest.value!r}, which this version does not offer; "
            f"the strongest is {IMPLEMENTED[0].value!r}, at $.isolation.lowest",
            stage="choose isolation",
        )
    return rungs
