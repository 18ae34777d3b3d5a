"""One worker's processes and files as the host holds them, and what its zygote must know first.

Handshake, numbered as in the code:
  1  host:   a Backend starts the zygote, in a jail or without one, with one end of a socket pair (backends/base.py)
  2  host:   `SetUp`: limits, seeds, prelude, filter
  3  zygote: reserves its pages that forks do not copy, warms up, says `Hello`
  4  host:   counts the zygote's threads and finds its text in /proc, answers `Baseline`
  5  zygote: sets its limits, installs its filter, measures what a child inherits, serves
"""

import contextlib
import os
import signal
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from reexec.policies.model import Policy

from ..addresses import blob_bytes
from ..protocol import frames
from ..protocol.setup import Setup
from .cgroup import WorkerGroup
from .folders import StartFolder
from .text_place import place_of_text


@dataclass(frozen=True, slots=True)
class Command:
    """What a Backend starts for one worker."""

    arguments: list[str]
    environment: dict[str, str]
    zygote_is_child: bool = False
    """Whether the zygote is a child of what was started, not that process itself."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the zygote must do to itself and its children on the isolation level where it runs."""

    rlimits: dict[str, int] = field(default_factory=dict)
    """Hard limits by the kernel's names without RLIMIT_."""
    memory_is_counted: bool = False
    """Whether the limit on memory is the control group's alone."""
    commands: dict[str, Any] | None = None
    """Where the worker runs programs of other languages (jail/tools.py)."""
    working_folder: str = "/"
    """Of the checks."""
    emptied: tuple[str, ...] = ()
    """Writable folders, which are emptied after every check."""
    filter: bytes = b""
    """System-call filter, an array of struct sock_filter; empty for none."""
    group: dict[str, Any] | None = None
    """Descriptors of the checks' control group (zygote/group.py)."""
    confinement: dict[str, Any] | None = None
    """Where no jail surrounds it (zygote/start/confine.py)."""


@dataclass(slots=True)
class Launched:
    """The processes and files of one worker, as the host holds them."""

    process: subprocess.Popen[bytes]
    channel: socket.socket
    log: Any
    group: WorkerGroup | None
    """The checks' control group, on the isolation level that has one."""
    folder: StartFolder
    """Removed as soon as the worker is up."""
    terms: Terms = field(default_factory=Terms)
    zygote_is_child: bool = False

    def log_text(self) -> str:
        """What nsjail and the zygote wrote to stderr, without the loader's remark on library versions."""
        self.log.seek(0)
        text = self.log.read(64 * 1024).decode("utf-8", "replace")
        lines = [line for line in text.splitlines() if "no version information available" not in line]
        return "\n".join(lines).strip()

    def forget_folder(self) -> None:
        """The worker is up: configuration and harness are read, and mounts of the namespace outlive their folder."""
        self.folder.remove()

    def zygote_pid(self) -> int | None:
        """The zygote's pid as the host sees it."""
        if not self.zygote_is_child:
            return self.process.pid
        try:
            children = psutil.Process(self.process.pid).children()
        except (psutil.Error, OSError):  # OSError: this process has no descriptor left to look with
            return None
        return children[0].pid if children else None

    def kill(self) -> None:
        """Ends the worker at once: with the zygote dies everything in its namespace, and nsjail reaps it and ends too."""
        with contextlib.suppress(OSError):
            self.channel.close()
        pid = self.zygote_pid()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
            else:
                self.process.kill()

    def dispose(self) -> int:
        """Kills, reaps and removes what is left; the exit status of the process we started."""
        self.kill()
        try:
            status = self.process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.log.close()
        self.forget_folder()
        if self.group is not None:
            self.group.remove()
        return status


def setup_message(policy: Policy, warm: frozenset[str], terms: Terms) -> bytes:
    """The JSON of `setup`."""
    limits = policy.limits
    return Setup(
        cpu_s=limits.cpu_s,
        idle_s=limits.idle_s,
        wall_s=limits.backstop_s,
        confirm=limits.confirm,
        memory_bytes=limits.memory_bytes,
        memory_is_counted=terms.memory_is_counted,
        blob_bytes=blob_bytes(),
        output_bytes=limits.output_bytes,
        capture_bytes=limits.capture_bytes,
        processes=limits.processes,
        rlimits=terms.rlimits,
        group=terms.group,
        commands=terms.commands,
        working_folder=terms.working_folder,
        emptied=list(terms.emptied),
        random_seed=policy.determinism.random_seed,
        mix_addresses=not policy.determinism.fixed_addresses,
        numpy_seed=policy.determinism.numpy_seed,
        entropy_seed=policy.determinism.entropy_seed,
        clock_shift_s=policy.determinism.clock_shift_s,
        numpy_values=policy.numpy_values,
        prelude=list(policy.prelude),
        warm=sorted(warm),
        lazy=sorted(set(policy.warm) - warm),
        filter=terms.filter.hex(),
        confinement=terms.confinement,
    ).to_json()


def baseline_of(pid: int) -> frames.Baseline:
    """Threads of a process and the place of its text (text_place.py). All 0 where this host has no /proc: then the process
    finds out for itself what it needs."""
    if not Path("/proc/self").exists():
        return frames.Baseline(0, 0, 0)
    return frames.Baseline(len(list(Path(f"/proc/{pid}/task").iterdir())), *place_of_text(pid))
