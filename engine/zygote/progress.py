"""Which call of a unit is running: a number in a page that the unit's child shares with the zygote.

Without it, what a killed child had answered in its last moments would be lost, and nobody would know which of its calls to
blame. The page is zeros before each unit, and no other child has it. A program may write what it likes there: the number
decides only in which order its own calls are run again.
"""

from __future__ import annotations

import mmap
import struct

_NUMBER = struct.Struct("<I")
_DONTFORK, _DOFORK = 10, 11  # MADV_*, asm-generic/mman-common.h
_ZEROS = bytes(mmap.PAGESIZE)


class Progress:
    def __init__(self) -> None:
        self._page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
        self._page.madvise(_DONTFORK)

    def open(self) -> None:
        """The next child shares the page."""
        self._page[:] = _ZEROS
        self._page.madvise(_DOFORK)

    def close(self) -> int:
        """No further child does. The number that was there last."""
        self._page.madvise(_DONTFORK)
        number: int = _NUMBER.unpack_from(self._page)[0]
        return number

    def begins(self, number: int) -> None:
        """In the child: this call is running now."""
        _NUMBER.pack_into(self._page, 0, number)
