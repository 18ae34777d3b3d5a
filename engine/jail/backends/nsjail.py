"""The isolation levels `nsjail` and `nsjail+cgroup`: a jail with every namespace of its own, built by nsjail."""

import os
import platform
import sys
from dataclasses import replace
from pathlib import Path

from reexec.policies.model import IsolationLevel, Limits

from ...errors import IsolationUnavailableError
from .. import cgroup
from ..binds import Bind, out_of_reach, wanted_binds
from ..config import SCRATCH, jail_config, own_uids, writable_folders
from ..entry import reach
from ..launch import Command, Terms
from ..native import find_nsjail
from ..seccomp import Grant, with_places, zygote_filter
from ..tools import Tools, commands_setup
from .base import EVERYWHERE, Backend, Start, caller_is_root


class NsjailBackend(Backend):
    enforces = EVERYWHERE | {"processes", "scratch_bytes", "scratch_inodes"}

    def __init__(self, *, grouped: bool) -> None:
        """`grouped`: every check runs in a control group, which counts memory and time of all its processes together."""
        self.level = IsolationLevel.NSJAIL_CGROUP if grouped else IsolationLevel.NSJAIL
        self.limits_tree = grouped

    def unavailable(self) -> str:
        try:
            find_nsjail()
            if self.limits_tree:
                cgroup.hierarchy()
        except IsolationUnavailableError as error:
            return str(error)
        return ""

    def refuses_tools(self, tools: Tools | None) -> str:
        if tools is not None and tools.reserved_bytes and not self.limits_tree:
            return (
                f"the language's run time reserves {tools.reserved_bytes >> 20} MiB of addresses that it does not use, and "
                "only a control group tells them from memory"
            )
        return ""

    def own_uids(self) -> range:
        return own_uids() if caller_is_root() else range(0)

    def _command(self, start: Start) -> Command:
        nsjail = find_nsjail()
        binds = wanted_binds(start.interpreter)
        hidden = [bind.source for bind in binds if caller_is_root() and not bind.is_link and out_of_reach(bind.source)]
        reachable = Path(start.folder) / "reach"
        if hidden:
            Path(start.folder).chmod(0o755)
            reachable.mkdir(mode=0o755)
            binds = [_within_reach(bind, hidden, reachable) for bind in binds]
        config = Path(start.folder) / "jail.cfg"
        config.write_text(jail_config(start.policy, start.interpreter, binds, start.passed_fds, start.cache), encoding="utf-8")
        command = [str(nsjail.path), "--quiet", "--config", str(config)]
        if hidden:
            command = [sys.executable, "-I", "-S", reach.__file__, str(reachable), *hidden, "--", *command]
        return Command(command, nsjail.environment, zygote_is_child=True)

    def _grants(self, limits: Limits, tools: Tools | None) -> frozenset[Grant]:
        grants = set()
        if limits.processes > 1:
            grants |= {Grant.PROCESSES, Grant.COUNTED} if self.limits_tree else {Grant.PROCESSES}
        if writable_folders(limits):
            grants.add(Grant.WRITABLE)
        if tools is not None:
            grants.add(Grant.COMMANDS)
            if tools.starts_others:
                grants.add(Grant.EXECUTE)
        return frozenset(grants)

    def _terms(self, start: Start) -> Terms:
        limits = start.policy.limits
        terms = super()._terms(start)
        rlimits = dict(terms.rlimits)
        if _processes_are_counted_per_jail():
            rlimits["NPROC"] = 1 + limits.processes  # the zygote is one
        tools, commands = start.interpreter.tools, None
        own_filter = zygote_filter(self._grants(limits, tools))
        if tools is not None and tools.commands:
            commands = commands_setup(tools, limits, memory_is_counted=self.limits_tree)
            if not tools.starts_others:
                own_filter = with_places(own_filter, commands["path_at"], commands["arguments_at"])
        return replace(
            terms,
            commands=commands,
            memory_is_counted=tools is not None and self.limits_tree,
            rlimits=rlimits,
            working_folder=SCRATCH if limits.scratch_bytes else "/",
            emptied=writable_folders(limits),
            filter=own_filter,
            group=start.group.info if start.group else None,
        )


def _within_reach(bind: Bind, hidden: list[str], reachable: Path) -> Bind:
    if bind.is_link or bind.source not in hidden:
        return bind
    return Bind(str(reachable / str(hidden.index(bind.source))), bind.target)


def _processes_are_counted_per_jail() -> bool:
    """Since Linux 5.14 the kernel counts a uid's processes in each user namespace by itself. Before, an ordinary user's
    jail shares the count with everything else of that user, and a limit would misfire; root's workers have own uids."""
    major, minor = (int(part) for part in platform.release().split(".")[:2])
    return (major, minor) >= (5, 14) or os.geteuid() == 0
