"""Each wall of a worker by itself, as the kernel tells it to the host: namespaces, mounts, ids, privileges, limits, devices.

An attack that fails says that some wall held it; here each of them must stand without the others.
"""

import contextlib
import functools
import os
import re
import resource
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from reexec import Executor, Program, load_policy
from reexec.engine.jail.backends import BACKENDS
from reexec.engine.jail.seccomp.table import newest_known
from reexec.policies.model import IsolationLevel
from tests.attacks.harness import offered
from tests.attacks.test_engine_survives import children_of_zygotes, wait_for
from tests.conftest import lacking

LEVELS = [IsolationLevel.NSJAIL_CGROUP, IsolationLevel.NSJAIL, IsolationLevel.RESTRICTED]
JAILED = LEVELS[:2]
OPEN_FILES, STACK, SCRATCH, PROCESSES = 48, 4 << 20, 3 << 20, 5
SLEEP = Program("import time\ndef f(s):\n    time.sleep(s)\n    return 'woke'", "f")
NAMESPACES = {"cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "user", "uts"}
SHARED = {"time", "time_for_children"}  # offsets of clocks: nothing to be set or seen there


GRANTS = (f"limits.scratch_bytes={SCRATCH}", "limits.scratch_inodes=40", f"limits.processes={PROCESSES}")
"""Everything that a policy can grant."""


def executor_on(isolation: IsolationLevel, *settings: str) -> Executor:
    for offer in offered():
        if offer.isolation is isolation and offer.reason:
            lacking(offer.reason)
    base = ["limits.cpu_s=20", "limits.idle_s=20", f"limits.open_files={OPEN_FILES}", f"limits.stack_bytes={STACK}"]
    policy = load_policy("codeio", settings=[*base, f'isolation.lowest="{isolation.value}"', *settings])
    return Executor(policy, workers=1, isolation=isolation)


class Workers:
    """Of each level, with grants and without, one worker that is free and one with a check that sleeps. Nothing here changes
    them."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._enter = stack.enter_context
        self.free = functools.cache(self._free)
        self.asleep = functools.cache(self._asleep)

    def _free(self, isolation: IsolationLevel, *grants: str) -> Executor:
        return self._enter(executor_on(isolation, *grants))

    def _asleep(self, isolation: IsolationLevel, *grants: str) -> list[int]:
        """The zygote, and a check of it that sleeps until the tests are over."""
        executor = self._enter(executor_on(isolation, "limits.idle_s=600", *grants))
        assert executor.submit(SLEEP, [0]).result().value == "woke"  # compiled: the next child is the check's
        executor.submit(SLEEP, [1000])
        wait_for(lambda: children_of_zygotes(executor), 60, "a child of the zygote")
        return [executor.worker_pids()[0], children_of_zygotes(executor)[0].pid]


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with contextlib.ExitStack() as stack:
        yield Workers(stack)


@pytest.fixture(params=LEVELS)
def anywhere(request: pytest.FixtureRequest, workers: Workers) -> Executor:
    return workers.free(request.param)


@pytest.fixture(params=JAILED)
def jailed(request: pytest.FixtureRequest, workers: Workers) -> Executor:
    """With everything that a policy can grant."""
    return workers.free(request.param, *GRANTS)


def inside(executor: Executor, source: str) -> Any:
    outcome = executor.submit(Program(source, "f"), []).result()
    assert outcome.ok, outcome.describe()
    return outcome.value


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def needs_root() -> None:
    if os.geteuid() != 0:
        lacking("only root may look at a process without the dumpable bit")


def namespaces(pid: int | str) -> dict[str, str]:
    return {entry.name: str(entry.readlink()) for entry in Path(f"/proc/{pid}/ns").iterdir()}


def test_every_namespace_is_the_jails_own(jailed: Executor, workers: Workers) -> None:
    needs_root()
    host = namespaces("self")
    assert set(host) == NAMESPACES | SHARED, "a kind of namespace that this test does not know"
    for pid in workers.asleep(jailed.isolation, *GRANTS):
        own = namespaces(pid)
        assert {name for name in host if own[name] != host[name]} == NAMESPACES


def test_two_workers_share_no_namespace(workers: Workers) -> None:
    needs_root()
    one = namespaces(workers.free(IsolationLevel.NSJAIL).worker_pids()[0])
    other = namespaces(workers.asleep(IsolationLevel.NSJAIL)[0])
    assert {name for name in NAMESPACES if one[name] == other[name]} == set()


def mounts(pid: int) -> dict[str, tuple[set[str], str]]:
    """(options of the mount, file system) by the place of the mount."""
    found = {}
    for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        found[before.split()[4]] = (set(before.split()[5].split(",")), after.split()[0])
    return found


def test_every_mount_is_read_only_without_set_uid_files_and_devices(jailed: Executor) -> None:
    needs_root()
    seen = mounts(jailed.worker_pids()[0])
    assert len(seen) > 10
    writable = {place for place, (options, _) in seen.items() if "ro" not in options}
    assert "/scratch" in writable
    assert {seen[place][1] for place in writable - {"/cache"}} == {"tmpfs"}
    assert writable <= {"/scratch", "/dev/shm", "/cache"}
    assert {place for place, (options, _) in seen.items() if "nosuid" not in options} == set()
    assert {place for place, (options, _) in seen.items() if "nodev" not in options} == {
        "/dev/null", "/dev/random", "/dev/urandom",
    }  # fmt: skip
    assert {kind for _, kind in seen.values()} & {"proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue"} == set()


def test_the_kernel_says_the_same_inside(jailed: Executor) -> None:
    flags = inside(
        jailed,
        "import os, sys\ndef f():\n    paths = ['/', os.__file__, sys.executable, '/usr/lib', '/scratch', '/dev/null']\n"
        "    return {p: os.statvfs(p).f_flag for p in paths}",
    )
    read_only, no_set_uid, no_devices = os.ST_RDONLY, os.ST_NOSUID, os.ST_NODEV
    device, scratch = flags.pop("/dev/null"), flags.pop("/scratch")
    assert [flag & (read_only | no_set_uid) for flag in (device, scratch)] == [read_only | no_set_uid, no_set_uid]
    assert scratch & no_devices
    assert {flag & (read_only | no_set_uid | no_devices) for flag in flags.values()} == {read_only | no_set_uid | no_devices}


def test_the_devices_are_those_that_are_needed_and_none_can_be_mapped(anywhere: Executor) -> None:
    source = (
        "import mmap, os\ndef f():\n    mapped, opened = [], []\n"
        "    for name in ('null', 'zero', 'full', 'random', 'urandom', 'mem', 'kmsg', 'fuse', 'kvm', 'tty', 'ptmx'):\n"
        "        try:\n            fd = os.open('/dev/' + name, os.O_RDONLY)\n        except OSError:\n            continue\n"
        "        opened.append(name)\n"
        "        for flags in (mmap.MAP_SHARED, mmap.MAP_PRIVATE):\n            try:\n"
        "                mmap.mmap(fd, 4096, flags=flags, prot=mmap.PROT_READ)\n                mapped.append(name)\n"
        "            except OSError:\n                pass\n    return [opened, mapped]"
    )
    assert inside(anywhere, source) == [["null", "random", "urandom"], []]


def test_what_stands_at_the_top_of_the_jail_is_known(jailed: Executor) -> None:
    known = {"dev", "etc", "lib", "lib64", "usr", "reexec", "scratch", "cache"}
    interpreter = jailed.interpreter
    known |= {Path(path).parts[1] for path in (interpreter.executable, *interpreter.folders, *interpreter.prefixes)}
    assert set(inside(jailed, "import os\ndef f():\n    return os.listdir('/')")) <= known
    assert inside(jailed, "import os\ndef f():\n    return os.listdir('/etc')") == ["ld.so.cache"]


def test_no_two_workers_of_root_have_the_same_ids(workers: Workers) -> None:
    needs_root()
    seen = []
    for isolation in LEVELS:
        for pid in (*workers.free(isolation).worker_pids(), workers.asleep(isolation)[0]):
            process = psutil.Process(pid)
            uids, gids = process.uids(), process.gids()
            assert len(set(uids) | set(gids)) == 1
            assert uids.real in BACKENDS[isolation].own_uids()
            seen.append(uids.real)
    assert len(seen) == 2 * len(LEVELS)
    assert len(set(seen[:4])) == 4
    assert 0 not in seen


def test_no_privilege_is_left_and_none_can_be_gained(anywhere: Executor, workers: Workers) -> None:
    filters = 2 if anywhere.isolation is IsolationLevel.RESTRICTED and os.geteuid() != 0 else 1
    for pid, is_child in zip(workers.asleep(anywhere.isolation), (False, True), strict=True):
        seen = status(pid)
        assert {int(seen[f"Cap{name}"], 16) for name in ("Inh", "Prm", "Eff", "Amb")} == {0}
        if os.geteuid() == 0:
            assert int(seen["CapBnd"], 16) == 0
            assert seen["Groups"] in ("", seen["Gid"].split()[0])
        assert (seen["NoNewPrivs"], seen["Seccomp"]) == ("1", "2")
        if "Seccomp_filters" in seen:  # since Linux 5.9
            assert int(seen["Seccomp_filters"]) == (filters if is_child else 1)


def test_nobody_may_look_into_a_worker(anywhere: Executor, workers: Workers) -> None:
    """Without the dumpable bit the files of a process in /proc belong to root, whoever it runs as."""
    for pid in workers.asleep(anywhere.isolation):
        assert {os.stat(f"/proc/{pid}/{name}").st_uid for name in ("mem", "environ", "maps")} == {0}
    source = (
        "import ctypes\ndef f():\n    libc = ctypes.CDLL(None)\n"
        "    return [libc.prctl(3, 0, 0, 0, 0), libc.prctl(4, 1, 0, 0, 0)]"
    )
    assert inside(anywhere, source) == [0, -1]


FLAGS_OF_LOOPBACK = """
import fcntl, os, socket, struct, sys
for kind in ("user", "net"):
    os.setns(os.open(f"/proc/{sys.argv[1]}/ns/{kind}", os.O_RDONLY))
names = [name for _, name in socket.if_nameindex()]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
    flags = fcntl.ioctl(probe, 0x8913, struct.pack("16sh14x", b"lo", 0))
    print(names, struct.unpack("16sh14x", flags)[1])
"""


def test_there_is_no_network_interface_but_loopback_and_that_is_down(jailed: Executor) -> None:
    needs_root()
    pid = str(jailed.worker_pids()[0])
    done = subprocess.run([sys.executable, "-c", FLAGS_OF_LOOPBACK, pid], capture_output=True, text=True, check=False)
    if "Operation not permitted" in done.stderr:
        lacking("root may not enter the namespaces of a jail here")
    names, flags = re.fullmatch(r"\[(.*)\] (\d+)", done.stdout.strip()).groups()  # type: ignore[union-attr]
    assert names == "'lo'"
    assert int(flags) & 1 == 0  # IFF_UP
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:  # what up looks like: the host's own
        import fcntl

        host = struct.unpack("16sh14x", fcntl.ioctl(probe, 0x8913, struct.pack("16sh14x", b"lo", 0)))[1]
    assert host & 1 == 1


NAMES = {
    "CORE": "Max core file size", "FSIZE": "Max file size", "NOFILE": "Max open files", "STACK": "Max stack size",
    "NPROC": "Max processes", "MEMLOCK": "Max locked memory", "SIGPENDING": "Max pending signals",
    "MSGQUEUE": "Max msgqueue size", "RTPRIO": "Max realtime priority", "CPU": "Max cpu time", "DATA": "Max data size",
    "NICE": "Max nice priority",
}  # fmt: skip


def limits_of(pid: int) -> dict[str, tuple[str, str]]:
    text = Path(f"/proc/{pid}/limits").read_text()
    return {
        name: (found[1], found[2])
        for name, words in NAMES.items()
        if (found := re.search(rf"^{words}\s+(\S+)\s+(\S+)", text, re.MULTILINE))
    }


@pytest.mark.parametrize("isolation", LEVELS)
@pytest.mark.parametrize("granted", [False, True])
def test_every_limit_is_the_policys_for_zygote_and_check(isolation: IsolationLevel, granted: bool, workers: Workers) -> None:
    grants = GRANTS if granted else ()
    if granted and isolation is IsolationLevel.RESTRICTED:
        with pytest.raises(Exception, match="it allows one process and no threads"):
            executor_on(isolation, *grants)
        return
    both = {
        "CORE": 0, "NOFILE": OPEN_FILES, "STACK": STACK, "MEMLOCK": 0, "SIGPENDING": 64, "MSGQUEUE": 0, "RTPRIO": 0, "NICE": 0,
    }  # fmt: skip
    if isolation is not IsolationLevel.RESTRICTED or os.geteuid() == 0:
        both["NPROC"] = 1 + (PROCESSES if granted else 1)
    found = [limits_of(pid) for pid in workers.asleep(isolation, *grants)]
    source = "import resource\ndef f():\n    return list(resource.getrlimit(resource.RLIMIT_AS))"
    address_space = inside(workers.free(isolation, *grants), source)
    for seen in found:
        assert {name: seen[name] for name in both} == {name: (str(value), str(value)) for name, value in both.items()}
        assert int(seen["FSIZE"][1]) >= SCRATCH if granted else seen["FSIZE"] == ("0", "0")
    memory = load_policy("codeio").limits.memory_bytes
    assert address_space[0] == address_space[1] != resource.RLIM_INFINITY
    assert memory < address_space[0] < memory + (1 << 30)


# Every call by number, with arguments that do nothing: what the filter lets through gives another errno, or none.
EVERY_CALL = """
import ctypes, os
def f(numbers):
    libc = ctypes.CDLL(None, use_errno=True)
    said = []
    for number in numbers:
        ctypes.set_errno(0)
        done = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(-1)] * 6)
        said.append(ctypes.get_errno() if done < 0 else 0)
    return said
"""
# Without effect on an argument of -1, and refused by no kernel with EPERM: so EPERM is the filter's.
REFUSED = {
    "ptrace", "process_vm_readv", "process_madvise", "pidfd_open", "pidfd_getfd", "memfd_create", "memfd_secret", "shmget",
    "semget", "msgget", "mq_unlink", "inotify_init1", "fanotify_init", "socket", "connect", "bind", "listen", "accept",
    "accept4", "bpf", "userfaultfd", "perf_event_open", "setns", "unshare", "execve", "execveat", "mlock", "mlockall",
    "mincore", "membarrier", "readahead", "fadvise64", "timer_create", "setsockopt", "sync", "syncfs",
    "landlock_create_ruleset", "chown", "mbind", "kcmp", "io_setup", "seccomp", "keyctl", "add_key", "request_key",
    "sched_setaffinity", "setpriority", "remap_file_pages",
}  # fmt: skip


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of x86-64")
def test_the_kernel_refuses_what_the_table_does_not_name(anywhere: Executor) -> None:
    from tests.unit.test_seccomp_filters import headers

    numbers = headers("x86_64")
    names = sorted(REFUSED)
    outcome = anywhere.submit(Program(EVERY_CALL, "f"), [[numbers[name] for name in names]]).result()
    assert outcome.ok, outcome.describe()
    assert {name: said for name, said in zip(names, outcome.value, strict=True) if said != 1} == {}
    newer = list(range(newest_known() + 1, newest_known() + 40))
    assert set(anywhere.submit(Program(EVERY_CALL, "f"), [newer]).result().value) == {38}
