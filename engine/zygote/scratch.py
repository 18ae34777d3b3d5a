"""A writable folder of checks, where the policy has one: found empty and as it was made by every check, or never again.

The folder itself belongs to the program's own uid (a jail of an ordinary user has no other), so a program can change its mode,
its attributes and its times. After each check all of them are asked for. What a child of our own cannot undo in one step
means a new worker, whose folder is another one: that is cheaper than trusting a clean-up.

Names of files and attributes are a program's words: the zygote itself looks at numbers alone.
"""

from __future__ import annotations

import ctypes
import os
import stat
from typing import Callable, NamedTuple

_MODE = 0o777
_MOST_FILES, _MOST_FOLDERS = 256, 20


class _State(NamedTuple):
    """What differs where a program has left something. Entries of a tmpfs are counted in its size."""

    mode: int
    owner: int
    group: int
    size_bytes: int
    links: int
    attribute_bytes: int


class Scratch:
    def __init__(self, path: str, fork: Callable[[], int]) -> None:
        """Raises OSError where the folder is not of the kind that tells whether it is empty."""
        self._path = path.encode()
        self._fork = fork
        libc = ctypes.CDLL(None, use_errno=True)
        libc.listxattr.restype = ctypes.c_ssize_t
        libc.listxattr.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t]
        self._listxattr = libc.listxattr
        os.chmod(self._path, _MODE)
        self._fresh = self._state()
        probe = os.path.join(self._path, b"probe")
        os.close(os.open(probe, os.O_CREAT | os.O_EXCL, 0o600))
        seen = self._state()
        os.unlink(probe)
        if seen.size_bytes == self._fresh.size_bytes or self._state() != self._fresh:
            raise OSError("the scratch folder does not tell whether it is empty")
        os.utime(self._path)

    def renew(self) -> bool:
        """Whether the folder is as the first check found it. False: this worker must not run another check."""
        try:
            if self._state() != self._fresh:
                self._clean()
                if self._state() != self._fresh:
                    return False
            os.utime(self._path)  # every check finds the times of its own beginning
            return True
        except OSError:
            return False

    def _state(self) -> _State:
        at = os.stat(self._path)
        # -1 where this file system has no attributes
        attribute_bytes = self._listxattr(self._path, None, 0)
        return _State(stat.S_IMODE(at.st_mode), at.st_uid, at.st_gid, at.st_size, at.st_nlink, attribute_bytes)

    def _clean(self) -> None:
        pid = self._fork()
        if not pid:
            try:
                self._remove_files()
            finally:
                os._exit(0)
        os.waitpid(pid, 0)

    def _remove_files(self) -> None:
        """A few files and folders; anything else is not worth the trouble. In a child, which takes their names with it."""
        os.chmod(self._path, _MODE)
        self._remove_below(self._path, _MOST_FILES, _MOST_FOLDERS)

    def _remove_below(self, folder: bytes, most: int, levels: int) -> int:
        """Empties `folder`; how many more entries may be removed. Raises OSError, also where there are too many."""
        with os.scandir(folder) as entries:
            found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry, _ in zip(entries, range(most + 1))]
        most -= len(found)
        if most < 0 or levels < 0:
            raise OSError("more than is worth the trouble")
        for name, is_folder in found:
            path = os.path.join(folder, name)
            if is_folder:
                most = self._remove_below(path, most, levels - 1)
                os.rmdir(path)
            else:
                os.unlink(path)
        return most
