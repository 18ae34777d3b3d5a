"""Which rung of the isolation ladder to use here, and why not a higher one."""

from reexec.policies.model import Policy, Rung

from ..errors import IsolationUnavailableError

# restricted has its name and its place, and nobody behind it yet.
IMPLEMENTED = (Rung.NSJAIL_CGROUP, Rung.NSJAIL, Rung.NONE)


def candidates(policy: Policy) -> list[Rung]:
    """Rungs to try, strongest first; `none` only where the policy names it. Raises IsolationUnavailableError."""
    lowest = policy.isolation.lowest
    rungs = [rung for rung in IMPLEMENTED if rung.strength >= lowest.strength]
    if not rungs:
        raise IsolationUnavailableError(
            f"the policy asks for isolation {lowest.value!r}, which this version does not offer; "
            f"the strongest is {IMPLEMENTED[0].value!r}, at $.isolation.lowest",
            stage="choose isolation",
        )
    return rungs
