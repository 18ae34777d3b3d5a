"""The nsjail configuration of one worker. Every limit of nsjail is named here, because its own defaults (nice 19, 600 s of
CPU, 32 files, 4 GiB) are made for single commands and would decide verdicts of a worker that lives for hours.
"""

import functools
import itertools
import os
import resource
from collections.abc import Mapping, Sequence
from pathlib import Path

from nsjail import Exe, IdMap, MountPt, NsJailConfig, RLimitType
from nsjail.serializers.textproto import to_textproto

from reexec.policies.model import Limits, Policy

from .binds import Bind
from .interpreter import Interpreter

HARNESS = "/reexec"
SCRATCH = "/scratch"  # not /tmp: an interpreter may lie below that
CACHE = "/cache"
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - a mount of the jail's own
SHARED_MEMORY_BYTES, SHARED_MEMORY_INODES = 16 << 20, 256
INSIDE_UID = 1000

# Outside uids of workers started by root: above what Linux distributions and systemd hand out to users and containers.
_UID_BASE = 1_900_000_000
_UIDS_PER_PROCESS = 1024
_BLOCKS = 100_000
_COUNTER = itertools.count()

_START = "import sys; sys.path[:0] = ['{folder}']; from reexec_inside.zygote.serve import main; sys.path[:] = [p for p in sys.path if p not in ('', '{folder}')]; main({fd}, {alone})"  # noqa: E501


def ids_of_next_worker() -> tuple[int, int]:
    """uid and gid of a worker as the host sees them: its own where the caller is root, else the caller's."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    uids = own_uids()
    own = uids[next(_COUNTER) % len(uids)]
    return own, own


def own_uids(pid: int | None = None) -> range:
    """Outside uids of the workers of this process, or of another one, where it is root."""
    first = _UID_BASE + ((os.getpid() if pid is None else pid) % _BLOCKS) * _UIDS_PER_PROCESS
    return range(first, first + _UIDS_PER_PROCESS)


@functools.cache
def harness_files() -> Mapping[str, bytes]:
    """Files of the harness by their path below its folder; read once, so that all workers of a process have the same."""
    engine = Path(__file__).parents[1]
    files = {"reexec_inside/__init__.py": b"# the package of the harness\n"}  # nsjail mounts no empty file
    for folder in ("protocol", "zygote"):
        for path in sorted((engine / folder).rglob("*.py")):
            files[f"reexec_inside/{path.relative_to(engine)}"] = path.read_bytes()
    return files


@functools.cache
def _harness_mounts() -> str:
    """Their mounts in protobuf's text form. They are made once a process and with whole replacements: a step for each of their
    250,000 bytes takes longer than all else that the host does for a worker."""
    mounts = []
    for name, body in harness_files().items():
        mount = to_textproto(MountPt(dst=f"{HARNESS}/{name}", nosuid=True, nodev=True), 1)
        mounts.append(f'mount {{\n  src_content: "{_escaped(body)}"\n{mount}\n}}\n')
    return "".join(mounts)


def _escaped(body: bytes) -> str:
    """Bytes as they stand between quotes; all others of protobuf's text form mean themselves."""
    for byte, escape in ((b"\\", b"\\\\"), (b'"', b'\\"'), (b"\n", b"\\n"), (b"\r", b"\\r"), (b"\0", b"\\000")):
        body = body.replace(byte, escape)
    return body.decode("utf-8")


def writable_folders(limits: Limits) -> tuple[str, ...]:
    """Where checks may write. Processes that are several share locks and queues in a folder; one process has none."""
    scratch = (SCRATCH,) if limits.scratch_bytes else ()
    return (*scratch, SHARED_MEMORY) if limits.processes > 1 else scratch


def environment(policy: Policy, cache: str = CACHE) -> dict[str, str]:
    """The whole environment of checked programs: nothing of the caller's is in it. `cache`: where libraries may write while the
    zygote warms up. The host removes that folder before the first check, so no check can write there."""
    return {
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": cache,
        "PATH": "/usr/bin:/bin",
        "HOME": "/",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "TMPDIR": SCRATCH,
        "PYTHONHASHSEED": str(policy.determinism.hash_seed),
        "PYTHONUTF8": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        # One thread each: a pool of its own per check would cost more than it gives, and threads count as processes.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "NUMEXPR_NUM_THREADS": "1",
        # pandas loads pyarrow where it is installed. One of its allocators starts a thread, after which no fork could
        # follow; another reserves a gigabyte of addresses at once, which the limit on memory counts.
        "JE_ARROW_MALLOC_CONF": "background_thread:false",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "MALLOC_ARENA_MAX": "1",
        "LD_BIND_NOW": "1",  # else every fork resolves the same symbols again, in pages of its own
    }


def zygote_command(interpreter: Interpreter, channel_fd: int, *, folder: str, alone: bool) -> list[str]:
    return [interpreter.executable, "-s", "-B", "-c", _START.format(folder=folder, fd=channel_fd, alone=alone)]


def _at_most_hard(which: int, wanted: int) -> int:
    """Nobody in a jail may raise what the caller's own hard limit forbids; nsjail would not start."""
    hard = resource.getrlimit(which)[1]
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


def _tmpfs(target: str, size: int, inodes: int) -> MountPt:
    options = f"size={size},nr_inodes={inodes},mode=0777"
    return MountPt(dst=target, fstype="tmpfs", options=options, rw=True, is_dir=True, nosuid=True, nodev=True)


def jail_config(policy: Policy, interpreter: Interpreter, binds: list[Bind], passed_fds: Sequence[int], cache: str) -> str:
    """The configuration in protobuf's text form. Of `passed_fds` the first is the channel; `cache` is the host's folder behind
    CACHE."""
    uid, gid = ids_of_next_worker()
    limits = policy.limits
    command = zygote_command(interpreter, passed_fds[0], folder=HARNESS, alone=True)
    config = NsJailConfig(
        name="reexec",
        hostname="reexec",
        cwd="/",
        time_limit=0,
        nice_level=0,
        max_cpus=0,
        keep_env=False,
        keep_caps=False,
        pass_fd=list(passed_fds),
        # HARD: the most that the caller may give. The zygote sets the limits of checks on itself once it is warm (lockdown.py).
        rlimit_as_type=RLimitType.HARD,
        rlimit_core=0,
        rlimit_cpu_type=RLimitType.HARD,
        rlimit_fsize_type=RLimitType.HARD,
        rlimit_nofile=_at_most_hard(resource.RLIMIT_NOFILE, max(limits.open_files, 256)),
        rlimit_nproc_type=RLimitType.HARD,
        rlimit_stack=max(1, _at_most_hard(resource.RLIMIT_STACK, limits.stack_bytes) >> 20),
        rlimit_stack_type=RLimitType.VALUE,
        rlimit_memlock=0,
        rlimit_memlock_type=RLimitType.VALUE,
        rlimit_rtprio=0,
        rlimit_rtprio_type=RLimitType.VALUE,
        rlimit_msgqueue=0,
        rlimit_msgqueue_type=RLimitType.VALUE,
        persona_addr_no_randomize=policy.determinism.fixed_addresses,
        clone_newnet=True,
        clone_newuser=True,
        clone_newns=True,
        clone_newpid=True,
        clone_newipc=True,
        clone_newuts=True,
        clone_newcgroup=True,
        mount_proc=False,
        iface_no_lo=True,
        uidmap=[IdMap(inside_id=str(INSIDE_UID), outside_id=str(uid), count=1)],
        gidmap=[IdMap(inside_id=str(INSIDE_UID), outside_id=str(gid), count=1)],
        envar=[f"{key}={value}" for key, value in environment(policy).items()],
        exec_bin=Exe(path=command[0], arg=command[1:]),
    )
    # The root as well: nsjail's own would allow devices and set-uid files.
    root = MountPt(dst="/", fstype="tmpfs", options="size=16m", is_dir=True, nosuid=True, nodev=True)
    config.mount = [root]
    config.mount += [
        MountPt(src=bind.source, dst=bind.target, is_symlink=True)
        if bind.is_link
        else MountPt(src=bind.source, dst=bind.target, is_bind=True, nosuid=True, nodev=not bind.target.startswith("/dev/"))
        for bind in binds
    ]
    config.mount.append(MountPt(src=cache, dst=CACHE, is_bind=True, rw=True, nosuid=True, nodev=True))
    if limits.scratch_bytes:
        config.mount.append(_tmpfs(SCRATCH, limits.scratch_bytes, limits.scratch_inodes))
    if SHARED_MEMORY in writable_folders(limits):
        config.mount.append(_tmpfs(SHARED_MEMORY, SHARED_MEMORY_BYTES, SHARED_MEMORY_INODES))
    return f"{to_textproto(config)}\n{_harness_mounts()}"
