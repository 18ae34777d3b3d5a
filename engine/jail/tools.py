"""What the jail of a worker shows and allows beside its interpreter: the files of another language's compiler or run time."""

import math
import platform
import secrets
from dataclasses import dataclass

from reexec.policies.model import Limits

ARTEFACTS = "/artefacts"
GROUP_SLACK_BYTES = 16 << 20
"""Of a command's control group: page tables, pipes, and what the child writes before it becomes the program."""
_LIBRARY_BYTES = 16 << 20  # of addresses: the loader, the C library and what lies between
_LOWEST_PLACE = 1 << 32
_HIGHEST_PLACE = {"x86_64": 1 << 46}  # below what the kernel gives a process; smaller address spaces elsewhere
_ALIGNED = 8


@dataclass(frozen=True, slots=True)
class Tools:
    """`shows`: files and folders, each with every link on the way to it."""

    shows: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    """Further links: where the jail shows each, and what it says."""
    artefacts: str = ""
    """Folder of the host, shown read-only as ARTEFACTS; empty: none."""
    commands: bool = False
    """Whether checks are programs of the language, not Python."""
    starts_others: bool = False
    """Whether a check may execute whatever file the jail shows; else a command becomes its one file, and nothing else."""
    reserved_bytes: int = 0
    """Addresses that the run time reserves without using them."""


def commands_setup(tools: Tools, limits: Limits, *, memory_is_counted: bool) -> dict[str, int]:
    """Setup.commands: the places that the filter lets `execve` through for, and the limits on addresses and on processor
    time of each process (-1: none), where no group counts either for all of them."""
    path, arguments = _place(), _place()
    most = limits.memory_bytes + tools.reserved_bytes + _LIBRARY_BYTES
    # A backstop for each process where none adds them up; the first one's own clock ends it long before.
    cpu_s = -1 if memory_is_counted else math.ceil(1.5 * limits.cpu_s) + 1
    return {
        "path_at": path,
        "arguments_at": arguments,
        "address_bytes": -1 if memory_is_counted else most,
        "cpu_s": cpu_s,
    }


def _place() -> int:
    highest = _HIGHEST_PLACE.get(platform.machine(), 1 << 38)
    return _LOWEST_PLACE + secrets.randbelow((highest - _LOWEST_PLACE) // _ALIGNED) * _ALIGNED
