"""Runs as root between the pool and nsjail, as a process of its own: brings unreachable folders within reach.

In a private mount namespace it puts a small tmpfs on an empty folder that everybody may enter, binds the folders below
it, and becomes nsjail. Nothing of it is seen outside of that namespace, and it ends with its last process.

    python reach.py FOLDER N SOURCE... -- NSJAIL ARGUMENT...     (the sources appear as FOLDER/0, FOLDER/1, ...)
"""

import ctypes
import os
import sys

_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18
_MS_NOSUID, _MS_NODEV = 2, 4


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    done = libc.mount(*encoded, ctypes.c_ulong(flags), None if data is None else data.encode())
    if done != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount {source} on {target}: {os.strerror(number)}")


def main(arguments: list[str]) -> None:
    folder, rest = arguments[0], arguments[1:]
    split = rest.index("--")
    sources, command = rest[:split], rest[split + 1 :]
    os.unshare(os.CLONE_NEWNS)
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    _mount("reexec", folder, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=0755,size=64k")
    for index, source in enumerate(sources):
        target = os.path.join(folder, str(index))  # noqa: PTH118
        if os.path.isdir(source):  # noqa: PTH112
            os.mkdir(target, 0o755)  # noqa: PTH102
        else:
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
        _mount(source, target, None, _MS_BIND | _MS_REC)
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
