"""May this cache be opened? LMDB maps its file and trusts it: a truncated file ends the process that reads it with SIGBUS, a
damaged page with SIGSEGV. So a file is looked at before it is mapped, and a file that was not closed in order is walked
through by a process of its own first.

Knows nothing of keys and values.
"""

import contextlib
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

from ..errors import UsageError

DATA = "data.mdb"
CLOSED = "closed"
"""Beside the data: size and time of the data file when its last user closed it."""

# The head of a file, twice, on the first two pages (struct MDB_meta of LMDB 0.9, behind the page's own header of 16 bytes).
_META_AT = 16
_META = struct.Struct("<IIQQI92xQQ")  # magic, version, address, map size, page size ... last page, transaction
_MAGIC = 0xBEEFC0DE
_SHARED_FILE_SYSTEMS = {
    "9p", "afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs",
    "nfs", "nfs4", "ocfs2", "smb3", "smbfs",
}  # fmt: skip


class CacheUnusableError(UsageError):
    """The message is one line: which folder, why, and what to do. A run can go on without its cache."""


def refuse_shared_file_system(folder: Path) -> None:
    """LMDB's locks hold on one machine only. Raises CacheUnusableError."""
    kind = file_system_of(folder)
    if kind in _SHARED_FILE_SYSTEMS:
        raise CacheUnusableError(f"{folder}: on a network file system ({kind}), where no lock can be trusted; use a local one")


def file_system_of(folder: Path) -> str:
    """The type of the file system that holds `folder`, as the kernel calls it; empty if it does not say."""
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return ""
    path = str(folder.resolve())
    found = ("", "")
    for line in lines:
        left, _, right = line.partition(" - ")
        at = re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), left.split()[4])
        if (path == at or path.startswith(at.rstrip("/") + "/")) and len(at) >= len(found[0]):
            found = (at, right.split()[0])
    return found[1]


def refuse_truncated(folder: Path) -> None:
    """Raises CacheUnusableError if the data file is shorter than its own head says, or is none of LMDB's."""
    path = folder / DATA
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            first = file.read(_META_AT + _META.size)[_META_AT:]
            page_bytes = _META.unpack(first)[4] if len(first) == _META.size else 0
            file.seek(page_bytes + _META_AT)
            second = file.read(_META.size)
    except FileNotFoundError:
        return
    except OSError as error:
        raise CacheUnusableError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    if not size:
        return
    last_page = 0
    for head in (first, second):
        if len(head) < _META.size or _META.unpack(head)[0] != _MAGIC:
            raise damaged(folder, "not a cache file")
        last_page = max(last_page, _META.unpack(head)[5])
    if (last_page + 1) * page_bytes > size:
        raise damaged(folder, "shorter than it was")


def damaged(folder: Path, reason: str) -> CacheUnusableError:
    return CacheUnusableError(f"{folder / DATA}: damaged ({reason}); `reexec cache clear --cache {folder}` makes a new one")


def was_closed(folder: Path) -> bool:
    """Whether the file is as its last user left it on closing."""
    try:
        return (folder / CLOSED).read_text() == _state(folder)
    except OSError:
        return False


def mark_closed(folder: Path) -> None:
    with contextlib.suppress(OSError):
        making = folder / f"{CLOSED}.{os.getpid()}"
        making.write_text(_state(folder))
        making.replace(folder / CLOSED)


def _state(folder: Path) -> str:
    found = (folder / DATA).stat()
    return f"{found.st_size} {found.st_mtime_ns}"


_WALK = """
import sys, lmdb
environment = lmdb.open(sys.argv[1], readonly=True, lock=False, max_dbs=4, create=False)
with environment.begin() as transaction:
    for name in (b"outcomes", b"used", b"totals"):
        try:
            table = environment.open_db(name, transaction, create=False)
        except lmdb.NotFoundError:
            continue
        for key, value in transaction.cursor(table):
            bytes(key), bytes(value)
"""


def refuse_damaged_pages(folder: Path) -> None:
    """Reads every entry in a process of its own: what LMDB does to a process that maps a damaged file, it does to that one.
    Raises CacheUnusableError."""
    if not (folder / DATA).exists():
        return
    done = subprocess.run([sys.executable, "-I", "-c", _WALK, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise damaged(folder, said[-1].split(": ", 1)[-1] if said else f"signal {-done.returncode}")
