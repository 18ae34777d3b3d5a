"""Sizes that decide limits, asked of the kernel from inside: a jail has no /proc."""

from __future__ import annotations

import mmap
import os
import resource
import struct
from typing import Any, Callable, NamedTuple

_PAGE = mmap.PAGESIZE
_BYTES = struct.Struct("<Q")


class Inherited(NamedTuple):
    """What a child has of the zygote's when it begins: what it gets for itself is counted from here."""

    address_space: int
    """Bytes."""
    resident_kib: int


def inherited(fork: Callable[[], int], rehearse: Callable[[], Any]) -> Inherited:
    """Of a child that measures itself and then does what every child does. No later one differs, because nothing of a
    program's changes what forks copy."""
    reader, writer = os.pipe()
    pid = fork()
    if not pid:
        try:
            os.write(writer, _BYTES.pack(address_space()))
            rehearse()
        finally:
            os._exit(0)
    os.close(writer)
    data = os.read(reader, _BYTES.size)
    os.close(reader)
    usage = os.wait4(pid, 0)[2]
    return Inherited(_BYTES.unpack(data)[0], usage.ru_maxrss)


def address_space() -> int:
    """Bytes of address space that this process has now: the smallest limit under which one more page is granted, less it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    low, high = 0, 1 << 47
    if hard != resource.RLIM_INFINITY:
        high = min(high, hard)
    try:
        while high - low > _PAGE:
            middle = (low + high) // 2 // _PAGE * _PAGE
            resource.setrlimit(resource.RLIMIT_AS, (middle, hard))
            try:
                mmap.mmap(-1, _PAGE).close()
                high = middle
            except OSError:
                low = middle
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    return high - _PAGE


def threads() -> int:
    """Threads of this process, where no other has its uid: one less than the smallest limit under which it may fork."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    try:
        for most in range(2, 130):
            resource.setrlimit(resource.RLIMIT_NPROC, (most, hard))
            try:
                pid = os.fork()
            except BlockingIOError:
                continue
            if not pid:
                os._exit(0)
            os.waitpid(pid, 0)
            return most - 1
    finally:
        resource.setrlimit(resource.RLIMIT_NPROC, (soft, hard))
    return 0
