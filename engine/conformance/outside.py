"""What the host sees of an executor at rest: what a check leaves behind shows as a difference.

Reads /proc; where a host has none, only what needs none is compared.
"""

import contextlib
import os
import re
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Self

import psutil

from ..executor import Executor
from ..jail import cgroup
from ..jail.backends import BACKENDS

_SYSV = ("shm", "sem", "msg")


@dataclass(frozen=True, slots=True)
class Outside:
    processes: int
    zombies: int
    host_descriptors: int
    temporary: int
    zygotes: tuple[tuple[str, ...], ...]
    """Of each zygote: descriptors, limits, nice value, scheduling policy, processors."""
    shared_memory: int
    ipc: tuple[int, ...]
    """SysV shared memory, semaphores and queues."""
    mounts: int
    """Of ours: others of this host come and go."""
    groups: int
    """Control groups of this process's workers."""
    resident: int = field(compare=False, default=0)

    def difference(self, other: "Outside") -> str:
        """What is not the same, in words; empty where nothing is."""
        told = []
        for name in (f.name for f in fields(self) if f.compare):
            old, new = getattr(self, name), getattr(other, name)
            if old == new:
                continue
            if name == "host_descriptors" and new < old:
                continue  # garbage of this process was collected meanwhile
            if name == "zygotes":
                had, has = {item for zygote in old for item in zygote}, {item for zygote in new for item in zygote}
                old, new = sorted(had - has), sorted(has - had)
            told.append(f"{name}: {old} became {new}")
        return "; ".join(told)

    @classmethod
    def look(cls, executor: Executor) -> Self:
        own = psutil.Process()
        statuses = Counter(process.status() for process in processes_of_workers())
        return cls(
            processes=statuses.total(),
            zombies=statuses[psutil.STATUS_ZOMBIE],
            host_descriptors=own.num_fds(),
            temporary=len(list(Path(tempfile.gettempdir()).glob("reexec-*"))),
            zygotes=tuple(sorted(describe_zygote(pid) for pid in executor.worker_pids())),
            shared_memory=_entries("/dev/shm") + _entries("/dev/mqueue"),  # noqa: S108 - it is only looked at
            ipc=tuple(_lines(f"/proc/sysvipc/{kind}") for kind in _SYSV),
            mounts=_lines("/proc/self/mountinfo", "reexec"),
            groups=_groups() if BACKENDS[executor.isolation].limits_tree else 0,
            resident=own.memory_info().rss,
        )


def _entries(folder: str) -> int:
    return len(os.listdir(folder)) if Path(folder).is_dir() else 0  # noqa: PTH208 - names only


def _lines(path: str, holding: str = "") -> int:
    try:
        return sum(holding in line for line in Path(path).read_text().splitlines())
    except OSError:
        return 0


def _groups() -> int:
    return sum(len(list(parent.glob(f"reexec-{os.getpid()}-*"))) for parent in cgroup.hierarchy().parents)


def describe_zygote(pid: int) -> tuple[str, ...]:
    proc = Path(f"/proc/{pid}")
    try:
        descriptors = sorted(re.sub(r"\d+|reexec-[^/]*", "N", str(link.readlink())) for link in (proc / "fd").iterdir())
    except PermissionError:  # an ordinary user may not look at a process without the dumpable bit
        descriptors = []
    stat = (proc / "stat").read_text().rpartition(")")[2].split()
    allowed = re.search(r"Cpus_allowed_list:\s*(\S+)", (proc / "status").read_text())
    limits = [
        line
        for line in (proc / "limits").read_text().splitlines()
        if not line.startswith("Max address space")  # the warm zygote's size in it differs from start to start
    ]
    # Which processor is the host's to say, and it may move a worker; that it is one must not change.
    processors = "one processor" if allowed and allowed.group(1).isdigit() else "several processors"
    return (*descriptors, *limits, f"nice {stat[16]}", f"policy {stat[38]}", processors)


def processes_of_workers() -> list[psutil.Process]:
    """Processes with the uids of this host process's workers. An ordinary user's workers have that user's own uid: then
    what descends from this process."""
    if os.geteuid() != 0:
        return psutil.Process().children(recursive=True)
    uids = [backend.own_uids() for backend in BACKENDS.values()]
    found = []
    for pid in psutil.pids():
        uid = _real_uid(pid)
        if any(uid in own for own in uids):
            with contextlib.suppress(psutil.NoSuchProcess):
                found.append(psutil.Process(pid))
    return found


def _real_uid(pid: int) -> int:
    """-1 where the process has gone. Read by hand: a suite asks this thousands of times about every process of the host."""
    try:
        with open(f"/proc/{pid}/status", "rb", buffering=0) as file:
            status = file.read(1 << 16)
    except (FileNotFoundError, ProcessLookupError):
        return -1
    return int(status.partition(b"\nUid:\t")[2].split(maxsplit=1)[0])


def settled(executor: Executor, wanted: Outside | None, seconds: float = 3.0) -> Outside:
    """What the host sees, as soon as it is `wanted`, or at the end of `seconds`."""
    until = time.monotonic() + seconds
    last = None
    while True:
        try:
            seen = Outside.look(executor)
        except (FileNotFoundError, ProcessLookupError, psutil.NoSuchProcess):
            seen = None  # a worker was just being replaced
        # At rest means twice the same: the I/O thread opens files of /proc for a moment now and then. A zombie is one of
        # another executor that has just ended, until the system's own init looks; one of this executor's would stay.
        at_rest = seen == wanted if wanted is not None else seen == last and seen is not None and not seen.zombies
        if seen is not None and (at_rest or time.monotonic() > until):
            return seen
        last = seen
        time.sleep(0.01)
