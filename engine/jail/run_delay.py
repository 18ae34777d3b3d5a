"""How long a check was runnable without running: what tells a sleeping program from a starved one."""

import os
from collections.abc import Iterator
from pathlib import Path

import psutil

UNKNOWN = -1


class RunDelays:
    """Asked about the checks of one zygote, one after the other."""

    def __init__(self, zygote_pid: int) -> None:
        self._zygote = zygote_pid
        self._check = -1
        self._threads: dict[tuple[int, int], int] = {}
        self._waited_ns = self._idle_us = 0
        self._processor: tuple[int, int] | None = None  # and how long it has stood idle

    def of(self, check_id: int) -> tuple[int, int, bool]:
        """Microseconds: (what all threads of the check spent waiting for a processor, each for itself; for how long the
        processor that they are tied to stood idle, since the first question about this check). Both only grow; threads that
        have ended since they were last seen are missing. The first is UNKNOWN where the kernel does not tell (no
        CONFIG_SCHED_INFO), the second does not grow where there is more than one processor. Third, whether a thread is
        runnable now, or in the kernel's hands: a wait is counted when it is over."""
        if not Path("/proc/self/schedstat").exists():
            return UNKNOWN, 0, False
        if check_id != self._check:
            self._check, self._threads, self._waited_ns, self._idle_us, self._processor = check_id, {}, 0, 0, None
        try:
            threads = dict(_delays_ns(self._zygote))
            runnable = not threads or any(_is_kept_waiting(pid, tid) for pid, tid in threads)
            self._count_idle()
        except (psutil.Error, OSError, ValueError, IndexError):  # OSError: no descriptor left to look with, say
            return UNKNOWN, 0, False
        self._waited_ns += sum(max(0, delay - self._threads.get(thread, 0)) for thread, delay in threads.items())
        self._threads = threads
        return self._waited_ns // 1000, self._idle_us, runnable

    def _count_idle(self) -> None:
        processors = os.sched_getaffinity(self._zygote)
        if len(processors) != 1:
            self._processor = None
            return
        (number,) = processors
        idle_us = _idle_us(number)
        if self._processor is not None and self._processor[0] == number:
            self._idle_us += max(0, idle_us - self._processor[1])
        self._processor = number, idle_us


def _delays_ns(zygote_pid: int) -> Iterator[tuple[tuple[int, int], int]]:
    """Of every thread of the zygote's children, and of theirs. Source: /proc/PID/task/TID/schedstat, second field."""
    for child in psutil.Process(zygote_pid).children(recursive=True):
        try:
            tasks = list(Path(f"/proc/{child.pid}/task").iterdir())
        except (FileNotFoundError, ProcessLookupError):
            continue
        for task in tasks:
            try:
                yield (child.pid, int(task.name)), int((task / "schedstat").read_text().split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended meanwhile


def _is_kept_waiting(pid: int, tid: int) -> bool:
    """By a processor, or in the kernel by a disk or a lock of the host's, as when it enters its control group."""
    try:
        return Path(f"/proc/{pid}/task/{tid}/stat").read_text().rpartition(")")[2].split()[0] in "RD"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _idle_us(processor: int) -> int:
    """Idle time of a processor, waiting for disks included, from /proc/stat."""
    name = f"cpu{processor} "
    with open("/proc/stat") as file:
        for line in file:
            if line.startswith(name):
                fields = line.split()
                return (int(fields[4]) + int(fields[5])) * 1_000_000 // os.sysconf("SC_CLK_TCK")
    return 0
