"""Tests on a host that allows processes few addresses (`ulimit -Hv`): the default of 1 GiB for a check cannot be had there.

What a user of such a host does is done for all tests: REEXEC_POLICY asks for less, and so do presets and defaults that tests
use directly. Cases that name a limit of their own keep it; where that is too much, the executor refuses to start.
"""

import os
import resource

from reexec.policies import reading
from reexec.policies.model import MIB, Limits, Policy

ENOUGH_BYTES = 4096 * MIB
MEMORY_BYTES = 192 * MIB


def is_limited() -> bool:
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    return hard != resource.RLIM_INFINITY and hard < ENOUGH_BYTES


def adapt() -> None:
    os.environ.setdefault("REEXEC_POLICY", f"limits.memory_bytes={MEMORY_BYTES}")
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")
    Limits.model_fields["memory_bytes"].default = MEMORY_BYTES
    Limits.model_rebuild(force=True)
    Policy.model_fields["limits"].default = Limits()
    Policy.model_rebuild(force=True)
    read = reading._read

    def read_less(source: str) -> dict[str, object]:
        tree = read(source)
        if source in reading.preset_names() and tree.get("limits", {}).get("memory_bytes", 0) > MEMORY_BYTES:
            tree["limits"]["memory_bytes"] = MEMORY_BYTES
        return tree

    reading._read = read_less
