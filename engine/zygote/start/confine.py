"""How zygote and children of the isolation level `restricted` lock themselves in: no jail stands around them.

The zygote, once it is warm, gives up the file system but for what an interpreter reads, the network, and every system
call that is not on the list. A child goes further before its program runs: it dies with its zygote, it can signal nobody
else, and it can start nothing. Where the kernel's Landlock has domains for signals and the worker has a uid to itself, a
domain and a limit on processes say that; elsewhere a second filter, which costs a check several times as much
(docs/decisions has the figures).
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from typing import Any, Dict

from . import landlock, lockdown

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _FILTER = 1, 22, 2


class Confinement:
    def __init__(self, config: Dict[str, Any]) -> None:
        self._config = config
        libc = ctypes.PyDLL(None, use_errno=True)  # PyDLL: the interpreter's lock stays held, as in forking.py
        libc.syscall.restype = ctypes.c_long
        self._syscall, self._prctl = libc.syscall, libc.prctl
        self._pid = os.getpid()
        self._domain = -1
        self._filter = bytearray.fromhex(config["child_filter"])
        self._pid_at = int(config["pid_at"])
        self._dies_with_zygote = self._numbers(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    @staticmethod
    def _numbers(*values: int) -> tuple[ctypes.c_ulong, ...]:
        return tuple(ctypes.c_ulong(value) for value in values)

    def of_zygote(self) -> None:
        lockdown.forbid_new_privileges()
        if not self._filter:
            self._domain = landlock.domain_of_its_own()
            os.set_inheritable(self._domain, False)
            self._enters_domain = self._numbers(landlock.RESTRICT_SELF, self._domain, 0)
        landlock.restrict(self._config["readable"], self._config["devices"])

    def in_child(self) -> None:
        if self._prctl(*self._dies_with_zygote) != 0 or os.getppid() != self._pid:
            raise OSError("the zygote is gone")
        if self._domain >= 0:
            if self._syscall(*self._enters_domain) != 0:
                raise OSError(ctypes.get_errno(), "cannot enter a domain")
            os.close(self._domain)
        if self._filter:
            struct.pack_into("=I", self._filter, self._pid_at, os.getpid())
            lockdown.install_filter(bytes(self._filter))
