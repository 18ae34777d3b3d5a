"""Asks a Python what it is: version, folders it needs, whether it can serve as the interpreter of checked programs."""

import functools
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ..errors import EngineError, UsageError
from .tools import Tools

OLDEST = (3, 8)

# Runs in the asked interpreter; 2.7 may read it too, to be told that it is too old.
_QUESTION = """
import sys, json, site, sysconfig
try:
    import ctypes
    has_ctypes = True
except ImportError:
    has_ctypes = False
paths = sysconfig.get_paths()
folders = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
folders += getattr(site, "getsitepackages", list)()  # where Linux distributions put packages
folders += [path for path in sys.path if path.endswith(".zip")]
print(json.dumps({
    "version": list(sys.version_info[:3]),
    "implementation": getattr(getattr(sys, "implementation", None), "name", "old"),
    "executable": sys.executable,
    "prefixes": [sys.prefix, sys.exec_prefix, getattr(sys, "base_prefix", sys.prefix),
                 getattr(sys, "base_exec_prefix", sys.exec_prefix)],
    "folders": folders,
    "ctypes": has_ctypes,
}))
"""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python that can run checked programs."""

    executable: str
    """A virtual environment's own python, not what it links to; any other as the file that it is, because the folder of
    a link says nothing about where its library lies."""
    version: tuple[int, int, int]
    prefixes: tuple[str, ...]
    """sys.prefix first, the base's last; what lies in them may be anybody's."""
    folders: tuple[str, ...] = ()
    """Standard library and site-packages, some of which may not exist."""
    tools: Tools | None = None
    """What its jail shows beside it."""

    @property
    def version_text(self) -> str:
        return ".".join(str(part) for part in self.version)


ANSWER_S = 300
"""Elapsed seconds that an interpreter may take to say what it is: a fraction of one where nothing else runs."""


@functools.cache
def ask(executable: str | None = None) -> Interpreter:
    """The interpreter at `executable` (None: the one that runs this). Raises UsageError where it cannot serve,
    EngineError where it says nothing in time."""
    program = executable or sys.executable
    if os.sep not in program:
        raise UsageError(f"--python {program}: give a path, such as /usr/bin/python3")
    try:
        there = Path(program).exists()
    except OSError as error:
        raise UsageError(f"--python {program}: cannot be reached ({os.strerror(error.errno or 0).lower()})") from None
    if not there:
        raise UsageError(f"--python {program}: no such file")
    named, program = program, str(Path(program).absolute())  # it runs elsewhere, and so do the workers
    try:
        done = subprocess.run(
            [program, "-s", "-c", _QUESTION],
            capture_output=True, text=True, timeout=ANSWER_S, check=False, cwd="/", env={"LANG": "C.UTF-8"},
        )  # fmt: skip
        answer = json.loads(done.stdout.strip().splitlines()[-1]) if done.returncode == 0 else None
    except subprocess.TimeoutExpired:
        message = f"{named}: no answer within {ANSWER_S} s; it hangs, or this machine is too busy"
        raise EngineError(message, stage="ask the interpreter", retry_helps=True) from None
    except (OSError, ValueError, IndexError):
        answer = None
    if not isinstance(answer, dict) or "version" not in answer:
        raise UsageError(f"--python {named}: it does not answer as a Python does")
    version = tuple(answer["version"])
    text = ".".join(str(part) for part in version)
    if answer["implementation"] != "cpython" or version < OLDEST:
        raise UsageError(
            f"--python {named}: it is {answer['implementation']} {text}; CPython {OLDEST[0]}.{OLDEST[1]} or newer is needed"
        )
    if not answer["ctypes"]:
        raise UsageError(f"--python {named}: it was built without ctypes, which the jail needs to lock itself down")
    found = answer["executable"] or program
    prefixes = _normal(answer["prefixes"])
    if prefixes[0] == _normal(answer["prefixes"][2:3])[0] and os.path.realpath(found) != found:
        return ask(os.path.realpath(found))
    return Interpreter(found, version, prefixes, _normal(answer["folders"]))


def _normal(paths: list[str]) -> tuple[str, ...]:
    """Each path once; 3.8 leaves the .. of a link in them."""
    return tuple(dict.fromkeys(os.path.normpath(path) for path in paths))
