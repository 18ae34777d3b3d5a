"""The isolation level `restricted`: workers on hosts where nobody may make user namespaces, as in many containers.

No jail is built. The worker's process gives up what it must not have, in two steps: ids, groups, capabilities, descriptors and
limits before it starts (entry/restrict.py); files, network and system calls once it is warm (zygote/start/confine.py).
"""

import errno
import functools
import itertools
import json
import os
import platform
import secrets
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from reexec.policies.model import IsolationLevel

from ...errors import IsolationUnavailableError
from ...zygote.start import landlock
from ..binds import Bind, out_of_reach, wanted_binds
from ..config import environment, zygote_command
from ..entry import restrict
from ..launch import Command, Terms
from ..seccomp import Grant, UnsupportedArchitectureError, child_filter, zygote_filter
from .base import EVERYWHERE, Backend, Start, caller_is_root, write_harness

# Above what nsjail's workers get (config.py). No two workers may share a uid, because the limit on processes counts all of
# them. So the block of a process is drawn by lot, not made of its pid: two containers on one host have the same pids.
_UID_BASE = 2_010_000_000
_UIDS_PER_PROCESS = 1024
_BLOCK = secrets.randbelow(120_000)
_LOW_UIDS, _HIGH_UIDS = 20_480, 60_416  # where only 65,536 ids exist, as in rootless containers
_COUNTER = itertools.count()

_ROOM_FOR_START = 256  # descriptors while an interpreter starts
_DEVICES = ("/dev/null",)


class RestrictedBackend(Backend):
    level = IsolationLevel.RESTRICTED
    enforces = EVERYWHERE | {"processes"}
    lacks: ClassVar[dict[str, str]] = {
        "processes": "it allows one process and no threads",
        "scratch_bytes": "it has no writable folder of a fixed size",
    }

    def unavailable(self) -> str:
        return _why_not()

    def own_uids(self) -> range:
        return _own_uids() if caller_is_root() else range(0)

    def _command(self, start: Start) -> Command:
        reason = self.unavailable()
        if reason:
            raise IsolationUnavailableError(reason, stage="restrict a worker")
        command = zygote_command(start.interpreter, start.channel_fd, folder=write_harness(start.folder), alone=False)
        _open_to_all(Path(start.folder))
        hidden = [bind.target for bind in wanted_binds(start.interpreter) if caller_is_root() and out_of_reach(bind.target)]
        if caller_is_root() and out_of_reach(start.folder):
            raise IsolationUnavailableError(
                f"the folder for temporary files, {Path(start.folder).parent}, is closed to others; "
                "set TMPDIR to one that is not",
                stage="restrict a worker",
            )
        task = json.dumps(_task(start, hidden))
        return Command(
            [sys.executable, "-I", "-S", restrict.__file__, task, "--", *command], environment(start.policy, start.cache)
        )

    def _terms(self, start: Start) -> Terms:
        terms = super()._terms(start)
        own_count = {"NPROC": 1 + start.policy.limits.processes} if caller_is_root() else {}  # the zygote is one
        return replace(
            terms,
            rlimits=terms.rlimits | own_count,
            filter=zygote_filter(frozenset({Grant.RESTRICTED, Grant.OWN_FILTER} if _needs_filter() else {Grant.RESTRICTED})),
            confinement=_confinement(wanted_binds(start.interpreter)),
        )


@functools.cache
def _why_not() -> str:
    """Why this host cannot offer the isolation level, with what mends it; empty where it can."""
    try:
        child_filter()
    except UnsupportedArchitectureError as error:
        return str(error)
    if landlock.version():
        return ""
    reason = landlock.why_none()
    if reason == errno.EOPNOTSUPP:
        return "Landlock is off in this kernel; boot it with landlock among the names of lsm= on its command line"
    if reason == errno.EPERM:
        return "Landlock is forbidden here by a system-call filter; docker run --security-opt seccomp=FILE takes another one"
    return f"Landlock is not in this kernel ({platform.release()}): Linux 5.13 or newer has it"


def _own_uids() -> range:
    first = _UID_BASE + _BLOCK * _UIDS_PER_PROCESS
    if not _is_mapped(first):
        blocks = (_HIGH_UIDS - _LOW_UIDS) // _UIDS_PER_PROCESS
        first = _LOW_UIDS + _BLOCK % blocks * _UIDS_PER_PROCESS
    return range(first, first + _UIDS_PER_PROCESS)


def _is_mapped(uid: int) -> bool:
    try:
        lines = Path("/proc/self/uid_map").read_text().splitlines()
    except OSError:
        return True  # no /proc: the first user namespace, or the script says what went wrong
    return any(int(inside) <= uid < int(inside) + int(count) for inside, _, count in map(str.split, lines))


def _ids_of_next_worker() -> tuple[int, int]:
    """uid and gid: its own where the caller is root, else the caller's."""
    if not caller_is_root():
        return os.geteuid(), os.getegid()
    uids = _own_uids()
    own = uids[next(_COUNTER) % len(uids)]
    return own, own


def _task(start: Start, hidden: list[str]) -> dict[str, Any]:
    """What entry/restrict.py is told."""
    policy = start.policy
    limits = policy.limits
    uid, gid = _ids_of_next_worker()
    return {
        "uid": uid,
        "gid": gid,
        "keep": start.passed_fds,
        "hidden": hidden,
        "fixed_addresses": policy.determinism.fixed_addresses,
        "limits": {
            "CORE": (0, 0),
            "NOFILE": (max(limits.open_files, _ROOM_FOR_START),) * 2,
            "STACK": (limits.stack_bytes, limits.stack_bytes),
            "MEMLOCK": (0, 0),
            "RTPRIO": (0, 0),
            "MSGQUEUE": (0, 0),
        },
    }


def _open_to_all(folder: Path) -> None:
    """The harness is no secret; the worker's own uid must be able to read it, whatever the caller's umask is."""
    for path in (folder, *(folder / "harness").rglob("*"), folder / "harness"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _needs_filter() -> bool:
    """Whether children need a filter of their own (docs/decisions/0008)."""
    return not caller_is_root() or landlock.version() < landlock.SCOPES_SINCE


def _confinement(binds: Iterable[Bind]) -> dict[str, Any]:
    """What the zygote is told (zygote/start/confine.py)."""
    own_filter, pid_at = child_filter()
    sources = [bind.source for bind in binds if not bind.is_link]
    return {
        "readable": [path for path in sources if path not in _DEVICES],
        "devices": [path for path in sources if path in _DEVICES],
        "child_filter": own_filter.hex() if _needs_filter() else "",
        "pid_at": pid_at,
    }
