"""A small assembler for classic BPF, as far as system-call filters need it. Knows nothing of calls.

A piece of code is entered at its first instruction and either returns or falls out at its end, with whatever is loaded.
"""

import struct

from .table import ALLOW, Rule, Test

# linux/bpf_common.h
_LOAD, _AND, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
# linux/seccomp.h
_RET_KILL_PROCESS, _RET_ERRNO, _RET_ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
# struct seccomp_data: number, architecture, six 64-bit arguments from offset 16, low half first on both architectures
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # linux/audit.h
X32_BIT = 0x40000000
INSTRUCTION_BYTES = 8
_HALF = 0xFFFFFFFF


def _op(code: int, constant: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, constant)


def _length(code: bytes) -> int:
    return len(code) // INSTRUCTION_BYTES


def kill() -> bytes:
    return _op(_RETURN, _RET_KILL_PROCESS)


def answer(number: int) -> bytes:
    """Returns to the kernel: ALLOW, or an errno; 0 says success without doing anything."""
    return _op(_RETURN, _RET_ALLOW if number == ALLOW else _RET_ERRNO | number)


def load_number() -> bytes:
    return _op(_LOAD, _NUMBER)


def load_argument(index: int, *, high: bool = False) -> bytes:
    return _op(_LOAD, _ARGUMENTS + 8 * index + (4 if high else 0))


def opening(architecture: str) -> bytes:
    """Ends a process that calls by another architecture's table (32-bit `int 0x80`, x32), whose numbers mean other calls.
    Leaves the call's number loaded."""
    code = _op(_LOAD, _ARCHITECTURE) + _op(_EQUAL, AUDIT_ARCH[architecture], 1, 0) + kill() + load_number()
    if architecture == "x86_64":
        code += _op(_AT_LEAST, X32_BIT, 0, 1) + kill()
    return code


def if_equal(value: int, then: bytes) -> bytes:
    """Runs `then` where the loaded number is `value`, else skips it."""
    return _op(_EQUAL, value, 0, _length(then)) + then


def if_at_least(value: int, then: bytes) -> bytes:
    return _op(_AT_LEAST, value, 0, _length(then)) + then


def if_any(values: list[int], then: bytes) -> bytes:
    """Runs `then` where the loaded number is one of `values`, else skips it."""
    jumps = [_op(_EQUAL, value, len(values) - at, 0) for at, value in enumerate(values[:-1], 1)]
    return b"".join(jumps) + _op(_EQUAL, values[-1], 0, _length(then)) + then


def rule(rule: Rule) -> bytes:
    """Answers where all tests of the rule hold, else falls out."""
    code = answer(rule.answer)
    for test in reversed(rule.tests):
        code = _test(test, code)
    return code


def _test(test: Test, then: bytes) -> bytes:
    if test.at_most is not None:
        low = load_argument(test.argument) + _op(_AT_LEAST, test.at_most + 1, _length(then), 0) + then
        return load_argument(test.argument, high=True) + if_equal(0, low)
    if test.wide:
        (value,) = test.values
        high = load_argument(test.argument, high=True) + if_equal(value >> 32, then)
        return load_argument(test.argument) + if_equal(value & _HALF, high)
    load = load_argument(test.argument) + (_op(_AND, test.mask) if test.mask != _HALF else b"")
    if not test.negated:
        return load + if_any(list(test.values), then)
    skips = [_op(_EQUAL, value, _length(then) + len(test.values) - at, 0) for at, value in enumerate(test.values, 1)]
    return load + b"".join(skips) + then
