"""The policy: everything a run may do and everything that decides a verdict, as one frozen value.

Owns the names, units and defaults of its fields. Knows nothing of files and layers (layers.py) and nothing of how a
jail enforces it (engine). Two runs with the same `digest` and the same inputs give the same verdicts.
"""

import hashlib
import json
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from .comparison import ComparisonRule
from .errors import PolicyError
from .faults import fault_of, located, path_of
from .reading import read_tree
from .size import ByteCount, SizeRule

KIB = 1024
MIB = 1024 * KIB

_FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class IsolationLevel(StrEnum):
    """How strongly programs are contained, strongest first."""

    NSJAIL_CGROUP = "nsjail+cgroup"
    NSJAIL = "nsjail"
    RESTRICTED = "restricted"
    NONE = "none"

    @property
    def strength(self) -> int:
        """Larger is stronger."""
        return -list(IsolationLevel).index(self)


class Execution(StrEnum):
    """How many checks run in one fork."""

    AUTO = "auto"
    CALL = "call"
    BATCH = "batch"


class Limits(BaseModel):
    """What one check may use. The clock names are those of docs/verdicts.md."""

    model_config = _FROZEN

    cpu_s: float = Field(default=5.0, gt=0, le=86_400)
    """Processor seconds, user and system, of all threads of the check's process. Compiling its source has the same
    allowance once more, so that a verdict does not depend on which check of a program came first."""
    idle_s: float = Field(default=5.0, gt=0, le=86_400)
    """Seconds in which the check neither ran nor waited for a processor: sleeping. A busy machine adds nothing to it."""
    wall_s: float | None = Field(default=None, gt=0)
    """Far backstop on elapsed seconds; None means 60 x cpu_s + idle_s. It is not meant to decide."""
    confirm: bool = True
    """Whether a check that ends near a limit on time is run again, alone, before the limit is reported."""
    memory_bytes: ByteCount = Field(default=1024 * MIB, ge=16 * MIB)
    """Address space that the check may add to the zygote's."""
    output_bytes: ByteCount = Field(default=1 * MIB, ge=64)
    """Length of the returned value as JSON text."""
    capture_bytes: ByteCount = Field(default=0, ge=0, le=64 * MIB)
    """Bytes of standard output, and as many of standard error, that are kept; printing more is output-limit. With 0 both
    go to /dev/null and there is no limit on them."""
    processes: int = Field(default=1, ge=1, le=1024)
    """Processes and threads at once, the check's own included (the kernel counts a thread as a process). Where it is more than
    1, there is a /dev/shm of 16 MiB for what processes share, empty at the start of every check."""
    open_files: int = Field(default=64, ge=16, le=4096)
    """File descriptors that a process of the check may have open at once."""
    stack_bytes: ByteCount = Field(default=8 * MIB, ge=256 * KIB, le=1024 * MIB)
    """Size of the main thread's stack, which bounds how deep C code may recurse."""
    scratch_bytes: ByteCount = Field(default=0, ge=0)
    """Size of a writable folder, /scratch, that is empty at the start of every check; 0 means none. TMPDIR names it, and it
    is the working folder."""
    scratch_inodes: int = Field(default=1024, ge=8)
    """Files and folders that /scratch may hold."""

    @property
    def backstop_s(self) -> float:
        return self.wall_s if self.wall_s is not None else 60 * self.cpu_s + self.idle_s

    @model_validator(mode="after")
    def _wall_is_a_backstop(self) -> Self:
        if self.wall_s is not None and self.wall_s < self.cpu_s + self.idle_s:
            raise ValueError(
                f"wall_s ({self.wall_s:g}) must be at least cpu_s + idle_s ({self.cpu_s + self.idle_s:g}): it is a "
                "backstop, and a smaller one would let a busy machine decide verdicts"
            )
        return self


class Isolation(BaseModel):
    model_config = _FROZEN

    lowest: IsolationLevel = IsolationLevel.NSJAIL
    """The weakest isolation level that this policy accepts; a host that offers less is refused."""


class Determinism(BaseModel):
    model_config = _FROZEN

    hash_seed: int = Field(default=0, ge=0, le=4_294_967_295)
    """PYTHONHASHSEED: decides the hashes of strings and bytes, and with them the order of sets."""
    random_seed: int = Field(default=0, ge=0)
    """Seed of the module `random` at the start of every check."""
    numpy_seed: int = Field(default=0, ge=0, le=4_294_967_295)
    """Seed of `numpy.random` at the start of every check."""
    fixed_addresses: bool = True
    """Turns off address randomisation, so that `id()` and default hashes vary less from run to run. Where false, free memory
    is given out in an order drawn from `random_seed`: address randomisation alone keeps the order of small sets."""
    entropy_seed: int | None = Field(default=None, ge=0)
    """Where set, `os.urandom`, `os.getrandom`, `secrets` and the default seeds of `random` and numpy draw from a stream with
    this seed; None: from the system."""
    clock_shift_s: int = Field(default=0, ge=0, le=2_000_000_000)
    """Seconds by which programs see their clocks ahead of the host's. Where it is not 0, each reading moves a clock on, so that
    elapsed time shows in a result as well. Runs of a proof use it; 0 leaves the clocks alone."""


def _comparison_by_name(value: Any) -> Any:
    if isinstance(value, str):
        return ComparisonRule.preset(value)
    if isinstance(value, dict) and "extends" in value:
        rest = {key: item for key, item in value.items() if key != "extends"}
        return ComparisonRule.preset(str(value["extends"])).model_dump() | rest
    return value


class Policy(BaseModel):
    """The full permission set of a run. `Policy.preset("codeio")` is where to begin."""

    model_config = _FROZEN

    name: str = "codeio"
    """What messages and manifests call the policy."""
    limits: Limits = Limits()
    isolation: Isolation = Isolation()
    determinism: Determinism = Determinism()
    comparison: Annotated[ComparisonRule, BeforeValidator(_comparison_by_name)] = Field(
        default_factory=lambda: ComparisonRule.preset("codeio")
    )
    size: SizeRule = SizeRule()
    prelude: tuple[str, ...] = ()
    """Import statements that run before every program, when checking and when generating alike."""
    warm: tuple[str, ...] = ()
    """Modules whose import is paid once a worker, for the programs whose source names them."""
    execution: Execution = Execution.AUTO
    """`call`: every check runs in a fork of its own. `auto`: checks of one program that wait together share one, where the
    program cannot leave anything behind for the next call and it pays. `batch`: wherever two wait. What is not accepted runs
    again in a fork of its own, so verdicts are the same, and so is the policy's digest."""
    numpy_values: bool = True
    """Whether numpy scalars and arrays in a result are read as numbers and lists."""

    @classmethod
    def preset(cls, name: str) -> "Policy":
        """The preset of that name, or the policy of a TOML file. Raises `PolicyError` with the known names."""
        return cls.of_tree(read_tree(name))

    @classmethod
    def of_tree(cls, tree: dict[str, Any], origins: Sequence[tuple[str, dict[str, Any]]] = ()) -> "Policy":
        """A policy from plain values. Raises `PolicyError`, a line that ends in the path of the fault; `origins` are how it
        begins for each layer that the tree was merged of, the lowest first."""
        try:
            return cls.model_validate(tree)
        except ValidationError as error:
            origin = next((name for name, layer in reversed(origins) if _holds(layer, error.errors()[0]["loc"])), "")
            raise PolicyError(origin + located(fault_of(error, cls), path_of(error))) from None

    @property
    def digest(self) -> str:
        """32 hex digits over every field that can decide a verdict: all but `execution`."""
        text = json.dumps(self.model_dump(mode="json", exclude={"execution"}), sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _holds(tree: Any, path: Sequence[int | str]) -> bool:
    """Whether a tree says something of what lies at a path."""
    for part in path:
        if not isinstance(tree, dict):
            return True
        if part not in tree:
            return False
        tree = tree[part]
    return True
