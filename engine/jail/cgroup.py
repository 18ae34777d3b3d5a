"""A control group for the checks of one worker: memory and processor time of everything that a check starts.

Owns the folders below /sys/fs/cgroup: `reexec-PID-RANDOM`, one a worker, under the caller's own group (cgroup v2: the nearest
group above it that may have children with a memory limit), removed with the worker, swept at the start of the next run where
a killed host left them. The zygote stays where the caller is; a child of it enters through a descriptor that was opened here
(zygote/group.py), so no permission is needed in the jail.
"""

import contextlib
import fcntl
import functools
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reexec.policies.model import Policy

from ..errors import IsolationUnavailableError

# Above what RLIMIT_AS gives one process: the zygote's pages that a check writes, page tables, pipes.
_SLACK_BYTES = 128 << 20
_PREFIX = "reexec-"
_SETTLED_S = 10.0  # younger groups may not have their lock yet


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Where groups can be made on this host."""

    version: int
    memory: Path
    cpu: Path | None
    """v1 has a hierarchy of its own for processor time; on v2 every group counts it."""

    @property
    def parents(self) -> tuple[Path, ...]:
        return (self.memory,) if self.cpu is None or self.cpu == self.memory else (self.memory, self.cpu)


def own_groups(cgroup_text: str, mountinfo_text: str) -> dict[str, Path]:
    """The caller's own folder for each v1 controller, and for v2 under the empty name, from /proc/self/cgroup and
    /proc/self/mountinfo. What is not mounted within view is left out."""
    mounts: dict[str, tuple[str, Path]] = {}
    for line in mountinfo_text.splitlines():
        before, _, after = line.partition(" - ")
        root, point = before.split()[3:5]
        kind, _, options = after.split(maxsplit=2)
        if kind == "cgroup2":
            mounts.setdefault("", (root, Path(point)))
        elif kind == "cgroup":
            for name in options.split(","):
                mounts.setdefault(name, (root, Path(point)))
    found = {}
    for line in cgroup_text.splitlines():
        _, names, group = line.split(":", 2)
        for name in names.split(","):
            if name in mounts:
                root, mounted_at = mounts[name]
                relative = os.path.relpath(group, root)
                if not relative.startswith(".."):
                    found[name] = mounted_at / relative
    return found


@functools.cache
def hierarchy() -> Hierarchy:
    """Raises IsolationUnavailableError with the reason where this process cannot make groups."""
    try:
        groups = own_groups(Path("/proc/self/cgroup").read_text(), Path("/proc/self/mountinfo").read_text())
    except OSError:
        raise IsolationUnavailableError("no control groups for checks: no /proc here", stage="make a control group") from None
    reasons = []
    if "memory" in groups:
        cpu = groups.get("cpuacct")
        reason = _why_not(groups["memory"]) or (_why_not(cpu) if cpu else "no cpuacct hierarchy is mounted")
        if not reason:
            return Hierarchy(1, groups["memory"], cpu)
        reasons.append(reason)
    elif "" in groups:
        for folder in _upwards(groups[""]):
            reason = _enable_memory(folder) or _why_not(folder)
            if not reason:
                return Hierarchy(2, folder, None)
            reasons.append(reason)
    raise IsolationUnavailableError(
        f"no control groups for checks: {reasons[0] if reasons else 'none are mounted here'}", stage="make a control group"
    )


def _upwards(folder: Path) -> Iterator[Path]:
    while (folder / "cgroup.controllers").exists():
        yield folder
        folder = folder.parent


def _enable_memory(folder: Path) -> str:
    try:
        if "memory" in (folder / "cgroup.subtree_control").read_text().split():
            return ""
        (folder / "cgroup.subtree_control").write_text("+memory")
    except OSError as error:
        return f"{folder} cannot give its children a memory limit ({os.strerror(error.errno or 0).lower()})"
    return ""


def _why_not(folder: Path) -> str:
    trial = folder / f"{_PREFIX}trial-{os.getpid()}"
    try:
        trial.mkdir()
        trial.rmdir()
    except OSError as error:
        return f"{folder} takes no new group ({os.strerror(error.errno or 0).lower()})"
    return ""


def sweep(where: Hierarchy) -> None:
    """Removes the groups whose owner is gone: a living one holds a lock on its folder."""
    for parent in where.parents:
        for folder in parent.glob(f"{_PREFIX}*"):
            try:
                if time.time() - folder.stat().st_mtime < _SETTLED_S:
                    continue
                fd = _locked(folder)
            except OSError:
                continue
            _remove(folder, 0.0)
            os.close(fd)


def _locked(folder: Path) -> int:
    """A descriptor that holds the folder's lock until it is closed. Raises OSError where somebody else has it."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise
    return fd


class WorkerGroup:
    """The groups of one worker's checks, and the descriptors that go into its jail."""

    def __init__(self, policy: Policy, slack_bytes: int = _SLACK_BYTES) -> None:
        """Raises IsolationUnavailableError where the host has no room for groups, OSError where making them fails."""
        where = hierarchy()
        sweep(where)
        self._fds: list[int] = []
        self._locks: list[int] = []
        name = f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
        self._folders = [parent / name for parent in where.parents]
        try:
            for folder in self._folders:
                folder.mkdir()
                self._locks.append(_locked(folder))
            memory = self._folders[0]
            most = str(policy.limits.memory_bytes + slack_bytes)
            if where.version == 1:
                (memory / "memory.limit_in_bytes").write_text(most)
                _write_where_it_exists(memory / "memory.memsw.limit_in_bytes", most)
                _write_where_it_exists(memory / "memory.swappiness", "0")
                events, cpu = memory / "memory.oom_control", self._folders[-1] / "cpuacct.usage"
                limit = memory / "memory.limit_in_bytes"
            else:
                (memory / "memory.max").write_text(most)
                _write_where_it_exists(memory / "memory.swap.max", "0")
                _write_where_it_exists(memory / "memory.oom.group", "1")
                events, cpu, limit = memory / "memory.events", memory / "cpu.stat", memory / "memory.max"
            # One process cannot hide its time: its own clock tells it for less.
            counted = self._folders if policy.limits.processes > 1 else self._folders[:1]
            self.info = {
                "enter": [self._open(folder / "cgroup.procs", os.O_WRONLY) for folder in counted],
                "events": self._open(events, os.O_RDONLY),
                "limit": self._open(limit, os.O_WRONLY),
                "slack_bytes": slack_bytes,
                "cpu": self._open(cpu, os.O_RDONLY) if policy.limits.processes > 1 else -1,
            }
        except OSError:
            self.remove()
            raise

    def _open(self, path: Path, flags: int) -> int:
        self._fds.append(os.open(path, flags | os.O_CLOEXEC))
        return self._fds[-1]

    @property
    def fds(self) -> tuple[int, ...]:
        return tuple(self._fds)

    def close_fds(self) -> None:
        """Once the jail has them."""
        while self._fds:
            os.close(self._fds.pop())

    def remove(self) -> None:
        """After the worker's end. The kernel may take a moment to see the last process gone."""
        self.close_fds()
        for folder in self._folders:
            _remove(folder, 1.0)
        while self._locks:
            os.close(self._locks.pop())


def _write_where_it_exists(path: Path, text: str) -> None:
    with contextlib.suppress(OSError):
        path.write_text(text)


def _remove(folder: Path, patience_s: float) -> None:
    until = time.monotonic() + patience_s
    while True:
        try:
            folder.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() >= until:
                return
            time.sleep(0.005)
