"""A fork that writes little memory.

`os.fork` prepares a child for a parent that had threads: it makes the locks of interpreter, imports and C library anew
and runs hooks, some 60 pages written (or read for the first time) in every child. A zygote has one thread and holds no
lock, so nothing of this is needed: the bare system call leaves a child in the same state, with one thread of the same
identity. What stays behind is the number that the C library keeps of the main thread's kernel id; glibc asks the
kernel since 2.34 where it matters (raise, abort), and threads that a program starts get their own.

Where the zygote is not alone in its process (a library that was imported started threads), or on a machine whose
call number is not known here, it is `os.fork`. docs/decisions has the measurements.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Callable

_CLONE = {"x86_64": 56, "aarch64": 220}  # asm/unistd_64.h, asm-generic/unistd.h


def choose_fork(threads: int) -> Callable[[], int]:
    """The function to fork with: returns as `os.fork` does."""
    number = _CLONE.get(os.uname().machine)
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    if threads != 1 or number is None or not gil or sys.maxsize < 2**32:
        return os.fork
    syscall = ctypes.PyDLL(None).syscall  # PyDLL: the interpreter's lock stays held across the call
    syscall.restype = ctypes.c_long
    arguments = tuple(ctypes.c_long(value) for value in (number, signal.SIGCHLD, 0, 0, 0, 0))

    def bare_fork() -> int:
        pid: int = syscall(*arguments)
        return pid if pid >= 0 else os.fork()  # which fails again, with the right exception

    return bare_fork
