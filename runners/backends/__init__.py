"""Checks on many machines, or in many processes of one: an executor like `reexec.Executor`, whose pools are elsewhere.

    driver (one process)                              node (a process on each machine)
    NodesExecutor ─ stream ─> Fleet ─ link ───────────> NodeWork ─> Executor, with its workers
                                 ^                          │
                                 └────── outcomes ──────────┘

driver      reads rows, decides what is checked, judges, writes. It alone knows expected answers: nodes get programs and calls
fleet       owns every task that is not answered yet, and says which node has it. One lock
link        what a transport makes of a node: sends frames, tells the fleet of frames and of the node's end
node        owns its executors (one for each policy) and what they run. It keeps nothing that the driver could not send again

What happens:

a node is lost        its tasks go back to the front and run elsewhere; a node in its place is taken where there is one
a check ends nodes    a task that two nodes were lost under runs alone on its node; after the third it is `engine-error`
all nodes are lost    the fleet waits a minute for others, then the run ends; the same command goes on where it stopped
the driver is killed  a node's link ends with it: the node ends its executors, and itself
Ctrl-C                the driver closes the fleet on its way out; nodes do not see the key
a slow node           is given more only as it answers; what it holds when all else is done is waited for
a node hangs          it says that it lives every second; after a minute without a word it is lost
nodes differ          in Python, packages, isolation or machine, or have another reexec than the driver: refused with both
                      values, before any check runs
a frame is no good    the node says so, and is lost: an answer is never waited for in vain

    wire        tasks and outcomes as frames         losses     what runs again after a loss
    node        the node's side                      link       one node, as the driver sees it
    fleet       the driver's side                    likeness   whether nodes are alike
    executor    NodesExecutor: the public door       stream     many calls at once, in order
    processes   nodes that are processes here        ray_cluster   nodes of a Ray cluster
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .fleet import Fleet


@contextmanager
def opened(
    backend: str, address: str | None = None, nodes: int | None = None, tell: Callable[[str], None] = lambda _: None
) -> "Iterator[Fleet]":
    """A fleet of `processes` (so many `nodes`, a default where None) or of a `ray` cluster (at `address`), closed at the end.
    Raises UsageError where a library is missing, EngineError where there are no nodes."""
    from .fleet import Fleet

    if backend == "ray":
        from .ray_cluster import RayCluster

        fleet = Fleet(RayCluster(address), tell=tell)
    else:
        from .processes import Processes, default_count

        fleet = Fleet(Processes(nodes or default_count()), tell=tell)
    try:
        yield fleet
    finally:
        fleet.close()
