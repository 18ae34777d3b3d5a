"""What one call may have beside its arguments: limits lower than the policy's, and files around a script."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from posixpath import normpath
from typing import Any

from reexec.policies.model import Limits

from .addresses import loaded_bytes
from .errors import UsageError
from .protocol import files as wire

MOST_FILES = 64
"""That a call is given, and as many that are asked for."""
MOST_NAME_BYTES, MOST_PART_BYTES, MOST_FOLDERS = 1024, 255, 16
_PAGE = 4096


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Limits of one call, by the names of policy.limits. Each is at most the policy's: a higher one changes nothing, and None
    is the policy's. They end a call with the words of the policy's limits."""

    cpu_s: float | None = None
    idle_s: float | None = None
    memory_bytes: int | None = None

    def __post_init__(self) -> None:
        for name in ("cpu_s", "idle_s", "memory_bytes"):
            given = getattr(self, name)
            if given is not None and (isinstance(given, bool) or not isinstance(given, int | float) or not given > 0):
                raise UsageError(f"{name} of a call is a number above 0, not {given!r}")

    def under(self, policy: Limits) -> tuple[int, int, int]:
        """Microseconds of processor, of sleep, and bytes, none above the policy's."""
        cpu_s = min(policy.cpu_s, policy.cpu_s if self.cpu_s is None else self.cpu_s)
        idle_s = min(policy.idle_s, policy.idle_s if self.idle_s is None else self.idle_s)
        memory_bytes = min(policy.memory_bytes, policy.memory_bytes if self.memory_bytes is None else self.memory_bytes)
        return max(1, int(cpu_s * 1e6)), max(1, int(idle_s * 1e6)), max(1, int(memory_bytes))

    def changes_nothing(self, policy: Limits) -> bool:
        """Whether none of them is lower than the policy's."""
        return self.under(policy) == CallLimits().under(policy)


@dataclass(frozen=True, slots=True)
class Files:
    """Files around one run of a script, whose policy has a writable folder (`limits.scratch_bytes`).

    given:   lie in the folder when the run begins, by relative path; folders on the way are made.
    wanted:  paths that come back, where a regular file is there at the end, with `OutcomeFuture.files()`.

    No path leaves the folder: absolute ones, `..` and the like raise UsageError here. Paths mean what they mean after
    `normpath`, and come back as they were asked for.
    """

    given: Mapping[str, bytes] = field(default_factory=dict)
    wanted: Sequence[str] = ()
    data: bytes = field(init=False, repr=False)
    """As it travels to a worker."""
    id: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.given) > MOST_FILES or len(self.wanted) > MOST_FILES:
            raise UsageError(f"{max(len(self.given), len(self.wanted)):,} files; the most is {MOST_FILES}")
        contents: dict[str, bytes] = {}
        for name, content in self.given.items():
            if not isinstance(content, bytes):
                raise UsageError(f"the content of a file is bytes, not {type(content).__name__}: {name!r}")
            path = file_path(name)
            if path in contents:
                raise UsageError(f"two files of one name: {name!r}")
            contents[path] = content
        for path in contents:
            if any(folder in contents for folder in _folders(path)):
                raise UsageError(f"a file stands where {path!r} needs a folder")
        data = wire.pack(contents, [file_path(name) for name in self.wanted])
        if len(data) > loaded_bytes():
            raise UsageError(f"files of {len(data):,} bytes; the most is {loaded_bytes():,}")
        object.__setattr__(self, "wanted", tuple(self.wanted))
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "id", hashlib.blake2b(data, digest_size=16, salt=b"files").hexdigest())

    def check(self, limits: Limits) -> None:
        """Raises UsageError where the policy's folder cannot hold what is given."""
        if not limits.scratch_bytes:
            raise UsageError("files need a policy with a writable folder, at $.limits.scratch_bytes")
        paths = [file_path(name) for name in self.given]
        folders = {folder for path in paths for folder in _folders(path)}
        needed = sum(-(-len(content) // _PAGE) * _PAGE for content in self.given.values())
        if needed > limits.scratch_bytes:
            raise UsageError(f"files of {needed:,} bytes; the writable folder holds {limits.scratch_bytes:,}")
        if len(paths) + len(folders) >= limits.scratch_inodes:
            raise UsageError(f"{len(paths) + len(folders):,} files and folders; the most is {limits.scratch_inodes:,}")

    def read(self, blob: bytes) -> dict[str, bytes]:
        """Of the bytes that came back for it: by the names that were asked for. Bytes that do not fit give no files."""
        return {self.wanted[number]: content for number, content in wire.unpack(blob, len(self.wanted)).items()}


def file_path(name: Any) -> str:
    """The path below the folder that a name means. Raises UsageError where it means none."""
    if not isinstance(name, str):
        raise UsageError(f"the name of a file is text, not {type(name).__name__}")
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        raise UsageError(f"the name of a file is no UTF-8: {ascii(name)[:80]}") from None
    shown = ascii(name)[:80]
    if not name or "\0" in name or name.endswith("/") or len(encoded) > MOST_NAME_BYTES:
        raise UsageError(f"no name of a file: {shown}")
    parts = name.split("/")
    if name.startswith("/") or ".." in parts:
        raise UsageError(f"the path of a file stays in the program's folder: {shown}")
    path = normpath(name)
    parts = path.split("/")
    if path == "." or len(parts) - 1 > MOST_FOLDERS or any(len(part.encode()) > MOST_PART_BYTES for part in parts):
        raise UsageError(f"no name of a file: {shown}")
    return path


def _folders(path: str) -> list[str]:
    """Those on the way to a path, outermost first."""
    parts = path.split("/")
    return ["/".join(parts[:number]) for number in range(1, len(parts))]
