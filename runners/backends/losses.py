"""What runs again after a node was lost: rules without I/O.

Of the tasks that a lost node had, one may have ended it, and the others had bad luck. All of them run again, in smaller company
each time: what was lost once shares a node with a few of its like, what was lost twice has a node to itself. So a task that
ends nodes takes few others along, and what is lost a third time was alone.
"""

from reexec.engine.outcome import Outcome

BELIEVED = 3
"""Nodes that a task is lost with before it is held to be the reason."""
_TOGETHER = {1: 8, 2: 1}


def together(losses: int, usual: int) -> int:
    """How many tasks may be on a node that has one of so many losses."""
    return min(usual, _TOGETHER.get(losses, usual))


def given_up(why: str) -> Outcome:
    return Outcome("engine-error", detail=f"{BELIEVED} nodes were lost while they ran this check; the last one: {why}")
