"""A writable folder of checks, where the policy has one: found empty and as it was made by every check, or never again.

The folder itself belongs to the program's own uid (a jail of an ordinary user has no other), so a program can change its mode,
its attributes and its times. After each check all of them are asked for; what cannot be undone in one step means a new
worker, whose folder is another one. That is cheaper than trusting a clean-up.
"""

from __future__ import annotations

import os
import stat

_MODE = 0o777
_MOST_FILES = 64


class Scratch:
    def __init__(self, path: str) -> None:
        self._path = path.encode()
        at = os.stat(self._path)
        self._owner = at.st_uid, at.st_gid
        self._attributes = self._list_attributes()
        os.chmod(self._path, _MODE)
        self._forget_times()

    def renew(self) -> bool:
        """Whether the folder is as the first check found it. False: this worker must not run another check."""
        try:
            return self._empty() and self._is_untouched()
        except OSError:
            return False

    def _empty(self) -> bool:
        """Removes plain files at the top; anything else is not worth the trouble."""
        os.chmod(self._path, _MODE)
        names = os.listdir(self._path)
        if len(names) > _MOST_FILES:
            return False
        for name in names:
            os.unlink(os.path.join(self._path, name))
        return not os.listdir(self._path)

    def _is_untouched(self) -> bool:
        if self._list_attributes() != self._attributes:  # an access list is one of them
            return False
        self._forget_times()
        at = os.stat(self._path)
        return stat.S_IMODE(at.st_mode) == _MODE and (at.st_uid, at.st_gid) == self._owner

    def _list_attributes(self) -> list[str]:
        try:
            return sorted(os.listxattr(self._path))
        except OSError:
            return []

    def _forget_times(self) -> None:
        """Every check finds the times of its own beginning."""
        os.utime(self._path)
