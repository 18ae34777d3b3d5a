"""How much a worker takes of one program, which follows from the addresses that a process of this host may have.

A zygote reserves room for the largest source, call and code several times over (zygote/secrets.py). Under a hard limit on
addresses (`ulimit -Hv`) that would leave too little for the programs, so there the largest is smaller.
"""

import resource

from .protocol.frames import MAX_BLOB_BYTES

_PARTS = 64
"""A zygote reserves up to fourteen times the largest blob; the rest is for the interpreter, its modules and the programs."""


def blob_bytes() -> int:
    """The most bytes of a source and of the arguments of a call, and of all the code that a zygote keeps."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    return MAX_BLOB_BYTES if hard == resource.RLIM_INFINITY else min(MAX_BLOB_BYTES, hard // _PARTS)


def memory_hint(memory_bytes: int) -> str:
    """What to type where a check cannot get so much memory for want of addresses; empty where that is no matter. Half of all
    addresses is what a check gets beside a zygote that has imported numpy."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if hard == resource.RLIM_INFINITY or memory_bytes <= hard // 2:
        return ""
    setting = f"limits.memory_bytes={hard // 2 >> 24 << 4}MiB"
    return f"--set {setting} for one command, or export REEXEC_POLICY={setting} for all"


def loaded_bytes() -> int:
    """The most bytes of programs that a worker keeps loaded: half of its room for them, the other half is for those of the
    checks under way."""
    return blob_bytes() // 2
