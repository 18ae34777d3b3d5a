"""Makes every object of the warm zygote immortal (PEP 683), so that using one does not write its reference count.

After a fork each first write to a page costs a page fault and a copy, in the child and again in the zygote; reference
counts are most of these writes. CPython 3.12 and 3.13 skip the count of an object whose lower 32 bits are all set. The
effect is measured in docs/decisions. Other versions are left alone: they are slower, not different.
"""

import ctypes
import gc
import sys

_ALL_BITS = 0xFFFFFFFF
_PASSING = ("frame", "generator", "coroutine", "async_generator")  # owned by calls that are still running


def make_everything_immortal():
    if sys.version_info[:2] not in ((3, 12), (3, 13)) or sys.maxsize < 2**32 or hasattr(sys, "gettotalrefcount"):
        return
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return
    set_count = ctypes.c_uint32.from_address
    seen = set()
    waiting = gc.get_objects()
    own = {id(seen), id(waiting)}
    while waiting:
        value = waiting.pop()
        number = id(value)
        if number in seen or number in own:
            continue
        seen.add(number)
        waiting.extend(gc.get_referents(value))
        if type(value).__name__ not in _PASSING:
            set_count(number).value = _ALL_BITS
