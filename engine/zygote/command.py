"""A check that is a program of another language: the child becomes that program by `execve`, and has nothing of the zygote.

What the program gets: descriptors 0, 1 and 2, the arguments and the environment that the host wrote, its limits. The result
channel is closed by the kernel with the exec, so its end is told by its exit status and by nothing that it says.

The system-call filter lets `execve` through only where path and arguments lie at two places that the host drew by lot for this
worker (docs/decisions/0081). They hold what this child runs; after the exec nobody knows them, and nothing lies there.
"""

from __future__ import annotations

import ctypes
import json
import math
import mmap
import os
import resource
import signal
from typing import Any, Callable, Dict, List, Tuple

from .child import _json, _leave, _pack
from .task import Task

_FIXED_NOREPLACE = 0x100000  # asm-generic/mman-common.h
_FLAGS = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _FIXED_NOREPLACE
_PAGE = mmap.PAGESIZE
_ARGUMENT_BYTES = 16 * _PAGE
_MOST_FDS = 1 << 16
# The interpreter's own wishes, which an exec would hand on.
_IGNORED = (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ)


class Commands:
    """Made before the filter is installed. `settings`: Setup.commands."""

    def __init__(self, settings: Dict[str, Any]) -> None:
        """Raises OSError where something lies at the places already."""
        self._path_at, self._arguments_at = int(settings["path_at"]), int(settings["arguments_at"])
        self._limits = ((resource.RLIMIT_CPU, int(settings["cpu_s"])), (resource.RLIMIT_AS, int(settings["address_bytes"])))
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.mmap.restype = ctypes.c_void_p
        self._libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *([ctypes.c_int] * 3), ctypes.c_long]
        self._libc.execve.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
        self._reserve(self._path_at, _PAGE)
        self._reserve(self._arguments_at, _ARGUMENT_BYTES)

    def _reserve(self, place: int, size: int) -> None:
        begin = place // _PAGE * _PAGE
        found = self._libc.mmap(begin, size + _PAGE, mmap.PROT_READ | mmap.PROT_WRITE, _FLAGS, -1, 0)
        if found != begin:
            raise OSError(ctypes.get_errno(), "no memory at the places of this worker's commands")

    def within(self, cpu_s: float, less_bytes: int, data_bytes: int) -> Callable[[int, Task], None]:
        """`run` under lower limits for each process: a backstop on time, and `less_bytes` below the policy's memory. Where
        addresses are free and no group holds the limit either, it is one on data (`data_bytes`; -1: none)."""
        (_, most_cpu_s), (_, most_bytes) = self._limits
        seconds = math.ceil(1.5 * cpu_s) + 1
        if most_bytes >= 0:
            memory = (resource.RLIMIT_AS, most_bytes - less_bytes)
        else:
            memory = (resource.RLIMIT_DATA, data_bytes if less_bytes else -1)
        limits = ((resource.RLIMIT_CPU, seconds if most_cpu_s < 0 else min(most_cpu_s, seconds)), memory)
        return lambda fd, task: self.run(fd, task, limits)

    def run(self, fd: int, task: Task, limits: Tuple[Tuple[int, int], ...] = ()) -> None:
        """In a child. Parts of the task: JSON of `arguments` (the first is the file to run) and `environment`."""
        try:
            wanted = json.loads(bytes(task.part(0)).decode("utf-8", "surrogatepass"))
            environment = _Strings(wanted["environment"])
            self._place(wanted["arguments"])
            _forget(fd)
            for which, wanted in limits or self._limits:
                if wanted >= 0:
                    hard = resource.getrlimit(which)[1]
                    most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
                    resource.setrlimit(which, (most, most))
            self._libc.execve(self._path_at, self._arguments_at, environment.at)
            number = ctypes.get_errno()
            report = {"type": "OSError", "message": "it cannot be started: %s" % os.strerror(number), "lines": []}
        except MemoryError:
            _leave(fd, _pack("memory-limit", b"{}"))
            return
        except BaseException as error:
            report = {"type": type(error).__name__, "message": str(error)[:500], "lines": []}
        _leave(fd, _pack("exception", _json(report)))

    def _place(self, arguments: List[str]) -> None:
        path = os.fsencode(arguments[0]) + b"\0"
        texts = [os.fsencode(each) + b"\0" for each in arguments]
        head = 8 * (len(texts) + 1)
        if len(path) > _PAGE or head + sum(map(len, texts)) > _ARGUMENT_BYTES:
            raise ValueError("the command line is too long")
        at = self._arguments_at + head
        pointers = []
        for text in texts:
            ctypes.memmove(at, text, len(text))
            pointers.append(at)
            at += len(text)
        ctypes.memmove(self._path_at, path, len(path))
        ctypes.memmove(self._arguments_at, (ctypes.c_uint64 * (len(texts) + 1))(*pointers, 0), head)


class _Strings:
    def __init__(self, values: Dict[str, str]) -> None:
        self._kept = (ctypes.c_char_p * (len(values) + 1))(
            *[os.fsencode("%s=%s" % (name, value)) for name, value in values.items()], None
        )
        self.at = ctypes.addressof(self._kept)


def _forget(fd: int) -> None:
    """What the program must not inherit: descriptors but the first three (`fd` closes with the exec), ignored signals."""
    os.set_inheritable(fd, False)
    os.closerange(3, fd)
    os.closerange(fd + 1, _MOST_FDS)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_DFL)
