"""The bytes of the filters, run by a small interpreter of classic BPF, against a list of calls that was written for this test
and not made from the table. Numbers are compared with the kernel's own headers."""

import errno
import re
import struct
from pathlib import Path

import pytest

from reexec.engine.jail.seccomp import (
    OWN_PID,
    Grant,
    UnsupportedArchitectureError,
    child_filter,
    with_places,
    zygote_filter,
)
from reexec.engine.jail.seccomp.filters import ARGUMENTS_PLACE, PATH_PLACE
from reexec.engine.jail.seccomp.table import ARCHITECTURES, newest_known, rows
from tests.conftest import lacking
from tests.support.bpf import ALLOW, AUDIT_ARCH, ERRNO, KILL, run

HIGH = 1 << 32
NOTHING: frozenset[Grant] = frozenset()
GRANTS = [NOTHING, *(frozenset({grant}) for grant in Grant), frozenset({Grant.WRITABLE, Grant.PROCESSES}), frozenset(Grant)]
EPERM, EAGAIN, ENOSYS, ENOMEM, EINVAL = (
    ERRNO | number for number in (errno.EPERM, errno.EAGAIN, errno.ENOSYS, errno.ENOMEM, errno.EINVAL)
)
SUCCESS = ERRNO | 0


def words(text: str) -> set[str]:
    return set(text.split())


# Allowed with any arguments, whatever is granted.
ALWAYS = words(
    """
    munmap mprotect mremap brk msync
    read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 open openat openat2 creat close close_range lseek
    stat lstat fstat newfstatat statx access faccessat faccessat2 readlink readlinkat getdents getdents64 getcwd chdir fchdir
    umask statfs fstatfs dup dup2 dup3 pipe pipe2
    poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd eventfd2
    signalfd signalfd4 timerfd_create timerfd_settime timerfd_gettime pause nanosleep clock_nanosleep restart_syscall
    sched_yield
    wait4 waitid exit exit_group set_tid_address set_robust_list rseq
    getpid getppid gettid getpgrp getpgid getsid setpgid setsid getuid geteuid getgid getegid getresuid getresgid getgroups
    capget uname sysinfo getcpu
    rt_sigaction rt_sigprocmask rt_sigpending rt_sigtimedwait rt_sigsuspend rt_sigreturn sigaltstack alarm getitimer setitimer
    time gettimeofday clock_gettime clock_getres times getrusage getrlimit setrlimit getpriority ioprio_get sched_getaffinity
    sched_getparam sched_getscheduler sched_getattr sched_get_priority_max sched_get_priority_min sched_rr_get_interval
    getrandom shutdown getsockname getpeername
    """
)
# Allowed with a grant.
WITH = {
    Grant.WRITABLE: words(
        """
        mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat chmod fchmod fchmodat utime
        utimes futimesat utimensat truncate ftruncate fallocate fsync fdatasync copy_file_range
        """
    ),
    Grant.PROCESSES: {"fork", "vfork"},
    Grant.RESTRICTED: {"landlock_restrict_self"},
}
# Refused in another way than EPERM.
ANSWERS = (
    dict.fromkeys(("futex_waitv", "clone3", "io_uring_setup", "io_uring_enter", "io_uring_register"), ENOSYS)
    | dict.fromkeys(("sendfile", "splice", "tee", "vmsplice"), EINVAL)
    | dict.fromkeys(("fork", "vfork"), EAGAIN)
    | {
        f"{letter}{what}xattr": ERRNO | errno.EOPNOTSUPP
        for letter in ("", "l", "f")
        for what in ("get", "set", "list", "remove")
    }
)

SHARED_ANONYMOUS: list[tuple[int, ...]] = [
    (0, 4097, 3, 0x21),
    (0, 1 << 30, 3, 0x4021),
    (0, HIGH, 3, 0x21),
    (0, 4096 | HIGH, 3, 0x21),
]
LOCKS: list[tuple[int, ...]] = [(3, 6), (3, 7), (3, 37), (3, 38 | HIGH)]
THREADS: list[tuple[int, ...]] = [(0x3D0F00,), (0x7D0F00,), (0x3D0F00 | HIGH,)]
VFORK: list[tuple[int, ...]] = [(0x4111,)]

# Path and arguments of a command, and the same with one bit of either half of either place wrong.
PLACES = (PATH_PLACE, ARGUMENTS_PLACE, 7)
ELSEWHERE: list[tuple[int, ...]] = [
    (0, 0, 0),
    *((PATH_PLACE ^ bit, ARGUMENTS_PLACE, 7) for bit in (1, HIGH)),
    *((PATH_PLACE, ARGUMENTS_PLACE ^ bit, 7) for bit in (1, HIGH)),
]

# (arguments, answer) by call and grants; a call that is here is in none of the lists above.
Tries = list[tuple[list[tuple[int, ...]], int]]


def conditional(grants: frozenset[Grant]) -> dict[str, Tries]:
    writable, processes = Grant.WRITABLE in grants, Grant.PROCESSES in grants
    locks = EPERM if not writable else ALLOW if processes else SUCCESS
    signal: Tries = [([(2,), (0,), (0xFFFFFFFF,), (4711,), (HIGH,)], ALLOW), ([(1,), (1 | HIGH,)], EPERM)]
    special: Tries = [([(0, 0o10644), (0, 0o100644), (0, 0o644)], ALLOW if writable else EPERM)]
    devices: Tries = [([(0, 0o20666), (0, 0o60666), (0, 0o140666), (0, 0o40755)], EPERM)]
    return {
        "mmap": [
            # private memory, private and shared mappings of files
            ([(0, 4096, 3, 0x22), (0, 4096, 7, 0x22 | 0x4000), (0, 1, 1, 0x02), (0, 1, 1, 1), (0, 1, 1, 0x12 | HIGH)], ALLOW),
            # huge pages of the host's pool, droppable memory, no type at all
            ([(0, 1, 3, 0x40022), (0, 1, 3, 0x40021), (0, 1, 3, 0x28), (0, 1, 3, 0x20), (0, 1, 3, 0x0)], ENOMEM),
            ([(0, 4096, 3, 0x21), (0, 1, 7, 0x4021)], ALLOW),  # a page, of which nothing can be unmapped
            (SHARED_ANONYMOUS, ALLOW if Grant.COUNTED in grants else ENOMEM),
            ([(0, 4096, 0, 0x23)], ENOMEM),
        ],
        "madvise": [
            ([(0, 1, advice) for advice in (0, 1, 2, 3, 4, 8, 10, 11, 14, 15, 16, 17, 18, 19)], ALLOW),
            ([(0, 1, advice) for advice in (5, 9, 12, 13, 20, 21, 22, 23, 24, 25, 100, 101, 102, 0xFFFFFFFF)], EINVAL),
        ],
        "fcntl": [
            ([(3, command) for command in (0, 1, 2, 3, 4, 5, 36, 1030, 1032, 1034)], ALLOW),
            # owners and signals, leases, notifications, the size of a pipe, seals
            ([(3, command) for command in (8, 9, 10, 11, 15, 16, 1024, 1025, 1026, 1031, 1033, 1036, 1024 | HIGH)], EPERM),
            (LOCKS, locks),
        ],
        "flock": [([(3, 1), (3, 2), (3, 6), (3, 8)], locks)],
        "ioctl": [
            ([(1, request) for request in (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451, 0x802C542A)], ALLOW),
            # TIOCSTI, FIOASYNC, FIOSETOWN, SIOCSPGRP, FICLONE, FS_IOC_GETFLAGS, RNDADDTOENTCNT
            ([(1, n) for n in (0x5412, 0x5452, 0x8901, 0x8902, 0x40049409, 0x80086601, 0x40045201, 0x8901 | HIGH)], EPERM),
        ],
        "mknod": [*special, *devices],
        "mknodat": [([(5, *a) for a in tries], word) for tries, word in (*special, *devices)],
        "clone": [
            ([(17,), (0x1200011,), (0x1300011,), (17 | HIGH,)], ALLOW),
            ([*THREADS, *VFORK], ALLOW if processes else EAGAIN),
            # namespaces, CLONE_PARENT, CLONE_PTRACE, CLONE_PIDFD, CLONE_IO, CLONE_FILES, another signal at the end, none
            ([(0x20011,), (0x10000011,), (0x40000011,), (0x8011,), (0x2011,), (0x1011,), (0x80000011,), (0x411,)], EPERM),
            ([(9,), (0,), (0x3D0F00 | 0x10000000,), (0x3D0F00 | 0x8000,), (0x111,)], EPERM),
        ],
        "prctl": [
            ([(1, 9), (3,), (15, 7), (16,), (21,), (23, 1), (38, 1), (39,), (15 | HIGH,)], ALLOW),
            ([(22, 2)], ALLOW if Grant.OWN_FILTER in grants else EPERM),
            # the parent's death, dumpable, keepcaps, subreaper, Yama's tracer, mm, core scheduling, names of memory
            ([(1, 0), (1, 15), (4, 1), (8, 1), (24, 1), (36, 1), (0x59616D61, 1), (35, 1), (62, 0), (0x53564D41, 0)], EPERM),
        ],
        "arch_prctl": [
            ([(0x1021,), (0x1022,), (0x1023,)], ALLOW),
            ([(0x1002,)], ALLOW if Grant.COMMANDS in grants else EPERM),  # where the data of its threads lie
            ([(0x1001,), (0x1011,), (0x5001,)], EPERM),
        ],
        "execve": [
            ([PLACES], ALLOW if grants & {Grant.COMMANDS, Grant.EXECUTE} else EPERM),
            (ELSEWHERE, ALLOW if Grant.EXECUTE in grants else EPERM),
        ],
        "kill": signal,
        "tkill": signal,
        "tgkill": signal,
        "rt_sigqueueinfo": signal,
        "rt_tgsigqueueinfo": signal,
        "prlimit64": [([(0, 7), (HIGH, 7)], ALLOW), ([(1,), (4242,), (0xFFFFFFFF,)], EPERM)],
        "socketpair": [
            ([(1, 1), (1, 1 | 0o2000000 | 0o4000)], ALLOW),
            ([(1, 2), (1, 5), (1, 3), (2, 1), (10, 1), (16, 3), (38, 5), (0, 1)], EPERM),
        ],
        "sendto": [
            ([(3, 1, 1, 0, 0), (3, 1, 1, 0x4040, 0)], ALLOW),
            ([(3, 1, 1, 0, 1), (3, 1, 1, 0, HIGH), (3, 1, 1, 0, 1 | HIGH), (3, 1, 1, 1, 0), (3, 1, 1, 0x4001, 0)], EPERM),
        ],
        "recvfrom": [([(3, 1, 1, 0, 5), (3, 1, 1, 0x40, 0)], ALLOW), ([(3, 1, 1, 1), (3, 1, 1, 0x43)], EPERM)],
        "recvmsg": [([(3, 1, 0), (3, 1, 0x40000040)], ALLOW), ([(3, 1, 1), (3, 1, 0x40000001)], EPERM)],
        "sendmsg": [([(3, 1, 0), (3, 1, 0x4000)], ALLOW if processes else EPERM), ([(3, 1, 1), (3, 1, 0x4001)], EPERM)],
        "getsockopt": [
            ([(3, 1, 3), (3, 1, 4), (3, 1, 17), (3, 1, 39)], ALLOW),
            # other levels; filters, pidfds, groups, cookies
            ([(3, 0, 64), (3, 6, 1), (3, 41, 1), (3, 255, 1), (3, 1, 26), (3, 1, 77), (3, 1, 59), (3, 1, 57)], EPERM),
        ],
        "futex": [
            ([(1, op | flags) for op in (0, 1, 3, 4, 5, 9, 10) for flags in (0, 128, 256, 384)], ALLOW),
            ([(1, op | flags) for op in (2, 6, 7, 8, 11, 12, 13, 14) for flags in (0, 128, 384)], ENOSYS),
        ],
    }  # fmt: skip


def headers(architecture: str) -> dict[str, int]:
    """The kernel's own numbers, from its headers for programs (Debian's linux-libc-dev)."""
    if architecture == "x86_64":
        found = [*Path("/usr/include").glob("*/asm/unistd_64.h"), *Path("/usr/include").glob("asm/unistd_64.h")]
        pattern = r"#define __NR_(\w+) (\d+)"
    else:
        found = [path for path in [Path("/usr/include/asm-generic/unistd.h")] if path.exists()]
        pattern = r"#define __NR(?:3264)?_(\w+) (\d+)$"
    if not found:
        lacking("no kernel headers here: apt-get install linux-libc-dev")
    numbers = {name: int(number) for name, number in re.findall(pattern, found[0].read_text(), re.MULTILINE)}
    if architecture == "aarch64":
        numbers["newfstatat"] = numbers["fstatat"]
    return numbers


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_numbers_are_the_kernels(architecture: str) -> None:
    known = headers(architecture)
    assert {row.name: row.number for row in rows(architecture, NOTHING)} == {
        row.name: known[row.name] for row in rows(architecture, NOTHING)
    }


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_no_call_is_left_out_where_the_architecture_has_it(architecture: str) -> None:
    named = {row.name for other in ARCHITECTURES for row in rows(other, NOTHING)}
    here = {row.name for row in rows(architecture, NOTHING)}
    assert {name for name in named - here if name in headers(architecture)} == set()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("grants", GRANTS, ids=lambda grants: "+".join(sorted(grants)) or "nothing")
def test_every_call_is_answered_as_the_independent_list_says(architecture: str, grants: frozenset[Grant]) -> None:
    program, arch = zygote_filter(grants, architecture), AUDIT_ARCH[architecture]
    names = {number: name for name, number in headers(architecture).items() if number <= newest_known()}
    tries = conditional(grants)
    allowed = ALWAYS.union(*(WITH.get(grant, set()) for grant in grants))
    for number in range(newest_known() + 1):
        name = names.get(number, "")
        if name in tries:
            for arguments, answer in tries[name]:
                for some in arguments:
                    assert run(program, number, arch, some) == answer, (name, [hex(value) for value in some])
            continue
        answer = ALLOW if name in allowed else ANSWERS.get(name, EPERM)
        for some in ((), (1, 2, 3, 4, 5, 6)):
            assert run(program, number, arch, some) == answer, (name, number, some)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_calls_newer_than_the_table_do_not_exist(architecture: str) -> None:
    program = zygote_filter(NOTHING, architecture)
    for number in (newest_known() + 1, newest_known() + 20, 1000, 0x3FFFFFFF):
        assert run(program, number, AUDIT_ARCH[architecture]) == ENOSYS


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_calls_of_another_architecture_end_the_process(architecture: str) -> None:
    program = zygote_filter(NOTHING, architecture)
    i386, arm, riscv = 0x40000003, 0x40000028, 0xC00000F3
    for other in {i386, arm, riscv, 0, *AUDIT_ARCH.values()} - {AUDIT_ARCH[architecture]}:
        for number in (0, 1, 20, 62, 400):
            assert run(program, number, other) == KILL
    for number in (0x40000000, 0x40000000 + 39, 0xFFFFFFFF):  # x32 has its numbers there
        assert run(program, number, AUDIT_ARCH[architecture]) == (KILL if architecture == "x86_64" else ENOSYS)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_child_may_signal_itself_start_nothing_and_install_no_further_filter(architecture: str) -> None:
    program, at = child_filter(architecture)
    assert program[at : at + 4] == struct.pack("<I", OWN_PID)
    assert program.count(program[at : at + 4]) == 1
    program = program[:at] + struct.pack("=I", 4711) + program[at + 4 :]
    arch = AUDIT_ARCH[architecture]
    for name, number in headers(architecture).items():
        if name in ("clone", "fork", "vfork"):
            assert run(program, number, arch, (17,)) == EAGAIN
        elif name in ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"):
            assert run(program, number, arch, (4711, 4711, 9)) == ALLOW
            for other in (0, 1, 4710, 0xFFFFFFFF, 0xFFFFFFFF - 4710, 4711 << 32):
                assert run(program, number, arch, (other, 4711, 9)) == EPERM
        else:
            assert run(program, number, arch, (1, 9)) == ALLOW
    prctl = headers(architecture)["prctl"]
    assert [run(program, prctl, arch, (option, 2)) for option in (22, 15)] == [EPERM, ALLOW]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_jumps_stay_inside_and_programs_are_no_longer_than_the_kernel_takes(architecture: str) -> None:
    for program in (*(zygote_filter(grants, architecture) for grants in GRANTS), child_filter(architecture)[0]):
        count = len(program) // 8
        assert len(program) % 8 == 0
        assert count <= 4096  # BPF_MAXINSNS
        for at in range(count):
            code, if_true, if_false, _ = struct.unpack_from("<HBBI", program, 8 * at)
            assert code in (0x06, 0x20, 0x54) or at + 1 + max(if_true, if_false) < count
    numbers = [row.number for row in rows(architecture, NOTHING)]
    assert len(numbers) == len(set(numbers))


def test_an_unknown_architecture_is_named() -> None:
    with pytest.raises(UnsupportedArchitectureError, match=r"'mips'; known: aarch64, x86_64"):
        zygote_filter(NOTHING, "mips")


def test_the_places_of_a_command_are_those_of_its_worker() -> None:
    own = with_places(zygote_filter(frozenset({Grant.COMMANDS}), "x86_64"), 0x1234_5678_9ABC, 0x7FFF_0000_1000)
    number = next(row.number for row in rows("x86_64", NOTHING) if row.name == "execve")
    for places, word in (
        ((0x1234_5678_9ABC, 0x7FFF_0000_1000), ALLOW),
        ((0x7FFF_0000_1000, 0x1234_5678_9ABC), EPERM),
        (PLACES[:2], EPERM),
        ((0x1234_5678_9ABC, 0), EPERM),
        ((0x5678_9ABC, 0x7FFF_0000_1000), EPERM),
    ):
        assert run(own, number, AUDIT_ARCH["x86_64"], places) == word
