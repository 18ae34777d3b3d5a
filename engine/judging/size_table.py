"""How many bytes a decoded value's objects have: a frozen table of CPython 3.12 on 64 bits.

Owns the arithmetic. The numbers are what pympler's `asizeof` adds up there: each object's `sys.getsizeof` rounded up to
8 bytes, for objects made by the JSON reader. Checked against pympler in tests/property/test_size_guard_properties.py.
"""

import re
from typing import Final

NONE_BYTES: Final = 16
FLOAT_BYTES: Final = 24
SMALL_INT_BYTES: Final = 32
"""An integer below 2**60 in magnitude: 28 with one digit of 30 bits, 32 with two. A bool is one of one digit."""

# Several times as fast as max(text), which makes an object of every character.
_wider_than_1: Final = re.compile("[^\x00-\xff]").search
_wider_than_2: Final = re.compile("[^\x00-\uffff]").search


def int_bytes(number: int) -> int:
    """An integer: a head of 24 bytes and 4 for every 30 bits, at least one."""
    return aligned(24 + 4 * max(1, -(-number.bit_length() // 30)))


def text_bytes(text: str) -> int:
    """A text and its closing zero; characters take 1, 2 or 4 bytes by the widest of them."""
    length = len(text)
    if text.isascii():
        return (48 + length) & ~7  # 40 + length + 1, rounded up
    width = 1 if _wider_than_1(text) is None else 2 if _wider_than_2(text) is None else 4
    return aligned(56 + width * (length + 1))


def list_bytes(count: int) -> int:
    """A list that was filled by appending, as the JSON reader does: room grows by an eighth and is never given back."""
    return LIST_BYTES[count] if count < TABLED else _list_bytes(count)


def dict_bytes(count: int) -> int:
    """A dict with text keys that grew by insertion: two thirds of its slots can be used, entries take 16 bytes."""
    return DICT_BYTES[count] if count < TABLED else _dict_bytes(count)


def aligned(size: int) -> int:
    """Rounded up to a multiple of 8."""
    return (size + 7) & ~7


def _list_bytes(count: int) -> int:
    room = 0
    while room < count:
        room = (room + 1 + ((room + 1) >> 3) + 6) & ~3
    return 56 + 8 * room


def _dict_bytes(count: int) -> int:
    if not count:
        return 64
    log2_slots = 3
    while count > (2 << log2_slots) // 3:
        log2_slots += 1
    slots = 1 << log2_slots
    index_bytes = 1 if log2_slots < 8 else 2 if log2_slots < 16 else 4
    return 64 + 32 + slots * index_bytes + 16 * (2 * slots // 3)


TABLED: Final = 128
"""Lists and dicts with fewer entries are looked up."""
LIST_BYTES: Final = tuple(map(_list_bytes, range(TABLED)))
DICT_BYTES: Final = tuple(map(_dict_bytes, range(TABLED)))
