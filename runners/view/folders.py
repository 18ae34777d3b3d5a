"""Where indexes lie: `reexec/view` in the user's cache folder, one folder for each run, named by its place, and in it one for
the state of its files. An index of another state is of no use and is removed; the run's own files are never touched."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reexec.engine.version import VERSION

from ..digests import digest_of
from ..reports import RunFiles

SCHEMA = 1
KEPT_RUNS = 8
INDEX, WORDS, ABOUT = "index.duckdb", "words.bin", "about.json"


def state_of(run: RunFiles) -> str:
    """A digest that changes where one of the run's files does."""
    found: list[Any] = [SCHEMA, VERSION]
    paths = [path for turn in run.turns for path in (turn.path, turn.functions, turn.usage)]
    for path in (*paths, *(losses.rejects for losses in run.losses)):
        if path is None:
            continue
        try:
            status = path.stat()
            found.append([str(path.absolute()), status.st_size, status.st_mtime_ns, status.st_ino])
        except OSError:
            found.append([str(path.absolute()), None])
    return digest_of(json.dumps(found))


class Folder:
    """The indexes of one run. `close()` removes them where no cache folder could be used."""

    def __init__(self, path: Path) -> None:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "reexec" / "view"
        self._own: Path | None = None
        try:
            base.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._folder = base / digest_of(str(path.absolute()))
            self._folder.mkdir(exist_ok=True, mode=0o700)
            os.utime(self._folder)
            with tempfile.TemporaryFile(dir=self._folder):
                pass
            _prune(base)
        except OSError:  # a home that cannot be written
            self._own = self._folder = Path(tempfile.mkdtemp(prefix="reexec-view-"))

    def find(self, state: str) -> Path | None:
        """The index of this state, where there is one."""
        place = self._folder / state
        return place if (place / ABOUT).is_file() else None

    def make(self, state: str, build: Callable[[Path], None]) -> Path:
        """Builds the index of this state, and removes others. Nothing is left of one that does not come to its end."""
        making = self._folder / f"{state}.unfinished-{os.getpid()}"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(mode=0o700)
        place = self._folder / state
        try:
            build(making)
            shutil.rmtree(place, ignore_errors=True)
            making.rename(place)
        finally:
            shutil.rmtree(making, ignore_errors=True)
        for other in self._folder.iterdir():
            if other != place and not _is_being_made(other):
                shutil.rmtree(other, ignore_errors=True)
        return place

    def close(self) -> None:
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)


def _is_being_made(path: Path) -> bool:
    maker = path.name.rpartition(".unfinished-")[2] if ".unfinished-" in path.name else ""
    if not maker.isdigit():
        return False
    try:
        os.kill(int(maker), 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def _prune(base: Path) -> None:
    """Indexes of the runs that were looked at last stay."""
    by_age = sorted((folder for folder in base.iterdir() if folder.is_dir()), key=lambda folder: -folder.stat().st_mtime)
    for folder in by_age[KEPT_RUNS:]:
        if not any(_is_being_made(each) for each in folder.iterdir()):
            shutil.rmtree(folder, ignore_errors=True)
