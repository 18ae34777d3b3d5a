"""The temporary folder of a worker's start: made with a lock that lives as long as the start, removed when the worker is up,
and swept by the next process where a killed host left it."""

import contextlib
import fcntl
import functools
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path

_PREFIX = "reexec-worker-"
_SETTLED_S = 10.0  # younger folders may not have their lock yet


class StartFolder:
    """A folder of this process's, locked. Raises OSError where none can be made."""

    def __init__(self) -> None:
        _sweep(tempfile.gettempdir())
        self.path = tempfile.mkdtemp(prefix=_PREFIX)
        try:
            self._lock = _locked(self.path)
        except OSError:
            self._lock = -1
            self.remove()
            raise

    def remove(self) -> None:
        """A second call does nothing."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _locked(path: str) -> int:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise
    return fd


@functools.cache
def _sweep(where: str) -> None:
    """Once a process: removes folders of this user's whose owner is gone."""
    for path in Path(where).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            status = path.lstat()
            ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
            if not ours or time.time() - status.st_mtime < _SETTLED_S:
                continue
            fd = _locked(str(path))
            try:
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(fd)
