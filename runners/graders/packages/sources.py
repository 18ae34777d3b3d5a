"""A program of a package as one source text: which language its files are in, and what they include of each other."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reexec.engine.commands.probe import find
from reexec.engine.commands.toolchain import toolchain_named, toolchain_of_file
from reexec.engine.errors import UsageError

PYTHON: Final = "python"
_HEADERS: Final = (".h", ".hpp", ".hh", ".hxx")
_ASIDE: Final = (*_HEADERS, ".md", ".txt", ".yaml", ".yml", ".in", ".ans")
_OWN_BUILD: Final = frozenset(("build", "run", "Makefile", "CMakeLists.txt"))
_INCLUDE: Final = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"[^\n]*$', re.MULTILINE)
_MOST_INCLUDED: Final = 64


@dataclass(frozen=True, slots=True)
class Source:
    """`fault` says why there is no program."""

    text: str = ""
    language: str = ""
    fault: str = ""


def read_source(files: Sequence[Path], named: str = "") -> Source:
    """The program that is one of `files`; `named` is the language that the package says, else the file's ending tells. Headers
    beside a source are put where it includes them."""
    programs = [path for path in files if path.suffix not in _ASIDE]
    if any(path.name in _OWN_BUILD for path in programs):
        return Source(fault="a program with a build of its own")
    if len(programs) != 1:
        endings = ", ".join(sorted({path.suffix.lstrip(".") or path.name for path in programs}))
        return Source(fault=f"a program of several files ({endings})" if programs else "no program")
    (path,) = programs
    try:
        toolchain = toolchain_named(named) if named else toolchain_of_file(path.name)
    except UsageError as error:
        return Source(fault=str(error))
    if toolchain is None:
        return Source(fault=f"a program in {path.suffix.lstrip('.') or path.name}, an ending that no language here has")
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix in _ASIDE or len(files) > 1:
            text = _with_headers(text, {each.name: each for each in files if each.suffix in _HEADERS})
    except UnicodeDecodeError:
        return Source(fault="the program is not UTF-8")
    return Source(text, toolchain.language)


def version_of(language: str) -> str:
    """What its compiler or run time here says of itself; why it cannot be had, where it cannot."""
    try:
        return find(toolchain_named(language)).version
    except UsageError as error:
        return str(error)


def _with_headers(text: str, headers: dict[str, Path]) -> str:
    """Each header once, where it is first included: what guards or `#pragma once` would come to."""
    put: set[str] = set()

    def include(match: re.Match[str]) -> str:
        name = match[1].removeprefix("./")
        if name not in headers:
            return match[0]
        if name in put or len(put) >= _MOST_INCLUDED:
            return ""
        put.add(name)
        return _INCLUDE.sub(include, headers[name].read_text(encoding="utf-8").replace("#pragma once", ""))

    return _INCLUDE.sub(include, text) if headers else text
