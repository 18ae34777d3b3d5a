"""The filters of the isolation level `restricted`, run by a small interpreter of classic BPF, against the tables they
were made from."""

import errno
import struct
from collections.abc import Sequence

import pytest

from reexec.engine.jail.seccomp.allowed import (
    OWN_PID,
    AllowedCall,
    allowed_calls,
    allowed_filter_program,
    child_filter_program,
    newest_known,
)
from reexec.engine.jail.seccomp.denied import _AUDIT_ARCH, UnsupportedArchitectureError, forbidden_calls

ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, EAGAIN, ENOSYS = ERRNO | errno.EPERM, ERRNO | errno.EAGAIN, ERRNO | errno.ENOSYS
ARCHITECTURES = sorted(_AUDIT_ARCH)
HIGH = 1 << 32


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
            taken = {0x15: accumulator == constant, 0x35: accumulator >= constant, 0x45: bool(accumulator & constant)}[code]
            at += if_true if taken else if_false
    raise AssertionError("the program ends without a return")


# arguments that each condition lets through, and that it refuses
CONDITIONS: dict[str, tuple[list[tuple[int, ...]], list[tuple[int, ...]]]] = {
    "": ([(), (1, 2, 3, 4, 5, 6)], []),
    "first_is_not_0": ([(0, 7), (HIGH,)], [(1,), (4242,)]),
    "new_namespace": ([(17,), (0x3D0F00,)], [(0x20000,), (0x10000011,), (0x40000000 | HIGH,)]),
    "parent_death": ([(1, 9), (15, 0), (38, 1), (HIGH | 1, 9)], [(1, 0), (1, 15), (HIGH | 1, 0)]),
    "signal_owner": ([(3, 1), (3, 2, 1), (3, 4, 0o20000)], [(3, 8, 1), (3, 10, 9), (3, 15), (3, 1024), (3, 8 | HIGH)]),
    "signal_owner_by_ioctl": ([(3, 0x5421), (3, 0x5401)], [(3, 0x8901), (3, 0x8902)]),
    "no_stream_pair": ([(1, 1), (1, 1 | 0o2000000 | 0o4000)], [(1, 2), (1, 5), (2, 1), (16, 3), (1, 2 | 0o4000)]),
    "with_address": ([(3, 1, 1, 0, 0)], [(3, 1, 1, 0, 1), (3, 1, 1, 0, HIGH)]),
}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_call_is_answered_as_the_tables_say(architecture: str) -> None:
    program = allowed_filter_program(architecture)
    table: dict[int, AllowedCall] = {row.number: row for row in allowed_calls(architecture)}
    refused = {row.number: row.refuse for row in forbidden_calls(architecture)}
    for number in range(600):
        row = table.get(number)
        if row is None:
            wanted = ENOSYS if number > newest_known() else ERRNO | refused.get(number, errno.EPERM)
            assert run(program, number, _AUDIT_ARCH[architecture]) == wanted, number
            continue
        fine, wrong = CONDITIONS[row.when]
        for arguments in fine:
            assert run(program, number, _AUDIT_ARCH[architecture], arguments) == ALLOW, (row, arguments)
        for arguments in wrong:
            assert run(program, number, _AUDIT_ARCH[architecture], arguments) == ERRNO | row.refuse, (row, arguments)


def test_every_condition_of_the_table_is_tried() -> None:
    assert {row.when for architecture in ARCHITECTURES for row in allowed_calls(architecture)} == set(CONDITIONS)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_child_may_signal_itself_and_start_nothing(architecture: str) -> None:
    program, at = child_filter_program(architecture)
    assert program[at : at + 4] == struct.pack("<I", OWN_PID)
    program = program[:at] + struct.pack("=I", 4711) + program[at + 4 :]
    numbers = {row.name: row.number for row in allowed_calls(architecture)}
    arch = _AUDIT_ARCH[architecture]
    for name, number in numbers.items():
        if name in ("clone", "fork", "vfork"):
            assert run(program, number, arch, (17,)) == EAGAIN
        elif name in ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"):
            assert run(program, number, arch, (4711, 4711, 9)) == ALLOW
            for other in (0, 1, 4710, 0xFFFFFFFF, 0xFFFFFFFF - 4710, 4711 << 32):
                assert run(program, number, arch, (other, 4711, 9)) == EPERM
        else:
            assert run(program, number, arch, (1, 9)) == ALLOW


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_calls_of_another_architecture_end_the_process(architecture: str) -> None:
    program = allowed_filter_program(architecture)
    for other in {0x40000003, 0x40000028, 0, *_AUDIT_ARCH.values()} - {_AUDIT_ARCH[architecture]}:
        assert run(program, 0, other) == KILL
    if architecture == "x86_64":
        assert run(program, 0x40000000 + 39, _AUDIT_ARCH[architecture]) == KILL


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nothing_that_the_other_table_forbids_outright_is_allowed(architecture: str) -> None:
    forbidden = {row.name for row in forbidden_calls(architecture) if not row.when}
    allowed = {row.name for row in allowed_calls(architecture)}
    assert not forbidden & allowed
    # Landlock does not cover these; on this isolation level nothing else would.
    uncovered = {"truncate", "chmod", "fchmod", "fchmodat", "chown", "fchown", "fchownat", "utimensat", "setxattr", "getxattr"}
    assert not uncovered & allowed
    assert not {"landlock_create_ruleset", "landlock_add_rule", "memfd_create", "execve", "execveat"} & allowed


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_jumps_stay_inside_and_no_number_stands_twice(architecture: str) -> None:
    for program in (allowed_filter_program(architecture), child_filter_program(architecture)[0]):
        count = len(program) // 8
        assert count <= 4096  # BPF_MAXINSNS
        for at in range(count):
            code, if_true, if_false, _ = struct.unpack_from("<HBBI", program, 8 * at)
            assert code == 0x06 or at + 1 + max(if_true, if_false) < count
    numbers = [row.number for row in allowed_calls(architecture)]
    assert len(numbers) == len(set(numbers))


def test_an_unknown_architecture_is_named() -> None:
    with pytest.raises(UnsupportedArchitectureError, match=r"'mips'; known: aarch64, x86_64"):
        allowed_filter_program("mips")
