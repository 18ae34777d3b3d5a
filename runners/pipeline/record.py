"""pipeline.json: what a run's folder holds, made of what and with what result.

A stage has an entry from the moment on that its files may exist; it names them, so that nothing else in the folder is ever
replaced. `fingerprint` is the digest of everything that decides the stage's result: its settings, and the contents of the files
that it reads. The file is replaced as a whole, never edited.
"""

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError
from reexec.engine.version import VERSION

from ..digests import digest_of, digest_of_file
from ..rows.documents import read_document, replace_document

NAME = "pipeline.json"
SCHEMA = 1
RUNNING, DONE, STOPPED = "running", "done", "stopped"


class Record:
    """The record of one folder. Raises UsageError where it exists and cannot be read."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / NAME
        self.facts: dict[str, Any] = {}
        """What is recorded of the whole run and decides nothing."""
        self.stages: dict[str, dict[str, Any]] = {}
        self._digests: dict[str, list[Any]] = {}  # path: [size, mtime_ns, digest]
        try:
            found = read_document(self.path)
            self.stages, self._digests = dict(found["stages"]), dict(found["digests"])
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{self.path}: cannot be read ({error}); --overwrite starts anew") from None

    @classmethod
    def empty(cls, folder: Path) -> "Record":
        """One that knows nothing, whatever lies in the folder."""
        record = cls.__new__(cls)
        record.folder, record.path = folder, folder / NAME
        record.facts, record.stages, record._digests = {}, {}, {}
        return record

    # -- files --------------------------------------------------------------------------------------------------

    def digest(self, path: Path) -> str:
        """Of a file's content, or of all files of a folder. It is computed once for each size and time of change."""
        if path.is_dir():
            parts = [[str(file.relative_to(path)), self.digest(file)] for file in sorted(path.rglob("*")) if file.is_file()]
            return digest_of(json.dumps(parts))
        try:
            facts = path.stat()
        except OSError as error:
            raise UsageError(f"{path}: cannot be read ({(error.strerror or '').lower()})") from None
        known = self._digests.get(str(path))
        if known is not None and known[:2] == [facts.st_size, facts.st_mtime_ns]:
            return str(known[2])
        found = digest_of_file(path)
        self._digests[str(path)] = [facts.st_size, facts.st_mtime_ns, found]
        return found

    def owns(self, path: Path) -> bool:
        return any(path.name in entry["files"] for entry in self.stages.values())

    # -- stages -------------------------------------------------------------------------------------------------

    def begin(self, stage: str, fingerprint: str, files: Iterable[Path]) -> None:
        """The stage's files may exist from now on, and no other stage's entry speaks of them."""
        names = [path.name for path in files]
        for other in [name for name, entry in self.stages.items() if set(entry["files"]) & set(names)]:
            del self.stages[other]
        self.stages[stage] = {"state": RUNNING, "fingerprint": fingerprint, "files": names, "started": _now()}
        self.save()

    def end(self, stage: str, state: str, counts: dict[str, Any], outputs: Iterable[Path], wall_s: float) -> None:
        entry = self.stages[stage]
        entry |= {
            "state": state,
            "outputs": {path.name: self.digest(path) for path in outputs if path.exists()},
            "counts": counts,
            "ended": _now(),
            "wall_s": round(wall_s, 3),
        }
        self.save()

    def save(self) -> None:
        record = {
            "record": "reexec.pipeline",
            "schema": SCHEMA,
            "engine": VERSION,
            **self.facts,
            "stages": self.stages,
            "digests": self._digests,
            "saved": _now(),
        }
        replace_document(self.path, record)


def _now() -> float:
    return round(time.time(), 3)
