"""The pages that a fork does not copy: everything of programs that the zygote keeps lies here and nowhere else.

docs/decisions/0011 says what lies where and who may read it. One anonymous mapping, marked MADV_DONTFORK before the first
byte of a program's arrives: in a child its addresses belong to nobody, and to touch them is SIGSEGV. Bytes come in by
readv() into a view and leave by write() from one; between two places they go by `copy` and `move`. So no object of Python's
heap ever holds a payload, neither while it is used nor after it was freed.

Only addresses are reserved; pages come with their first use and go with `release`.
"""

from __future__ import annotations

import mmap

PAGE = mmap.PAGESIZE
_FLAGS = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000  # MAP_NORESERVE, asm-generic/mman.h; in Python's module since 3.13
_DONTNEED, _DONTFORK, _NOHUGEPAGE = 4, 10, 15  # MADV_*, asm-generic/mman-common.h

# Larger copies use further vector registers of the processor, which would take the end of a payload into the next child.
_STEP = 1 << 16
_ZEROS = bytes(_STEP)
# Copies of these sizes go through all the vector registers that any copy of at most _STEP bytes uses, for vectors of 32 and of
# 64 bytes: without them the end of somebody else's payload could wait there for the next child.
_LEFT_IN_REGISTERS = tuple((size, memoryview(bytes(size))) for size in (256, 512))
_SINK = memoryview(bytearray(512))
KEPT_BYTES = 1 << 20  # of an area that is empty again


def whole_pages(size: int) -> int:
    return -(-size // PAGE) * PAGE


def _mapping(size: int) -> mmap.mmap:
    mapping = mmap.mmap(-1, size, flags=_FLAGS)
    try:
        mapping.madvise(_NOHUGEPAGE)  # a huge page for every small payload would cost 2 MiB each
    except OSError:
        pass  # a kernel without huge pages
    return mapping


def copy(view: memoryview, to: int, source: memoryview) -> None:
    """Copies `source`, which is no part of where it goes, into `view` at `to`."""
    for at in range(0, len(source), _STEP):
        part = source[at : at + _STEP]
        view[to + at : to + at + len(part)] = part


def move(view: memoryview, to: int, begin: int, end: int) -> None:
    """Copies [begin, end) of `view` to `to`; the two may overlap."""
    if end - begin <= _STEP:
        view[to : to + end - begin] = view[begin:end]
        return
    starts = range(begin, end, _STEP)
    for at in starts if to < begin else reversed(starts):
        part = view[at : min(at + _STEP, end)]
        view[to + at - begin : to + at - begin + len(part)] = part


class Region:
    """The mapping, given out in areas from its beginning on."""

    def __init__(self, size: int) -> None:
        """Raises OSError where the kernel has no room for that many addresses."""
        self._mapping = _mapping(whole_pages(size))
        self._mapping.madvise(_DONTFORK)
        self.view = memoryview(self._mapping)
        self._next = 0

    def area(self, size: int) -> tuple[int, int]:
        """(begin, end) of an area of whole pages that nobody else gets."""
        begin = self._next
        self._next += whole_pages(size)
        if self._next > len(self.view):
            raise ValueError("the region is smaller than its areas")
        return begin, self._next

    def release(self, begin: int, end: int) -> None:
        """Gives the whole pages of [begin, end) back to the kernel; they read as zeros afterwards."""
        begin, end = whole_pages(begin), end // PAGE * PAGE
        if end > begin:
            self._mapping.madvise(_DONTNEED, begin, end - begin)


class Blocks:
    """Blocks of whole pages in an area, first fit; a block that is given back is zeros at once."""

    def __init__(self, region: Region, size: int) -> None:
        self._region = region
        self._free = [region.area(size)]  # (begin, end), sorted, never touching each other

    def take(self, size: int) -> int:
        """Where a new block of `size` bytes begins. Raises MemoryError where there is no room."""
        wanted = whole_pages(max(size, 1))
        for place, (begin, end) in enumerate(self._free):
            if end - begin >= wanted:
                if end - begin == wanted:
                    del self._free[place]
                else:
                    self._free[place] = (begin + wanted, end)
                return begin
        raise MemoryError("no room for %d bytes of a program" % size)

    def give_back(self, begin: int, size: int) -> None:
        end = begin + whole_pages(max(size, 1))
        self._region.release(begin, end)
        free = self._free
        place = sum(1 for other, _ in free if other < begin)
        if place < len(free) and free[place][0] == end:
            end = free.pop(place)[1]
        if place and free[place - 1][1] == begin:
            begin = free.pop(place - 1)[0]
            place -= 1
        free.insert(place, (begin, end))


class TaskBuffer:
    """The one piece of programs' bytes that a child inherits: what the next child needs, and nothing of the one before."""

    def __init__(self, size: int) -> None:
        self._mapping = _mapping(whole_pages(size))
        self.view = memoryview(self._mapping)
        self._used = 0

    def fill(self, *parts: memoryview) -> list[int]:
        """Puts `parts` in one after the other; their ends. Raises MemoryError where they do not fit."""
        at, ends = 0, []
        for part in parts:
            if at + len(part) > len(self.view):
                raise MemoryError("no room for a task of this size")
            copy(self.view, at, part)
            at += len(part)
            ends.append(at)
        self._wipe(at, self._used)
        self._used = at
        for size, zeros in _LEFT_IN_REGISTERS:
            _SINK[:size] = zeros
        return ends

    def _wipe(self, begin: int, end: int) -> None:
        kept = max(begin, KEPT_BYTES)
        if end > whole_pages(kept):
            self._mapping.madvise(_DONTNEED, whole_pages(kept), whole_pages(end) - whole_pages(kept))
            end = whole_pages(kept)
        for at in range(begin, end, _STEP):
            size = min(_STEP, end - at)
            self.view[at : at + size] = _ZEROS[:size]
