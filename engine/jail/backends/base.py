"""What every isolation level answers, and the part of a start that is the same on all of them."""

import contextlib
import os
import socket
import subprocess
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from reexec.policies.model import IsolationLevel, Policy

from ...errors import EngineError
from ..cgroup import WorkerGroup
from ..config import SHARED_MEMORY_BYTES, harness_files
from ..folders import StartFolder
from ..interpreter import Interpreter
from ..launch import Command, Launched, Terms
from ..tools import GROUP_SLACK_BYTES, Tools

EVERYWHERE = frozenset(
    {"cpu_s", "idle_s", "wall_s", "memory_bytes", "output_bytes", "capture_bytes", "open_files", "stack_bytes"}
)
"""Fields of `limits` that every level enforces, for each process."""


@dataclass(frozen=True, slots=True)
class Start:
    """One worker that is about to be started."""

    policy: Policy
    interpreter: Interpreter
    passed_fds: tuple[int, ...]
    """Descriptors that the zygote gets; the first is its end of the channel."""
    folder: str
    """The worker's until it is up."""
    group: WorkerGroup | None

    @property
    def channel_fd(self) -> int:
        return self.passed_fds[0]

    @property
    def cache(self) -> str:
        """A folder that the worker may write to until it is up: then it is removed with the rest."""
        return str(Path(self.folder) / "cache")


class Backend(ABC):
    """One isolation level. Stateless but for caches; one object serves all executors of this process."""

    level: IsolationLevel
    enforces: frozenset[str] = EVERYWHERE
    """Fields of `limits` that this level enforces. A policy that sets another one is refused, where `lacks` says so."""
    limits_tree: bool = False
    """Whether memory and processor time are limited for all processes of a check together, not only for each."""
    lacks: ClassVar[dict[str, str]] = {}
    """What a policy may ask for and this level does not have, by the field that asks, in words."""
    knows_outside_kills: bool = True
    """Whether a program has no way to kill its worker, so that a killed worker means somebody outside."""

    @abstractmethod
    def unavailable(self) -> str:
        """Why this host cannot offer the level, in one line, as far as that shows without a start; else empty."""

    def refuses(self, policy: Policy) -> str:
        """Why this level cannot serve `policy`, on any host; empty where it can."""
        limits = policy.limits
        asked = {"processes": limits.processes > 1, "scratch_bytes": limits.scratch_bytes > 0}
        return "; ".join(
            f"{words} (limits.{name}={getattr(limits, name)})" for name, words in self.lacks.items() if asked[name]
        )

    def refuses_tools(self, tools: Tools | None) -> str:
        """Why this level cannot run programs of other languages; empty where it can, or none are asked for."""
        return "" if tools is None else "it has no jail, and without one a program could start every other one of the host"

    def own_uids(self) -> range:
        """Uids, as the host sees them, that only workers of this process have; empty where they have the caller's."""
        return range(0)

    def launch(self, policy: Policy, interpreter: Interpreter) -> Launched:
        """Starts one worker's processes. Whether the worker comes up shows with its `hello`.

        Raises EngineError where nothing could be started, IsolationUnavailableError where this host cannot do it.
        """
        with contextlib.ExitStack() as undo:  # what was made goes where a later step fails
            group = self._group(policy, interpreter)
            if group is not None:
                undo.callback(group.remove)
            try:
                ours, theirs = socket.socketpair()
                undo.callback(ours.close)
                with theirs:
                    folder = StartFolder()
                    undo.callback(folder.remove)
                    log = tempfile.TemporaryFile(dir=folder.path)  # noqa: SIM115 - lives as long as the worker
                    undo.callback(log.close)
                    passed = (theirs.fileno(), *(group.fds if group else ()))
                    start = Start(policy, interpreter, passed, folder.path, group)
                    _make_cache(start)
                    command, terms = self._command(start), self._terms(start)
                    process = subprocess.Popen(
                        command.arguments,
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                        stderr=log,
                        env=command.environment,
                        cwd="/",
                        pass_fds=passed,
                        start_new_session=True,  # Ctrl-C in the caller's terminal is for the caller alone
                    )
            except OSError as error:
                raise EngineError(f"cannot start a worker: {error}", stage="start a worker", retry_helps=True) from error
            undo.pop_all()
        if group is not None:
            group.close_fds()
        return Launched(process, ours, log, group, folder, terms, zygote_is_child=command.zygote_is_child)

    def _group(self, policy: Policy, interpreter: Interpreter) -> WorkerGroup | None:
        if not self.limits_tree:
            return None
        try:
            tools = interpreter.tools
            return WorkerGroup(policy, GROUP_SLACK_BYTES) if tools and tools.commands else WorkerGroup(policy)
        except OSError as error:
            raise EngineError(
                f"cannot make a control group: {error}", stage="make a control group", retry_helps=True
            ) from error

    @abstractmethod
    def _command(self, start: Start) -> Command:
        """What to run."""

    def _terms(self, start: Start) -> Terms:
        """What the zygote must do to itself and its children."""
        return Terms(rlimits=rlimits(start.policy))


def rlimits(policy: Policy) -> dict[str, int]:
    """Hard limits that hold on every level, by the kernel's names without RLIMIT_."""
    limits = policy.limits
    return {
        "CORE": 0,
        "FSIZE": max(limits.scratch_bytes, SHARED_MEMORY_BYTES if limits.processes > 1 else 0),
        "NOFILE": limits.open_files,
        "STACK": limits.stack_bytes,
        # Kernel memory and privileges that no program needs, whatever the caller's own limits are.
        "MEMLOCK": 0,
        "MSGQUEUE": 0,
        "RTPRIO": 0,
        "SIGPENDING": 64,
    }


def _make_cache(start: Start) -> None:
    """For workers with a uid of their own, too, whatever the caller's umask is."""
    cache = Path(start.cache)
    cache.mkdir()
    cache.chmod(0o777)
    Path(start.folder).chmod(0o711)


def write_harness(folder: str) -> str:
    """Writes the harness for an interpreter that sees the host's files; returns its folder."""
    root = Path(folder) / "harness"
    for name, body in harness_files().items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return str(root)


def caller_is_root() -> bool:
    return os.geteuid() == 0
