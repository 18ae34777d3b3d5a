"""What a worker's own processes have used and how they stand, from /proc: what tells a slow one from a stuck one, and one that
is on its way out from one that lives. Where there is no /proc, nothing is known."""

from pathlib import Path
from typing import NamedTuple

_EXITING = 0x4  # PF_EXITING, among the flags of a process


class Used(NamedTuple):
    """Of all processes together."""

    cpu_s: float = 0.0
    waited_s: float = 0.0
    """For a processor, while they could have run; 0 where the kernel does not tell."""
    stopped: bool = False
    """Whether a signal, or a debugger, stopped one of them."""


def used_by(*pids: int | None) -> Used:
    cpu_ns = waited_ns = 0
    stopped = False
    for pid in pids:
        if pid is None:
            continue
        try:
            for task in Path(f"/proc/{pid}/task").iterdir():
                ran, waited = (task / "schedstat").read_text().split()[:2]
                cpu_ns += int(ran)
                waited_ns += int(waited)
            stopped = stopped or _stat(pid)[0] in "Tt"
        except (OSError, ValueError, IndexError):
            continue  # it ended meanwhile
    return Used(cpu_ns / 1e9, waited_ns / 1e9, stopped)


def is_leaving(pid: int) -> bool:
    """Whether a process is gone, or has to be reaped, or is being taken apart by the kernel. False where nobody can tell."""
    try:
        fields = _stat(pid)
        return fields[0] in "ZX" or bool(int(fields[6]) & _EXITING)
    except (FileNotFoundError, ProcessLookupError):
        return True
    except (OSError, ValueError, IndexError):
        return False


def status_of_zombie(pid: int | None) -> int | None:
    """The exit status that a process waits to be reaped with, 128 + N for signal N; None where it is no zombie, or hides it."""
    try:
        fields = _stat(pid) if pid is not None else ["-"]
        code = int(fields[49]) if fields[0] == "Z" else 0
    except (OSError, ValueError, IndexError):
        return None
    if not code:  # also what a process of another user shows
        return None
    return 128 + (code & 0x7F) if code & 0x7F else code >> 8


def memory_kills() -> int | None:
    """Processes that the kernel has killed because memory ran out, on the whole host, since it started; None where it does not
    tell."""
    try:
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    except (OSError, ValueError):
        pass
    return None


def _stat(pid: int) -> list[str]:
    """From its state on: field 3 of proc(5) is the first."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
