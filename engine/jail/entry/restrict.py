"""Between the pool and a worker of the isolation level `restricted`, as a process of its own that becomes the worker:
drops what the
caller has and a worker must not have, before any of the worker's code runs.

As root it takes the worker's own uid and gid, no groups and no capability. Interpreters below a folder that this uid may not
enter are shown to it in a private mount namespace where the container lets root make one, else it says which one to use.

    python restrict.py JSON -- COMMAND ARGUMENT...
"""

import ctypes
import json
import os
import resource
import stat
import sys
from typing import Any

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _AMBIENT_CLEAR_ALL = 24, 38, 47, 4
_ADDR_NO_RANDOMIZE, _ASK_PERSONALITY = 0x0040000, 0xFFFFFFFF
_MS_REC, _MS_PRIVATE, _MS_NOSUID, _MS_NODEV = 16384, 1 << 18, 2, 4
_OPEN_TREE, _MOVE_MOUNT = 428, 429  # the same on every architecture
_AT_FDCWD, _CLONE_RECURSIVE, _EMPTY_PATH = -100, 0x8000 | 1 | os.O_CLOEXEC, 4
_MOST_FDS = 1 << 16


def _check(done: int, what: str) -> int:
    if done < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return done


def _long(value: int) -> ctypes.c_long:
    return ctypes.c_long(value)


def _closed_to_others(path: str) -> str:
    """The topmost folder above `path` that only its owner may enter."""
    at = ""
    for part in path.split("/")[1:-1]:
        at += "/" + part
        if not os.stat(at).st_mode & stat.S_IXOTH:  # noqa: PTH116
            return at
    return ""


def _show(hidden: list[str]) -> None:
    """Puts an empty folder that everybody may enter over each closed one, with the hidden paths in it: for us alone."""
    _check(_LIBC.unshare(0x00020000), "unshare")
    _check(_LIBC.mount(b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None), "mount /")
    opened, links = [], []
    for path in hidden:
        if os.path.islink(path):  # noqa: PTH114
            links.append((os.readlink(path), path))  # noqa: PTH115
            continue
        fd = _LIBC.syscall(_long(_OPEN_TREE), _long(_AT_FDCWD), os.fsencode(path), _long(_CLONE_RECURSIVE))
        opened.append((path, _check(fd, f"open {path}"), os.path.isdir(path)))  # noqa: PTH112
    for folder in sorted({_closed_to_others(path) for path in hidden} - {""}):
        flags = ctypes.c_ulong(_MS_NOSUID | _MS_NODEV)
        _check(_LIBC.mount(b"reexec", os.fsencode(folder), b"tmpfs", flags, b"mode=0755,size=64k"), f"mount {folder}")
    for path, fd, is_folder in opened:
        os.makedirs(path if is_folder else os.path.dirname(path), 0o755, exist_ok=True)  # noqa: PTH103, PTH120
        if not is_folder:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
        to = (_long(_AT_FDCWD), os.fsencode(path), _long(_EMPTY_PATH))
        _check(_LIBC.syscall(_long(_MOVE_MOUNT), _long(fd), b"", *to), f"mount {path}")
        os.close(fd)
    for target, path in links:
        if os.path.lexists(path):
            continue
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)  # noqa: PTH103, PTH120
        os.symlink(target, path)  # noqa: PTH211


def _become(uid: int, gid: int) -> None:
    for capability in range(64):
        if _LIBC.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) != 0:
            break  # beyond the last one, or without the right to drop: the uid below loses them all
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if os.getresuid() != (uid, uid, uid) or os.getresgid() != (gid, gid, gid) or os.getgroups():
        raise OSError("the worker's own ids did not take")


def prepare(task: dict[str, Any]) -> None:
    os.umask(0o022)
    if task["hidden"]:
        try:
            _show(task["hidden"])
        except OSError as error:
            where = task["hidden"][0]
            sys.exit(
                f"the worker's own uid cannot reach {where} ({_closed_to_others(where)} is closed to others) and cannot be "
                f"shown it here ({error.strerror}); use one that everybody may read, such as --python /usr/bin/python3"
            )
    kept = {0, 1, 2, *task["keep"]}
    low = 0
    for fd in [*sorted(kept), _MOST_FDS]:
        if low < fd:  # closerange(0, 0) closes everything: its end is taken less one, as an unsigned number
            os.closerange(low, fd)
        low = fd + 1
    os.chdir("/")
    try:
        os.setpriority(os.PRIO_PROCESS, 0, 0)  # as in a jail, whatever the caller's is
    except PermissionError:
        pass  # only root may take it back
    for name, (soft, hard) in task["limits"].items():
        which = getattr(resource, f"RLIMIT_{name}")
        most = resource.getrlimit(which)[1]
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        resource.setrlimit(which, (soft, hard))
    if task["uid"] != os.geteuid():
        try:
            _become(task["uid"], task["gid"])
        except OSError as error:
            sys.exit(
                f"root cannot become a worker's own uid {task['uid']} here ({error.strerror}); run as an ordinary user, "
                "such as docker run --user 1000, or leave root its capabilities SETUID and SETGID"
            )
    _LIBC.prctl(_PR_CAP_AMBIENT, ctypes.c_ulong(_AMBIENT_CLEAR_ALL), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))
    _check(_LIBC.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), 0, 0, 0), "no_new_privs")
    if task["fixed_addresses"]:
        now = _LIBC.personality(ctypes.c_ulong(_ASK_PERSONALITY))
        if now >= 0:  # a container's own filter may refuse: then addresses differ from worker to worker, no more
            _LIBC.personality(ctypes.c_ulong(now | _ADDR_NO_RANDOMIZE))


def main(arguments: list[str]) -> None:
    prepare(json.loads(arguments[0]))
    command = arguments[2:]
    try:
        os.execv(command[0], command)  # noqa: S606
    except OSError as error:
        sys.exit(f"{command[0]} cannot be started by the worker's uid: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
