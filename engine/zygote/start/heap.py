"""Prepares the zygote's heap for forking: after a fork each first write to a page costs a page fault and a copy, in the
child and again in the zygote, and these are most of what a check costs.

Two things are done once it is warm. Every object becomes immortal (PEP 683), so that using one does not write its
reference count: CPython 3.12 and 3.13 skip the count of an object whose lower 32 bits are all set. And the holes that
start-up left in the allocator's pools are filled, so that new objects lie close together in fresh pools instead of
each on another old page. docs/decisions has the measurements. Other versions are left alone: slower, not different.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from typing import Any

_ALL_BITS = 0xFFFFFFFF
_PASSING = ("frame", "generator", "coroutine", "async_generator")  # owned by calls that are still running


_POOL_BYTES, _POOL_HEADER = 16 * 1024, 48  # of obmalloc.c since 3.10
_SMALLEST, _LARGEST, _STEP = 48, 512, 16
_MIXED = 256  # blocks of a size


def fill_holes() -> list[bytes]:
    """Returns what fills them: keep it. Works through blocks of every size until one opens a pool of its own."""
    if not _is_known():
        return []
    overhead = sys.getsizeof(b"")
    fillers: list[bytes] = []
    for size in range(_SMALLEST, _LARGEST + 1, _STEP):
        for _ in range(20_000):
            block = bytes(size - overhead)
            if id(block) % _POOL_BYTES == _POOL_HEADER:
                break
            fillers.append(block)
    return fillers


def mix_free_blocks(seed: int) -> list[object]:
    """Leaves free blocks of every small size in an order drawn from `seed`, so that the objects of a check come to lie in
    that order. Address randomisation moves whole pages: where two objects of one page lie, and so the order of a small set
    of objects without a hash of their own, is the same under it. Returns what lies between the free blocks: keep it."""
    draw = sys.modules["random"].Random(seed)  # imported by prelude.import_random, in its own way
    overhead = sys.getsizeof(b"")
    kept: list[object] = []
    for size in (16, 32, *range(_SMALLEST, _LARGEST + 1, _STEP)):
        blocks: list[object] = []
        for number in range(_MIXED):
            blocks.append(object() if size == 16 else complex(number, 1) if size == 32 else bytes(size - overhead))
        draw.shuffle(blocks)
        kept += blocks[::2]
        del blocks[::2]
        while blocks:  # one by one: the allocator gives back last what was freed first
            blocks.pop()
    return kept


def _is_known() -> bool:
    if sys.version_info[:2] not in ((3, 12), (3, 13)) or sys.maxsize < 2**32 or hasattr(sys, "gettotalrefcount"):
        return False
    return getattr(sys, "_is_gil_enabled", lambda: True)()


def make_everything_immortal() -> None:
    _make_immortal(gc.get_objects(), set())


def make_immortal(value: object) -> None:
    """`value` and what can be reached from it by way of objects that are not immortal yet."""
    _make_immortal([value], {_ALL_BITS})


def _make_immortal(waiting: list[Any], passed_over: set[int]) -> None:
    if not _is_known():
        return
    set_count = ctypes.c_uint32.from_address
    seen: set[int] = set()
    own = {id(seen), id(waiting), id(passed_over)}
    while waiting:
        value = waiting.pop()
        number = id(value)
        if number in seen or number in own or set_count(number).value in passed_over:
            continue
        seen.add(number)
        waiting.extend(gc.get_referents(value))
        if type(value).__name__ not in _PASSING:
            set_count(number).value = _ALL_BITS
