"""Workers of executors that share a machine."""

import os
from typing import Literal

Part = Literal["all", "first half", "second half", "one"]


def part_of(workers: int | None, part: Part) -> int:
    """How many of the workers (the machine's processors where None) a part is; one at least."""
    count = len(os.sched_getaffinity(0)) if workers is None else workers
    match part:
        case "all":
            return count
        case "first half":
            return max(1, count - max(1, count // 2))
        case "second half":
            return max(1, count // 2)
    return 1
