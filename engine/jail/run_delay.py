"""How long a check was runnable without running: what tells a sleeping program from a starved one."""

from pathlib import Path

import psutil


def run_delay_us(zygote_pid: int) -> int:
    """Microseconds that all threads of the zygote's children, and of theirs, spent waiting for a processor; -1 where the
    kernel does not tell (no CONFIG_SCHED_INFO). Those that have ended are not counted any more. Source:
    /proc/PID/task/TID/schedstat, second field, nanoseconds."""
    if not Path("/proc/self/schedstat").exists():
        return -1
    total = 0
    try:
        for child in psutil.Process(zygote_pid).children(recursive=True):
            total += sum(map(_delay_ns, _tasks(child.pid)))
    except (psutil.Error, OSError, ValueError, IndexError):  # OSError: no descriptor left to look with, say
        return -1
    return total // 1000


def _tasks(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return []


def _delay_ns(task: Path) -> int:
    try:
        return int((task / "schedstat").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it ended meanwhile
