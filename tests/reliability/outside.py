"""What the host sees of one run, and of no other one on the same machine: processes by their tree and by their uids, control
groups by the pid in their name, temporary folders below a folder of the run's own."""

import os
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import psutil

from reexec.engine.errors import IsolationUnavailableError
from reexec.engine.jail import cgroup
from reexec.engine.jail.config import own_uids


def children(pid: int) -> list[int]:
    """Of all threads of a process, from /proc: for less than a look at every process of the machine."""
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            found += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    except OSError:
        pass  # it ended meanwhile
    return found


@dataclass(frozen=True, slots=True)
class Tree:
    """The processes below a host process."""

    jails: list[int]
    """nsjail, one a worker."""
    zygotes: list[int]
    checks: list[int]

    @classmethod
    def below(cls, host: int, but_not: Collection[int] = ()) -> "Tree":
        """`but_not`: children of the host that have nothing to do with workers."""
        jails = [pid for pid in children(host) if pid not in but_not]
        zygotes = [pid for jail in jails for pid in children(jail)]
        return cls(jails, zygotes, [pid for zygote in zygotes for pid in children(zygote)])


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def processes_of(host: int) -> list[int]:
    """Living processes with the uids of this host process's workers. Of use to root's runs only: an ordinary user's workers
    have that user's own uid."""
    if os.geteuid() != 0:
        return []
    uids = own_uids(host)
    found = []
    for process in psutil.process_iter():
        try:
            if process.uids().real in uids and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.NoSuchProcess:
            pass
    return found


def groups_of(host: int) -> list[Path]:
    """Control groups that this host process made and nobody has removed yet."""
    try:
        parents = cgroup.hierarchy().parents
    except IsolationUnavailableError:
        return []
    return [folder for parent in parents for folder in parent.glob(f"reexec-{host}-*")]


def members(group: Path) -> list[int]:
    try:
        return [int(pid) for pid in (group / "cgroup.procs").read_text().split()]
    except OSError:
        return []


def wait_until(holds: Callable[[], object], seconds: float, what: str) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, f"not within {seconds} s: {what}"
        time.sleep(0.01)


def assert_nothing_runs(host: int, known: list[int], seconds: float = 30.0) -> None:
    """Within `seconds` no process that was seen below `host`, or has a uid of its workers, is left, and its control groups
    are empty. The groups themselves are removed by the next run."""
    wait_until(lambda: not [pid for pid in known if is_alive(pid)], seconds, f"everything below {host} gone")
    wait_until(lambda: not processes_of(host), seconds, f"no process with a uid of {host}'s workers")
    assert not [pid for group in groups_of(host) for pid in members(group)], "a process in a group of a dead host"
