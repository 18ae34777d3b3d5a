"""Sizes that the host reads for the zygote from /proc, asked from inside where the host has no /proc (as in a bare chroot)."""

from __future__ import annotations

import mmap
import os
import resource

_PAGE = mmap.PAGESIZE


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


def resident() -> int:
    """Bytes of memory that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


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
