"""What a run of the tests leaves outside of pytest's own folders: nothing, also where it was killed.

A run has one folder, which it holds a lock on, and every process that it starts carries the folder's name in its environment;
nsjail, which has none, where it is told its configuration. So the run can tell its own processes from those of others on the
machine, and the next run what a killed one has left: a folder that nobody holds a lock on, and the processes that name it.
"""

import atexit
import contextlib
import fcntl
import functools
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

MARK = "REEXEC_TESTS_FOLDER"
_PREFIX = "tests-of-reexec-"
_SETTLED_S = 10.0  # a younger folder may not have its lock yet
_ENDS_ITSELF = b"multiprocessing.resource_tracker"
"""Python's own, which ends with the process that started it."""
_locks: list[int] = []


@functools.cache
def run_folder() -> Path:
    """Of this process, made when it is first asked for; the jail's uid can pass through it."""
    sweep(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    _locks.append(_locked(folder))
    folder.chmod(0o755)
    os.environ[MARK] = str(folder)
    atexit.register(_remove, folder, os.getpid())
    return folder


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _locked(folder: Path) -> int:
    """A descriptor that holds the folder's lock. Raises OSError where somebody else does."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(number)
        raise
    return number


def processes_that_name(folder: Path) -> list[psutil.Process]:
    """Living processes of the run that has this folder, but for this one and those that it runs in."""
    here = psutil.Process()
    own = {here.pid, *(each.pid for each in here.parents())}
    name, found = os.fsencode(folder), []
    for pid in psutil.pids():
        if pid in own:
            continue
        said, told = _read(pid, "environ"), _read(pid, "cmdline")
        if name + b"\0" in said or name + b"/" in said or b"--config\0" + name + b"/" in told:
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(pid)
                if process.status() != psutil.STATUS_ZOMBIE and _ENDS_ITSELF not in told:
                    found.append(process)
    return found


def _read(pid: int, what: str) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/{what}").read_bytes() + b"\0"
    return b""


def end(processes: Iterable[psutil.Process]) -> list[str]:
    """Kills them. Their command lines, of those that were still there."""
    ended = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            command = " ".join(process.cmdline())
            process.kill()
            ended.append(command)
    return ended


def sweep(where: Path) -> None:
    """Ends what runs of this user's have left that were killed, and removes their folders."""
    for folder in where.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            status = folder.lstat()
            ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
            if not ours or time.time() - status.st_mtime < _SETTLED_S:
                continue
            lock = _locked(folder)
            try:
                end(processes_that_name(folder))
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
