"""Why a worker ended: what it said of itself in its last words, or what the host saw. Decisions look at this and never at
a message's text."""

from __future__ import annotations

from enum import IntEnum


class WorkerEnd(IntEnum):
    BROKEN = 1
    """Something of the zygote's own went wrong."""
    CANNOT_FORK = 2
    """The host lets the worker start no process. Nothing of a check is left at that time, so no program is the cause."""
    OUT_OF_MEMORY = 3
    """The zygote itself had no memory left."""
    RETIRED = 4
    """It asked to be replaced, or the host no longer needs it; says nothing about the check it had."""
    # Only the host says these.
    HUNG_UP = 10
    BROKE_PROTOCOL = 11
    SILENT = 12
    """Past the backstop without a word."""


LAST_WORDS = frozenset((WorkerEnd.BROKEN, WorkerEnd.CANNOT_FORK, WorkerEnd.OUT_OF_MEMORY))
"""What a zygote may say in `fails`."""
