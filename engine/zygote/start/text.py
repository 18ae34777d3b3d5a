"""Puts the interpreter's machine code on huge pages before the first fork.

After a fork a child finds none of the pages of its program text mapped: it takes a page fault for every stretch of it that
it runs, and unmaps hundreds of pages again when it ends. A copy of the text on huge pages in the same place is inherited as
one entry per 2 MiB: no faults, nothing to unmap. The host finds the place (jail/text_place.py), because the jail has no
/proc. Where the kernel cannot do it (before 6.1, no huge pages left) everything stays as it was: slower, not different.
docs/decisions has the measurements.
"""

from __future__ import annotations

import ctypes

HUGE_BYTES = 2 << 20
_READ, _WRITE, _EXECUTE = 1, 2, 4
_PRIVATE_ANONYMOUS = 0x22
_MAY_MOVE_FIXED = 3
_COLLAPSE = 25  # MADV_COLLAPSE, linux/mman.h since 6.1: huge pages now, or an error
_FAILED = ctypes.c_void_p(-1).value


def move_to_huge_pages(start: int, size: int) -> bool:
    """Replaces [start, start + size), whole huge pages of text and read-only data, by a copy of itself."""
    if not size:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    address, length, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    libc.mmap.restype = libc.mremap.restype = address
    libc.mmap.argtypes = [address, length, number, number, number, ctypes.c_long]
    libc.mremap.argtypes = [address, length, length, number, address]
    libc.munmap.argtypes = [address, length]
    libc.madvise.argtypes = libc.mprotect.argtypes = [address, length, number]
    room = libc.mmap(None, size + HUGE_BYTES, _READ | _WRITE, _PRIVATE_ANONYMOUS, -1, 0)
    if room == _FAILED:
        return False
    copy = (room + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1)
    ctypes.memmove(copy, start, size)
    moved = bool(
        libc.madvise(copy, size, _COLLAPSE) == 0
        and libc.mprotect(copy, size, _READ | _EXECUTE) == 0
        # The kernel puts the copy in the place of the original in one step; we are in the C library meanwhile.
        and libc.mremap(copy, size, size, _MAY_MOVE_FIXED, start) == start
    )
    if moved:  # what was asked for to find an aligned place
        if copy > room:
            libc.munmap(room, copy - room)
        libc.munmap(copy + size, room + HUGE_BYTES - copy)
    else:
        libc.munmap(room, size + HUGE_BYTES)
    return moved
