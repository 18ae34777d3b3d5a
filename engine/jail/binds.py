"""Which files of the host a jail shows, read-only, and which of them its uid could not reach.

An interpreter's own files are named one by one: its executable (and what that links to: links are links in there too), its
standard library and site-packages, its shared libraries, its pyvenv.cfg. Never a whole prefix: an environment that was made in
a project's folder has the project beside it. Other folders on its path (an editable install's checkout) stay outside.

Folders under a home that only its owner may enter (pyenv and uv as root) are out of reach for the jail's own uid: those are
first bound below a folder that everybody may enter (entry/reach.py).
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .interpreter import Interpreter
from .tools import ARTEFACTS

_SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo")
_LIBRARIES = ("/usr/local/lib",)  # of which only the shared libraries are shown
_DEVICES = ("/dev/null", "/dev/urandom", "/dev/random")  # and nothing that can be mapped


@dataclass(frozen=True, slots=True)
class Bind:
    source: str
    target: str
    is_link: bool = False
    """`source` is what the link says, not a file to be shown."""


def wanted_binds(interpreter: Interpreter) -> list[Bind]:
    """Binds for `interpreter`, parents before children, nothing twice."""
    links, paths = [], [*map(Path, _SYSTEM), *_own_files(interpreter)]
    tools = interpreter.tools
    for name in (interpreter.executable, *(tools.shows if tools else ())):
        for path in _link_chain(Path(name)):
            paths.append(path)
            if path.is_symlink():
                links.append(path)
    kept: list[Path] = []
    for path in sorted({path for path in paths if path.exists()}, key=lambda path: (len(path.parts), str(path))):
        if not any(parent in kept for parent in path.parents):
            kept.append(path)
    binds = [Bind(str(path.readlink()), str(path), True) if path in links else Bind(str(path), str(path)) for path in kept]
    if tools:
        binds += [Bind(text, place, True) for place, text in tools.links]
        if tools.artefacts:
            binds.append(Bind(tools.artefacts, ARTEFACTS))
    return binds + [Bind(device, device) for device in _DEVICES]


def _own_files(interpreter: Interpreter) -> Iterator[Path]:
    for name in interpreter.folders:
        yield Path(name)
    for name in interpreter.prefixes:
        prefix = Path(name)
        if (config := prefix / "pyvenv.cfg").exists():
            yield config  # an environment: its libraries are the base's
        else:
            yield from _shared_libraries(prefix / "lib")
            yield prefix / "share" / "zoneinfo"
    for name in _LIBRARIES:
        yield from _shared_libraries(Path(name))


def _shared_libraries(folder: Path) -> Iterator[Path]:
    if not any(folder.is_relative_to(shown) for shown in _SYSTEM):
        yield from (path for path in folder.glob("*.so*") if path.is_file())


def _link_chain(executable: Path) -> Iterator[Path]:
    """The executable, what it links to, and so on to the file itself."""
    for _ in range(20):
        yield executable
        if not executable.is_symlink():
            return
        executable = Path(os.path.normpath(executable.parent / executable.readlink()))


def out_of_reach(path: str) -> bool:
    """Whether somebody who is neither owner nor group cannot get to `path`."""
    real = Path(path).resolve()
    for parent in {*Path(path).parents, *real.parents}:
        if not parent.stat().st_mode & stat.S_IXOTH:
            return True
    mode = real.stat().st_mode
    needed = stat.S_IROTH | (stat.S_IXOTH if real.is_dir() else 0)
    return mode & needed != needed
