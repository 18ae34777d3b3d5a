"""The filters of the isolation level `restricted`, where no jail stands behind them: only what the table
policies/seccomp/allowed.toml names is
allowed, everything else is refused.

Owns: the meaning of that table's `when`, and the bytes of two filters. The zygote installs the first on itself, once. The
second is a child's own and holds what can only be said there: no process or thread may be started, signals go to oneself.
It is installed where a limit on the user's processes and a Landlock domain do not say the same for less (docs/decisions/0008).
"""

import errno
import functools
import platform
import tomllib
from dataclasses import dataclass
from importlib.resources import files

from .denied import (
    _ANY_BIT,
    _AT_LEAST,
    _AUDIT_ARCH,
    _EQUAL,
    _LOAD,
    _NEW_NAMESPACE,
    _NR,
    _RET_ALLOW,
    _RET_ERRNO,
    _RETURN,
    UnsupportedArchitectureError,
    _op,
    forbidden_calls,
    opening,
)

# struct seccomp_data of linux/seccomp.h: six 64-bit arguments from offset 16, low half first on both architectures.
_FIRST, _SECOND, _FIFTH_LOW, _FIFTH_HIGH = 16, 24, 48, 52
_AND = 0x54  # linux/bpf_common.h

_SIGKILL, _PR_SET_PDEATHSIG = 9, 1
_F_SETOWN, _F_SETSIG, _F_SETOWN_EX, _F_SETLEASE = 8, 10, 15, 1024  # asm-generic/fcntl.h, linux/fcntl.h
_FIOSETOWN, _SIOCSPGRP = 0x8901, 0x8902  # asm-generic/sockios.h
_AF_UNIX, _SOCK_STREAM, _SOCK_TYPE = 1, 1, 0xF

_STARTS = ("clone", "fork", "vfork")
_SIGNALS = ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo")
OWN_PID = 0x7FFFFFFE  # stands in the child's filter for the pid that the child puts there


@dataclass(frozen=True, slots=True)
class AllowedCall:
    """One row of syscalls_allowed.toml, for one architecture."""

    name: str
    number: int
    refuse: int
    """The errno for the arguments that `when` names; 0 where there are none."""
    when: str


@functools.cache
def _table() -> dict[str, list[dict[str, str | int]] | int]:
    with (files("reexec.policies") / "seccomp" / "allowed.toml").open("rb") as file:
        return tomllib.load(file)


def newest_known() -> int:
    """The highest call number that was known when the table was written."""
    newest = _table()["newest"]
    assert isinstance(newest, int)
    return newest


@functools.cache
def allowed_calls(architecture: str) -> tuple[AllowedCall, ...]:
    """The table's rows that exist on `architecture` (as in `platform.machine()`)."""
    if architecture not in _AUDIT_ARCH:
        raise UnsupportedArchitectureError(
            f"no system-call table for {architecture!r}; known: {', '.join(sorted(_AUDIT_ARCH))}"
        )
    rows = _table()["call"]
    assert isinstance(rows, list)
    return tuple(
        AllowedCall(
            str(row["name"]),
            int(row[architecture]),
            getattr(errno, str(row["refuse"])) if "refuse" in row else 0,
            str(row.get("when", "")),
        )
        for row in rows
        if architecture in row
    )


def _load(offset: int) -> bytes:
    return _op(_LOAD, offset)


def _returns(constant: int) -> bytes:
    return _op(_RETURN, constant)


def _body(call: AllowedCall) -> bytes:
    """What follows once the call's number is known."""
    allow, refuse = _returns(_RET_ALLOW), _returns(_RET_ERRNO | call.refuse)
    match call.when:
        case "":
            return allow
        case "first_is_not_0":
            return _load(_FIRST) + _op(_EQUAL, 0, 1, 0) + refuse + allow
        case "new_namespace":
            return _load(_FIRST) + _op(_ANY_BIT, _NEW_NAMESPACE, 1, 0) + allow + refuse
        case "parent_death":  # a child asks to die with its zygote; nobody may take that back
            return (
                _load(_FIRST)
                + _op(_EQUAL, _PR_SET_PDEATHSIG, 1, 0)
                + allow
                + _load(_SECOND)
                + _op(_EQUAL, _SIGKILL, 0, 1)
                + allow
                + refuse
            )
        case "signal_owner":
            commands = (_F_SETOWN, _F_SETSIG, _F_SETOWN_EX, _F_SETLEASE)
            cases = [_op(_EQUAL, command, len(commands) - at, 0) for at, command in enumerate(commands)]
            return _load(_SECOND) + b"".join(cases) + allow + refuse
        case "signal_owner_by_ioctl":
            return _load(_SECOND) + _op(_EQUAL, _FIOSETOWN, 2, 0) + _op(_EQUAL, _SIOCSPGRP, 1, 0) + allow + refuse
        case "no_stream_pair":  # a datagram socket can send to any address, whatever it is connected to
            return (
                _load(_FIRST)
                + _op(_EQUAL, _AF_UNIX, 1, 0)
                + refuse
                + _load(_SECOND)
                + _op(_AND, _SOCK_TYPE)
                + _op(_EQUAL, _SOCK_STREAM, 0, 1)
                + allow
                + refuse
            )
        case "with_address":
            return _load(_FIFTH_LOW) + _op(_EQUAL, 0, 0, 2) + _load(_FIFTH_HIGH) + _op(_EQUAL, 0, 1, 0) + refuse + allow
        case other:
            raise ValueError(f"syscalls_allowed.toml, call {call.name!r}: unknown condition {other!r}")


def _block(number: int, body: bytes) -> bytes:
    return _op(_EQUAL, number, 0, len(body) // 8) + body


@functools.cache
def allowed_filter_program(architecture: str | None = None) -> bytes:
    """The zygote's filter as an array of `struct sock_filter` (8 bytes an instruction)."""
    architecture = architecture or platform.machine()
    allowed = allowed_calls(architecture)
    named = {row.number for row in allowed}
    program = opening(architecture) + b"".join(_block(row.number, _body(row)) for row in allowed)
    for row in forbidden_calls(architecture):
        if row.number not in named and row.refuse != errno.EPERM:
            program += _block(row.number, _returns(_RET_ERRNO | row.refuse))
    unknown = _op(_AT_LEAST, newest_known() + 1, 0, 1) + _returns(_RET_ERRNO | errno.ENOSYS)
    return program + unknown + _returns(_RET_ERRNO | errno.EPERM)


@functools.cache
def child_filter_program(architecture: str | None = None) -> tuple[bytes, int]:
    """A child's own filter, and the place in its bytes where the child puts its pid (32 bits, its own byte order).

    Starting a process or thread answers EAGAIN, as a limit on processes does; a signal to others EPERM.
    """
    architecture = architecture or platform.machine()
    numbers = {row.name: row.number for row in allowed_calls(architecture)}
    program = _load(_NR)
    for name in _STARTS:
        if name in numbers:
            program += _block(numbers[name], _returns(_RET_ERRNO | errno.EAGAIN))
    signals = [numbers[name] for name in _SIGNALS]
    for left, number in zip(range(len(signals), 0, -1), signals, strict=True):
        program += _op(_EQUAL, number, left, 0)  # to the comparison behind the next line
    program += _returns(_RET_ALLOW) + _load(_FIRST)
    at = len(program) + 4
    program += _op(_EQUAL, OWN_PID, 0, 1) + _returns(_RET_ALLOW) + _returns(_RET_ERRNO | errno.EPERM)
    return program, at
