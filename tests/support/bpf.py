"""A small interpreter of classic BPF: what a system-call filter answers, without a kernel."""

import struct
from collections.abc import Sequence

ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # linux/audit.h


def run(program: bytes, number: int, architecture: int, arguments: Sequence[int] = ()) -> int:
    """The filter's answer; linux/filter.h for the meaning of the codes."""
    data = struct.pack("<IIQ6Q", number, architecture, 0, *[*arguments, 0, 0, 0, 0, 0, 0][:6])
    instructions = [struct.unpack_from("<HBBI", program, at) for at in range(0, len(program), 8)]
    accumulator = at = 0
    for _ in range(len(instructions)):
        code, if_true, if_false, constant = instructions[at]
        at += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, constant)
        elif code == 0x54:
            accumulator &= constant
        elif code == 0x06:
            return int(constant)
        else:
            at += if_true if {0x15: accumulator == constant, 0x35: accumulator >= constant}[code] else if_false
    raise AssertionError("the program ends without a return")
