"""Starts one worker's processes and says what the zygote must know first.

Handshake, numbered as in the code:
  1  host:   nsjail (or, on isolation level `none`, the interpreter itself) starts with one end of a socket pair
  2  host:   `setup`: limits, seeds, prelude, filter
  3  zygote: warms up, says `hello`
  4  host:   reads the zygote's address space and resident size from /proc, answers `baseline`
  5  zygote: sets its limits, installs its filter, serves
"""

import contextlib
import json
import os
import platform
import resource
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from reexec.engine.jail.seccomp.denied import filter_program
from reexec.policies.model import IsolationLevel, Policy

from ..errors import EngineError
from . import restricted
from .binds import Bind, out_of_reach, wanted_binds
from .cgroup import WorkerGroup
from .config import environment, harness_files, jail_config, zygote_command
from .entry import reach
from .folders import StartFolder
from .interpreter import Interpreter
from .native import find_nsjail
from .text_place import place_of_text


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
    isolation: IsolationLevel
    confinement: dict[str, Any] | None = None
    """What a zygote that no jail surrounds must do to itself, on the isolation level `restricted`."""

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
        if self.isolation in (IsolationLevel.RESTRICTED, IsolationLevel.NONE):
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


def setup_message(policy: Policy, warm: frozenset[str], launched: Launched) -> bytes:
    """The JSON of `setup`."""
    isolation = launched.isolation
    limits = policy.limits
    rlimits: dict[str, int] = {
        "CORE": 0,
        "FSIZE": limits.scratch_bytes,
        "NOFILE": limits.open_files,
        "STACK": limits.stack_bytes,
    }
    counted = restricted.has_own_uid() if isolation is IsolationLevel.RESTRICTED else _processes_are_counted_per_jail()
    if isolation is not IsolationLevel.NONE and counted:
        rlimits["NPROC"] = 1 + limits.processes  # the zygote is one
    return json.dumps(
        {
            "cpu_s": limits.cpu_s,
            "idle_s": limits.idle_s,
            "wall_s": limits.backstop_s,
            "memory_bytes": limits.memory_bytes,
            "output_bytes": limits.output_bytes,
            "processes": limits.processes,
            "rlimits": rlimits,
            "capture_bytes": limits.capture_bytes,
            "group": launched.group.info if launched.group else None,
            "scratch": limits.scratch_bytes > 0 and isolation is not IsolationLevel.NONE,
            "random_seed": policy.determinism.random_seed,
            "mix_addresses": not policy.determinism.fixed_addresses,
            "numpy_seed": policy.determinism.numpy_seed,
            "numpy_values": policy.numpy_values,
            "prelude": list(policy.prelude),
            "warm": sorted(warm),
            "lazy": sorted(set(policy.warm) - warm),
            "filter": _filter(isolation).hex(),
            "confinement": launched.confinement,
        }
    ).encode()


def _filter(isolation: IsolationLevel) -> bytes:
    if isolation is IsolationLevel.NONE:
        return b""
    return restricted.zygote_filter() if isolation is IsolationLevel.RESTRICTED else filter_program()


def _processes_are_counted_per_jail() -> bool:
    """Since Linux 5.14 the kernel counts a uid's processes in each user namespace by itself. Before, an ordinary user's
    jail shares the count with everything else of that user, and a limit would misfire; root's workers have own uids."""
    major, minor = (int(part) for part in platform.release().split(".")[:2])
    return (major, minor) >= (5, 14) or os.geteuid() == 0


def launch(policy: Policy, interpreter: Interpreter, isolation: IsolationLevel, worker_index: int) -> Launched:
    """Step 1. Raises EngineError where nothing could be started; whether the jail came up shows with `hello`."""
    with contextlib.ExitStack() as undo:  # what was made goes where a later step fails
        try:
            group = WorkerGroup(policy) if isolation is IsolationLevel.NSJAIL_CGROUP else None
        except OSError as error:
            raise EngineError(
                f"cannot make a control group: {error}", stage="make a control group", retry_helps=True
            ) from error
        if group is not None:
            undo.callback(group.remove)
        try:
            ours, theirs = socket.socketpair()
            undo.callback(ours.close)
            with theirs:
                passed = [theirs.fileno(), *(group.fds if group else ())]
                start = StartFolder()
                undo.callback(start.remove)
                folder = start.path
                log = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - lives as long as the worker
                undo.callback(log.close)
                confinement = None
                if isolation in (IsolationLevel.RESTRICTED, IsolationLevel.NONE):
                    command, env = _bare_command(interpreter, theirs.fileno(), folder), environment(policy)
                    if isolation is IsolationLevel.RESTRICTED:
                        binds = wanted_binds(interpreter)
                        command = restricted.stage_command(policy, command, binds, passed, folder)
                        confinement = restricted.confinement(binds)
                else:
                    command, env = _jailed_command(policy, interpreter, worker_index, passed, folder)
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    env=env,
                    cwd="/",
                    pass_fds=passed,
                    start_new_session=True,  # Ctrl-C in the caller's terminal is for the caller alone
                )
        except OSError as error:
            raise EngineError(f"cannot start a worker: {error}", stage="start a worker", retry_helps=True) from error
        undo.pop_all()
    if group is not None:
        group.close_fds()
    return Launched(process, ours, log, group, start, isolation, confinement)


def _jailed_command(
    policy: Policy, interpreter: Interpreter, worker_index: int, passed_fds: list[int], folder: str
) -> tuple[list[str], dict[str, str]]:
    nsjail = find_nsjail()
    binds = wanted_binds(interpreter)
    hidden = [bind.source for bind in binds if os.geteuid() == 0 and not bind.is_link and out_of_reach(bind.source)]
    reachable = Path(folder) / "reach"
    if hidden:
        Path(folder).chmod(0o755)
        reachable.mkdir(mode=0o755)
        binds = [
            Bind(str(reachable / str(hidden.index(bind.source))), bind.target)
            if bind.source in hidden and not bind.is_link
            else bind
            for bind in binds
        ]
    config = Path(folder) / "jail.cfg"
    config.write_text(jail_config(policy, interpreter, binds, worker_index, passed_fds), encoding="utf-8")
    command = [str(nsjail.path), "--quiet", "--config", str(config)]
    if hidden:
        command = [sys.executable, "-I", "-S", reach.__file__, str(reachable), *hidden, "--", *command]
    return command, nsjail.environment


def _bare_command(interpreter: Interpreter, channel_fd: int, folder: str) -> list[str]:
    for name, body in harness_files().items():
        path = Path(folder) / "harness" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return zygote_command(interpreter, channel_fd, folder=str(Path(folder) / "harness"), alone=False)


def baseline_of(pid: int) -> tuple[int, int, int, int, int]:
    """Address space and resident size of a process in bytes, its threads, and the place of its text (text_place.py). All 0
    where this host has no /proc: then the process measures itself."""
    if not Path("/proc/self").exists():
        return 0, 0, 0, 0, 0
    size, resident = Path(f"/proc/{pid}/statm").read_text().split()[:2]
    page = resource.getpagesize()
    threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    return int(size) * page, int(resident) * page, threads, *place_of_text(pid)
