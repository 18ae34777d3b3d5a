"""Turns the table of forbidden system calls into the classic-BPF program that the kernel runs.

Owns: the meaning of a row's `when`, and the bytes. Knows nothing of who installs the filter (the zygote does, on
itself, once; every fork inherits it).

A linear list of comparisons is enough: since Linux 5.11 the kernel remembers which calls a filter always allows and
does not run it for them.
"""

import errno
import functools
import platform
import struct
import tomllib
from dataclasses import dataclass
from importlib.resources import files

# linux/audit.h and linux/seccomp.h
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000
_RET_KILL_PROCESS = 0x80000000
_RET_ERRNO = 0x00050000
_RET_ALLOW = 0x7FFF0000

# linux/bpf_common.h; offsets into struct seccomp_data
_LOAD, _EQUAL, _ANY_BIT, _AT_LEAST, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_NR, _ARCH, _FIRST_ARG_LOW = 0, 4, 16

# CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET} of linux/sched.h; NEWTIME shares its bit with the exit signal and is
# only understood by clone3 and unshare.
_NEW_NAMESPACE = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000


@dataclass(frozen=True, slots=True)
class ForbiddenCall:
    """One row of policies/seccomp/denied.toml, for one architecture."""

    name: str
    number: int
    refuse: int
    when: str


class UnsupportedArchitectureError(ValueError):
    """The table has no numbers for this machine's architecture."""


@functools.cache
def forbidden_calls(architecture: str) -> tuple[ForbiddenCall, ...]:
    """The table's rows that exist on `architecture` (as in `platform.machine()`)."""
    if architecture not in _AUDIT_ARCH:
        raise UnsupportedArchitectureError(
            f"no system-call table for {architecture!r}; known: {', '.join(sorted(_AUDIT_ARCH))}"
        )
    with (files("reexec.policies") / "seccomp" / "denied.toml").open("rb") as file:
        rows = tomllib.load(file)["call"]
    return tuple(
        ForbiddenCall(row["name"], row[architecture], getattr(errno, row["refuse"]), row.get("when", ""))
        for row in rows
        if architecture in row
    )


def _op(code: int, constant: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, constant)


def _block(call: ForbiddenCall) -> bytes:
    """Instructions for one call; they are entered with its number loaded and fall through when it is another one."""
    refuse = _op(_RETURN, _RET_ERRNO | call.refuse)
    allow = _op(_RETURN, _RET_ALLOW)
    load_low = _op(_LOAD, _FIRST_ARG_LOW)
    match call.when:
        case "":
            body = refuse
        case "first_is_1":
            # The kernel takes pids and families as 32-bit ints, so the high half must not be looked at.
            body = load_low + _op(_EQUAL, 1, 0, 1) + refuse + allow
        case "first_is_not_0":
            body = load_low + _op(_EQUAL, 0, 1, 0) + refuse + allow
        case "first_is_not_1":
            body = load_low + _op(_EQUAL, 1, 1, 0) + refuse + allow
        case "new_namespace":
            body = load_low + _op(_ANY_BIT, _NEW_NAMESPACE, 1, 0) + allow + refuse
        case other:
            raise ValueError(f"policies/seccomp/denied.toml, call {call.name!r}: unknown condition {other!r}")
    return _op(_EQUAL, call.number, 0, len(body) // 8) + body


def opening(architecture: str) -> bytes:
    """Ends calls of another architecture's table and leaves the call's number loaded."""
    kill = _op(_RETURN, _RET_KILL_PROCESS)
    program = _op(_LOAD, _ARCH) + _op(_EQUAL, _AUDIT_ARCH[architecture], 1, 0) + kill + _op(_LOAD, _NR)
    if architecture == "x86_64":
        program += _op(_AT_LEAST, _X32_BIT, 0, 1) + kill
    return program


@functools.cache
def filter_program(architecture: str | None = None) -> bytes:
    """The filter as an array of `struct sock_filter` (8 bytes an instruction).

    A call of another architecture (32-bit `int 0x80`, x32) kills the process with SIGSYS, which is reported as
    `denied`: its numbers mean other calls.
    """
    architecture = architecture or platform.machine()
    rows = forbidden_calls(architecture)
    return opening(architecture) + b"".join(_block(row) for row in rows) + _op(_RETURN, _RET_ALLOW)
