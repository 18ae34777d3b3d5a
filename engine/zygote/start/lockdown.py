"""What the zygote does to itself before the first program: no debugger, one filter, hard limits. All of it is inherited
by every fork, so a check pays nothing."""

from __future__ import annotations

import ctypes
import resource
from typing import Any

_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2


class _SockFprog(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]


def _prctl(*arguments: Any) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    widened = [ctypes.c_ulong(a) if isinstance(a, int) else a for a in arguments]
    if libc.prctl(*widened) != 0:
        number = ctypes.get_errno()
        raise OSError(number, "prctl(%d)" % arguments[0])


def forbid_inspection() -> None:
    """Without the dumpable bit nobody of the same uid may ptrace the zygote or fetch its descriptors."""
    _prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def forbid_new_privileges() -> None:
    _prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def install_filter(program: bytes) -> None:
    """Installs `program` (an array of struct sock_filter) on this process and all its future children."""
    buffer = ctypes.create_string_buffer(program, len(program))
    header = _SockFprog(len(program) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    forbid_new_privileges()
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(header), 0, 0)


def set_limits(limits: dict[str, int]) -> None:
    """Hard limits by the kernel's names without RLIMIT_; a limit above the present hard one is lowered to that."""
    for name, wanted in limits.items():
        which = getattr(resource, "RLIMIT_" + name)
        hard = resource.getrlimit(which)[1]
        if hard != resource.RLIM_INFINITY:
            wanted = min(wanted, hard)
        resource.setrlimit(which, (wanted, wanted))
