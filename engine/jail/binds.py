"""Which folders of the host a jail shows, read-only, and which of them its uid could not reach.

An interpreter needs its executable (and what that links to: links are links in there too), its prefixes and the system's
shared libraries. Other folders on its path (an editable install's checkout) stay outside. Folders under a home that only its
owner may enter (pyenv and uv as root) are out of reach for the jail's own uid: those are first bound below a folder that
everybody may enter (stage.py).
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from .interpreter import Interpreter

_SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/usr/share/zoneinfo")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
_BROAD = {Path("/"), Path("/usr"), Path("/usr/local")}  # prefixes of which only the library folders are shown


@dataclass(frozen=True, slots=True)
class Bind:
    source: str
    target: str
    is_link: bool = False
    """`source` is what the link says, not a file to be shown."""


def wanted_binds(interpreter: Interpreter) -> list[Bind]:
    """Binds for `interpreter`, parents before children, nothing twice."""
    paths = [Path(entry) for entry in _SYSTEM]
    executable = Path(interpreter.executable)
    links = set()
    for _ in range(20):
        paths.append(executable)
        if not executable.is_symlink():
            break
        links.add(executable)
        executable = Path(os.path.normpath(executable.parent / executable.readlink()))
    for name in interpreter.prefixes:
        path = Path(name)
        if path.is_absolute() and path not in _BROAD:
            paths.append(path)
    kept: list[Path] = []
    for path in sorted({path for path in paths if path.exists()}, key=lambda path: (len(path.parts), str(path))):
        if not any(parent in kept for parent in path.parents):
            kept.append(path)
    binds = [Bind(str(path.readlink()), str(path), True) if path in links else Bind(str(path), str(path)) for path in kept]
    return binds + [Bind(device, device) for device in _DEVICES]


def out_of_reach(path: str) -> bool:
    """Whether somebody who is neither owner nor group cannot get to `path`."""
    real = Path(path).resolve()
    for parent in {*Path(path).parents, *real.parents}:
        if not parent.stat().st_mode & stat.S_IXOTH:
            return True
    mode = real.stat().st_mode
    needed = stat.S_IROTH | (stat.S_IXOTH if real.is_dir() else 0)
    return mode & needed != needed
