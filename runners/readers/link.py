"""What goes between a run and a reader: messages of 16 bytes, and slots of memory that hold a block or its answer.

There are only as many messages as slots, so none of them ever waits for room, and neither side can keep the other from reading.
"""

import marshal
import os
import struct
from typing import Any

SLOTS = 2
"""Blocks in a reader's hands: one that it works on, one that lies ready."""
KEPT_BYTES = 4 << 20
"""A slot that has held more gives it back."""
READY, FAILED = SLOTS, SLOTS + 1
"""Said in place of a slot: it has started, or it has failed at that."""
_MESSAGE = struct.Struct("<QQ")
MESSAGE_BYTES = _MESSAGE.size


def packed(slot: int, size: int) -> bytes:
    return _MESSAGE.pack(slot, size)


def unpacked(message: bytes) -> tuple[int, int]:
    """(slot, bytes in it). Raises ValueError."""
    if len(message) != MESSAGE_BYTES:
        raise ValueError("a message of another size")
    slot, size = _MESSAGE.unpack(message)
    return slot, size


def put(memory: int, value: Any) -> int:
    """Writes plain data into a slot, and returns its size. Raises OSError."""
    data = memoryview(marshal.dumps(value))
    if os.fstat(memory).st_size > KEPT_BYTES:
        os.ftruncate(memory, 0)
    written = 0
    while written < len(data):
        written += os.pwrite(memory, data[written:], written)
    return written


def get(memory: int, size: int) -> Any:
    """Raises OSError, EOFError, ValueError, TypeError."""
    data = os.pread(memory, size, 0)
    if len(data) != size:
        raise EOFError("less in the slot than was said")
    return marshal.loads(data)  # noqa: S302 - of our own process
