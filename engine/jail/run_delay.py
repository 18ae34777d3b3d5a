"""How long a check was runnable without running: what tells a sleeping program from a starved one."""

from pathlib import Path

import psutil


def run_delay_us(zygote_pid: int) -> int:
    """Microseconds that all threads of the zygote's children spent waiting for a processor; -1 where the kernel does not
    tell (no CONFIG_SCHED_INFO). Source: /proc/PID/task/TID/schedstat, second field, nanoseconds."""
    total = 0
    try:
        children = psutil.Process(zygote_pid).children()
        for child in children:
            for task in Path(f"/proc/{child.pid}/task").iterdir():
                total += int((task / "schedstat").read_text().split()[1])
    except (OSError, ValueError, IndexError, psutil.Error):
        return -1
    return total // 1000
