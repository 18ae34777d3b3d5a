"""The filter's bytes, run by a small interpreter of classic BPF, against the table they were made from."""

import struct

import pytest

from reexec.engine.jail.seccomp.denied import (
    _AUDIT_ARCH,
    _NEW_NAMESPACE,
    ForbiddenCall,
    UnsupportedArchitectureError,
    filter_program,
    forbidden_calls,
)

ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
ARCHITECTURES = sorted(_AUDIT_ARCH)
FIRST_ARGUMENTS = sorted(
    {0, 1, 2, 3, 0xFFFFFFFF, 1 << 32, 1 | 1 << 32, 0x11, 0x20000000, 0x20011, *(1 << bit for bit in range(34))}
)


def run(program: bytes, number: int, architecture: int, first: int = 0) -> int:
    """The filter's answer; linux/filter.h for the meaning of the codes."""
    data = struct.pack("<IIQ6Q", number, architecture, 0, first, 0, 0, 0, 0, 0)
    instructions = [struct.unpack_from("<HBBI", program, at) for at in range(0, len(program), 8)]
    accumulator = at = 0
    for _ in range(len(instructions)):
        code, if_true, if_false, constant = instructions[at]
        at += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, constant)
        elif code == 0x06:
            return int(constant)
        else:
            taken = {0x15: accumulator == constant, 0x35: accumulator >= constant, 0x45: bool(accumulator & constant)}[code]
            at += if_true if taken else if_false
    raise AssertionError("the program ends without a return")


def expected(call: ForbiddenCall | None, first: int) -> int:
    if call is None:
        return ALLOW
    low = first & 0xFFFFFFFF
    refused = {
        "": True,
        "first_is_1": low == 1,
        "first_is_not_0": low != 0,
        "first_is_not_1": low != 1,
        "new_namespace": bool(low & _NEW_NAMESPACE),
    }[call.when]
    return ERRNO | call.refuse if refused else ALLOW


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_call_is_answered_as_the_table_says(architecture: str) -> None:
    program = filter_program(architecture)
    table = {call.number: call for call in forbidden_calls(architecture)}
    for number in range(600):
        call = table.get(number)
        for first in FIRST_ARGUMENTS if call is not None and call.when else (0, 1):
            assert run(program, number, _AUDIT_ARCH[architecture], first) == expected(call, first), (number, first)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_calls_of_another_architecture_end_the_process(architecture: str) -> None:
    program = filter_program(architecture)
    i386, arm, riscv = 0x40000003, 0x40000028, 0xC00000F3
    others = {i386, arm, riscv, 0, *_AUDIT_ARCH.values()} - {_AUDIT_ARCH[architecture]}
    for other in others:
        for number in (0, 1, 20, 62, 400):
            assert run(program, number, other) == KILL


def test_x32_numbers_end_the_process() -> None:
    program = filter_program("x86_64")
    for number in (0x40000000, 0x40000000 + 39, 0x40000000 + 520, 0xFFFFFFFF):
        assert run(program, number, _AUDIT_ARCH["x86_64"]) == KILL
    assert run(program, 0x3FFFFFFF, _AUDIT_ARCH["x86_64"]) == ALLOW


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_jumps_stay_inside_the_program_and_it_is_no_longer_than_the_kernel_takes(architecture: str) -> None:
    program = filter_program(architecture)
    count = len(program) // 8
    assert len(program) % 8 == 0
    assert count <= 4096  # BPF_MAXINSNS
    for at in range(count):
        _, if_true, if_false, _ = struct.unpack_from("<HBBI", program, 8 * at)
        assert at + 1 + max(if_true, if_false) < count or at == count - 1


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_the_design_names_is_forbidden(architecture: str) -> None:
    names = {call.name for call in forbidden_calls(architecture)}
    assert names >= {
        "kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open", "pidfd_send_signal", "pidfd_getfd",
        "process_madvise", "process_mrelease", "kcmp", "prlimit64", "setpriority", "sched_setaffinity", "sched_setscheduler",
        "sched_setattr", "ioprio_set", "shmget", "semget", "msgget", "mq_open", "memfd_secret", "inotify_init1",
        "fanotify_init", "io_setup", "move_pages", "migrate_pages", "ptrace", "process_vm_readv", "process_vm_writev",
        "execve", "execveat", "socket", "mount", "setns", "unshare", "clone", "clone3", "io_uring_setup", "bpf", "keyctl",
        "userfaultfd", "perf_event_open",
    }  # fmt: skip


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_no_number_stands_twice(architecture: str) -> None:
    numbers = [call.number for call in forbidden_calls(architecture)]
    assert len(numbers) == len(set(numbers))


def test_an_unknown_architecture_is_named() -> None:
    with pytest.raises(UnsupportedArchitectureError, match=r"'mips'; known: aarch64, x86_64"):
        forbidden_calls("mips")
