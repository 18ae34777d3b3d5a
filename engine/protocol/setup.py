"""What the host tells a zygote before anything else: the limits, seeds and imports of its policy, and what to do to itself."""

from __future__ import annotations

import json
from typing import Any, Dict, List, NamedTuple, Optional


class Setup(NamedTuple):
    cpu_s: float
    idle_s: float
    wall_s: float
    confirm: bool
    """Whether a limit on time that is near is told apart from one that is far away."""
    memory_bytes: int
    """Address space that a check may add to what it inherits."""
    memory_is_counted: bool
    """Whether a group alone holds that limit, and addresses are free: for programs that reserve more than they use."""
    blob_bytes: int
    """Of the largest source, the largest call, and all code that is kept."""
    output_bytes: int
    capture_bytes: int
    """Of standard output, and as many of standard error; 0: neither is kept."""
    processes: int
    rlimits: Dict[str, int]
    """Hard limits of the zygote and its checks, by the kernel's names without RLIMIT_."""
    group: Optional[Dict[str, Any]]
    """Descriptors of the checks' control group (zygote/group.py)."""
    commands: Optional[Dict[str, Any]]
    """Where this worker runs programs of other languages: the places and limits of zygote/command.py."""
    working_folder: str
    """Of the checks."""
    emptied: List[str]
    """Writable folders (zygote/scratch.py)."""
    random_seed: int
    mix_addresses: bool
    numpy_seed: int
    entropy_seed: Optional[int]
    clock_shift_s: int
    numpy_values: bool
    prelude: List[str]
    warm: List[str]
    lazy: List[str]
    """Modules of the prelude that this zygote does not keep warm."""
    filter: str
    """System-call filter, an array of struct sock_filter in hex; empty: none."""
    confinement: Optional[Dict[str, Any]]
    """What a zygote that no jail surrounds does to itself (zygote/start/confine.py)."""

    def to_json(self) -> bytes:
        return json.dumps(self._asdict()).encode("ascii")

    @classmethod
    def from_json(cls, message: bytes) -> Setup:
        return cls(**json.loads(message.decode("ascii")))
