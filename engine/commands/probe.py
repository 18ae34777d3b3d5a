"""Which languages this host has: finds a toolchain's programs and asks one of them for its version, on the host, as anybody
who installed it would."""

import functools
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..jail.tools import Tools
from .toolchain import Toolchain, known

_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Found:
    """A toolchain on this host."""

    toolchain: Toolchain
    paths: tuple[tuple[str, str], ...]
    """Programs and folders by the toolchain's own names."""
    version: str

    def filled(self, text: str, **more: str) -> str:
        """`text` with the names in braces replaced."""
        for name, value in (*self.paths, *more.items()):
            text = text.replace("{" + name + "}", value)
        return text

    def compile_tools(self, prepared: str = "") -> Tools:
        """What the jail shows where the language is compiled. `prepared`: a folder of this host, "" where there is none."""
        compiles = self.toolchain.compile
        assert compiles is not None
        shown = self._shown((*self.toolchain.find, *compiles.programs), compiles.shows)
        shown += (prepared,) if prepared else ()
        return Tools(shown, self._links(compiles.links), starts_others=True, reserved_bytes=compiles.reserved_bytes)

    def run_tools(self, artefacts: str) -> Tools:
        """What the jail shows where its programs run."""
        run = self.toolchain.run
        named = [name for name in self.toolchain.find if any("{" + name + "}" in text for text in (*run.arguments, *run.shows))]
        return Tools(
            self._shown((*named, *run.programs), run.shows),
            self._links(run.links),
            artefacts,
            commands=True,
            starts_others=bool(run.programs) or run.starts_others,
            reserved_bytes=run.reserved_bytes,
        )

    def _links(self, links: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        return tuple((self.filled(place), self.filled(text)) for place, text in links.items())

    def _shown(self, programs: Iterable[str], files: Iterable[str]) -> tuple[str, ...]:
        known = dict(self.paths)
        found = [known.get(name) or shutil.which(name) for name in programs]
        shown = [path for path in found if path]
        for name in files:
            pattern = self.filled(name)
            shown += sorted(map(str, Path("/").glob(pattern[1:]))) if "*" in pattern else [pattern]
        return tuple(dict.fromkeys(path for path in shown if Path(path).exists()))


def find(toolchain: Toolchain) -> Found:
    """Raises UsageError with what to install where this host lacks it."""
    return _find(toolchain.model_dump_json())


@functools.cache
def _find(tree: str) -> Found:
    toolchain = Toolchain.model_validate_json(tree)
    paths: list[tuple[str, str]] = []
    for name, candidates in toolchain.find.items():
        path = next(filter(None, map(shutil.which, candidates)), None)
        if path is None:
            raise UsageError(_missing(toolchain, f"none of {', '.join(candidates)} is here"))
        paths.append((name, str(Path(path).absolute())))
        paths.append((f"{name}.home", str(Path(path).resolve().parents[1])))
    found = Found(toolchain, tuple(paths), "")
    for name, command in toolchain.folder_from.items():
        paths.append((name, _first_line(found, command)))
        found = Found(toolchain, tuple(paths), "")
    return Found(toolchain, tuple(paths), _first_line(found, toolchain.version))


def survey() -> list[tuple[Toolchain, Found | None, str]]:
    """Every language that comes with reexec: what was found, or why not and what to install."""
    rows: list[tuple[Toolchain, Found | None, str]] = []
    for toolchain in known().values():
        try:
            rows.append((toolchain, find(toolchain), ""))
        except UsageError as error:
            rows.append((toolchain, None, str(error)))
    return rows


def _first_line(found: Found, command: tuple[str, ...]) -> str:
    arguments = [found.filled(each) for each in command]
    try:
        done = subprocess.run(
            arguments, capture_output=True, text=True, timeout=_PATIENCE_S, check=False, cwd="/", stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"{found.toolchain.title}: {arguments[0]} does not start ({error})") from None
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    if done.returncode or not lines:
        said = next((line for line in lines if line.strip("# ")), f"exit status {done.returncode}")
        raise UsageError(f"{found.toolchain.title}: {arguments[0]} is here and does not start: {said[:120]}")
    return lines[0]


def _missing(toolchain: Toolchain, reason: str) -> str:
    return f"{toolchain.title}: {reason}; type: {toolchain.install}"
