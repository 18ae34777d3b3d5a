"""Processes that keep a machine busy. Each is in a session of its own, else the kernel's autogroup would give all of them the
share of one, and ends with its parent, so that a test run that is killed leaves no load behind."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_SPIN = """
import os, sys
parent = os.getppid()
if sys.argv[1:]:
    os.sched_setaffinity(0, [int(sys.argv[1])])
while os.getppid() == parent:
    for _ in range(200_000):
        pass
"""


@contextmanager
def busy(count: int, *, processor: int | None = None) -> Iterator[None]:
    """`count` processes that compute without end, on one processor where it is given."""
    where = [] if processor is None else [str(processor)]
    command = [sys.executable, "-S", "-c", _SPIN, *where]
    processes = [subprocess.Popen(command, start_new_session=True) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def busy_cores(per_core: int) -> int:
    return per_core * len(os.sched_getaffinity(0))
