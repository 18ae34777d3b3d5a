"""The kernel's Landlock: a process gives up rights of its own, for itself and all its future children, as an ordinary user.

Versions of the interface that know less are asked for less: what they do not know is left out of the rules, and whoever
builds on it asks `version()` first (jail/backends/restricted.py). Numbers: linux/landlock.h.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import Sequence

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446  # the same on every architecture
_ASK_VERSION = 1
_PATH_BENEATH = 1

_WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL_DEV = 1 << 1, 1 << 2, 1 << 3, 1 << 14, 1 << 15
_TCP = 3  # bind and connect
_SCOPES = 3  # abstract Unix sockets and signals, to the own domain
_SIGNALS = 2
SCOPES_SINCE = 6
_QUIET = 5  # no line in the host's audit log for each thing that a program tries


def _files(version: int) -> int:
    """Every right on files that this version can take away."""
    return (1 << (13 if version < 2 else 14 if version < 3 else 15 if version < 5 else 16)) - 1


def _call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    done: int = libc.syscall(*[ctypes.c_long(a) if isinstance(a, int) else a for a in (number, *arguments)])
    if done < 0:
        code = ctypes.get_errno()
        raise OSError(code, "Landlock: %s" % os.strerror(code))
    return done


def version() -> int:
    """The version of the interface, 1 and above; 0 where this kernel offers none."""
    return max(0, _ask())


def why_none() -> int:
    """The errno that the question for the version gives; 0 where there is a version."""
    return max(0, -_ask())


def _ask() -> int:
    try:
        return _call(_CREATE, None, 0, _ASK_VERSION)
    except OSError as error:
        return -(error.errno or 1)


def _ruleset(known: int, files: int, network: int, scopes: int) -> int:
    attributes = struct.pack("=QQQ", files, network, scopes)[: 8 if known < 4 else 16 if known < 6 else 24]
    return _call(_CREATE, ctypes.create_string_buffer(attributes, len(attributes)), len(attributes), 0)


def restrict(readable: Sequence[str], devices: Sequence[str]) -> None:
    """From now on only `readable` can be opened for reading and `devices` for reading and writing, nothing else in the
    file system; no TCP; no signal and no abstract socket to a process outside. Wants no_new_privs."""
    known = version()
    handled = _files(known)
    ruleset = _ruleset(known, handled, _TCP if known >= 4 else 0, _SCOPES if known >= SCOPES_SINCE else 0)
    for paths, rights in ((readable, _READ_FILE | _READ_DIR), (devices, _READ_FILE | _WRITE_FILE | _TRUNCATE)):
        for path in paths:
            try:
                fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                continue  # not there, or out of this uid's reach anyway
            here = rights if os.path.isdir(path) else rights & ~_READ_DIR
            rule = struct.pack("=Qi", here & handled, fd)
            try:
                _call(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.create_string_buffer(rule, len(rule)), 0)
            finally:
                os.close(fd)
    _call(_RESTRICT, ruleset, _QUIET if known >= 7 else 0)
    os.close(ruleset)


def domain_of_its_own() -> int:
    """A ruleset that only makes a new domain: whoever applies it can signal nobody outside of it. The descriptor."""
    return _ruleset(SCOPES_SINCE, 0, 0, _SIGNALS)


RESTRICT_SELF = _RESTRICT
