"""Keeps every worker on one processor.

A check is a short fork of its zygote. Where the two run on different processors each of them wakes the other across, and
every page that the zygote writes must be flushed from the other's translation cache: measured, a worker tied to one
processor does 1.25 to 1.3 times the checks. Tied workers cannot dodge other load by themselves, so one that waits for its
processor while another stands idle is moved there.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from .worker import State, Worker

CHECK_S = 0.5
WAITING_SHARE, IDLE_SHARE = 0.25, 0.4


class Placement:
    def __init__(self) -> None:
        self._cpus = sorted(os.sched_getaffinity(0))
        self._cpu_of: dict[Worker, int] = {}
        self._delays: dict[Worker, int] = {}
        self._idle = _idle_ticks()
        self._checked = 0.0

    def place(self, worker: Worker) -> None:
        """Ties a worker that has come up to the processor with the fewest of ours; executors begin at different ones."""
        taken = list(self._cpu_of.values())
        first = os.getpid() % len(self._cpus)
        turn = self._cpus[first:] + self._cpus[:first]
        self._tie(worker, min(turn, key=taken.count))

    def forget(self, worker: Worker) -> None:
        self._cpu_of.pop(worker, None)
        self._delays.pop(worker, None)

    def review(self, now: float, workers: Iterable[Worker]) -> None:
        """Moves workers that wait while another processor stands idle; looks at most every CHECK_S seconds."""
        elapsed = now - self._checked
        if elapsed < CHECK_S or len(self._cpus) < 2:
            return
        self._checked = now
        idle = _idle_ticks()
        tick = os.sysconf("SC_CLK_TCK")
        free = {cpu: (idle.get(cpu, 0) - self._idle.get(cpu, 0)) / tick / elapsed for cpu in self._cpus}
        self._idle = idle
        for worker in workers:
            delay = _delay_ns(worker)
            waited = (delay - self._delays.get(worker, delay)) / 1e9 / elapsed
            self._delays[worker] = delay
            best = max(self._cpus, key=lambda cpu: free[cpu])
            if worker.state is State.BUSY and waited > WAITING_SHARE and free[best] > IDLE_SHARE:
                self._tie(worker, best)
                free[best] = 0.0

    def _tie(self, worker: Worker, cpu: int) -> None:
        try:
            for pid in (worker.zygote_pid, *_children(worker)):
                if pid is not None:
                    os.sched_setaffinity(pid, {cpu})
        except OSError:
            return  # gone, or not ours to move: it stays where it is
        self._cpu_of[worker] = cpu


def _idle_ticks() -> dict[int, int]:
    """Idle time of each processor, from /proc/stat."""
    try:
        lines = Path("/proc/stat").read_text().splitlines()
    except OSError:  # no descriptor left: nobody is moved
        return {}
    fields = [line.split() for line in lines if line.startswith("cpu") and line[3].isdigit()]
    return {int(field[0][3:]): int(field[4]) + int(field[5]) for field in fields}


def _children(worker: Worker) -> list[int]:
    pid = worker.zygote_pid
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (OSError, ValueError):
        return []


def _delay_ns(worker: Worker) -> int:
    """Time spent runnable without running, of the zygote and its check."""
    total = 0
    for pid in (worker.zygote_pid, *_children(worker)):
        try:
            total += int(Path(f"/proc/{pid}/schedstat").read_text().split()[1])
        except (OSError, ValueError, IndexError):
            continue
    return total
