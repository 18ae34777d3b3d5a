"""One stage's run over an input file: its key, its manifest, its progress, its rejects.

Files beside an output NAME.jsonl: NAME.manifest.json (always), NAME.rejects.jsonl (where rows were rejected), and the
stage's own side files. The manifest is replaced as a whole, never edited; it is the only word on how far a run came:

    progress.lines          input lines consumed
    progress.input_digest   of these lines
    progress.sizes          of each output file after them
    progress.counts         the stage's counters after them

A run that is killed goes on from the last manifest: files are cut back to their sizes, the input's consumed lines are read
again and must have the same digest. At most the work of FLUSH_S seconds is done twice. An output without a manifest, or
with another key, is never touched without `overwrite`.
"""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError
from reexec.engine.version import VERSION

from .sink import OutputError, Sink
from .source import OVERLONG_REASON, read_lines
from .text import BadRowError, dump, parse_row

FLUSH_S = 0.5
FLUSH_ROWS = 4096
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the input. Where `fault` is set it cannot be used; it still has its place in the order of writing."""

    number: int
    line: bytes
    data: dict[str, Any]
    fault: str | None = None


@dataclass(slots=True)
class Selection:
    """Which lines of the input belong to this run: `limit` of them, or shard `index` of `count`."""

    limit: int | None = None
    shard: tuple[int, int] | None = None

    def takes(self, position: int) -> bool:
        return self.shard is None or position % self.shard[1] == self.shard[0]


def beside(output: Path, suffix: str) -> Path:
    """The path of a side file: OUT.jsonl.gz and `rejects.jsonl` give OUT.rejects.jsonl."""
    name = output.name
    for ending in (".gz", ".zst", ".jsonl", ".json"):
        name = name.removesuffix(ending)
    return output.with_name(f"{name}.{suffix}")


@dataclass(slots=True)
class Progress:
    lines: int = 0
    input_digest: str = ""
    sizes: dict[str, int] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)


class StageRun:
    """See the module. `key` decides whether an existing output belongs to this run; `facts` (rung, python, ...) are
    recorded and decide nothing."""

    def __init__(
        self,
        stage: str,
        source: Path,
        output: Path,
        *,
        key: dict[str, Any],
        facts: dict[str, Any],
        selection: Selection | None = None,
        overwrite: bool = False,
        side_files: tuple[Path, ...] = (),
    ) -> None:
        self.stage, self.source, self.output = stage, source, output
        self.selection = selection or Selection()
        self.key = {
            "engine": VERSION,
            "limit": self.selection.limit,
            "shard": list(self.selection.shard) if self.selection.shard else None,
            **key,
        }
        self.facts = facts
        self.rejects_path = beside(output, "rejects.jsonl")
        self.manifest_path = beside(output, "manifest.json")
        self._paths = {"output": output, "rejects": self.rejects_path}
        self._paths.update({f"side{index}": path for index, path in enumerate(side_files)})
        self._check_paths()
        self.progress = self._resume_point(overwrite)
        self.resumed_lines = self.progress.lines
        self._digest = hashlib.blake2b(digest_size=16)
        self._sinks: dict[str, Sink] = {}
        self._started = time.time()
        self._last_flush = time.monotonic()
        self._pending = 0

    @property
    def side_names(self) -> list[str]:
        return [name for name in self._paths if name.startswith("side")]

    # -- what exists already ----------------------------------------------------------------------------------

    def _check_paths(self) -> None:
        with contextlib.suppress(OSError):
            for path in self._paths.values():
                if path.exists() and path.samefile(self.source):
                    raise UsageError(f"{path}: the output is the input; choose another name")
        for path in self._paths.values():
            if path.exists() and not path.is_file():
                raise UsageError(f"{path}: not a regular file; a run must be able to cut it back")
            if not path.parent.is_dir():
                raise UsageError(f"{path}: its folder does not exist")

    def _resume_point(self, overwrite: bool) -> Progress:
        if overwrite:
            return Progress()
        try:
            manifest = json.loads(self.manifest_path.read_text())
        except FileNotFoundError:
            if self.output.exists() and self.output.stat().st_size:
                raise UsageError(f"{self.output}: exists and is not a run's output; --overwrite replaces it") from None
            return Progress()
        except (OSError, ValueError) as error:
            raise UsageError(f"{self.manifest_path}: cannot be read ({error}); --overwrite starts anew") from None
        old = {"stage": manifest.get("stage"), **manifest.get("key", {})}
        new = {"stage": self.stage, **self.key}
        changed = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
        if changed:
            raise UsageError(
                f"{self.output}: was made with another {', '.join(changed)}; --overwrite replaces it, or choose another name"
            )
        saved = manifest["progress"]
        for name, size in saved["sizes"].items():
            path = self._paths.get(name)
            if path is None or (path.stat().st_size if path.exists() else 0) < size:
                raise UsageError(f"{self.output}: shorter than its manifest says; --overwrite starts anew")
        return Progress(saved["lines"], saved["input_digest"], saved["sizes"], saved["counts"])

    # -- going through the input ------------------------------------------------------------------------------

    def rows(self) -> Iterator[Row]:
        """Rows that are not done yet, unusable ones too. Raises UsageError where the part of the input that was consumed
        earlier has changed."""
        taken = 0
        skipping = self.progress.lines
        for position, (number, line) in enumerate(read_lines(self.source)):
            if self.selection.limit is not None and taken >= self.selection.limit:
                break
            if not self.selection.takes(position):
                continue
            taken += 1
            if taken <= skipping:
                self._consume(line)
                if taken == skipping and self._digest.hexdigest() != self.progress.input_digest:
                    raise UsageError(
                        f"{self.source}: its first {skipping} lines are not those that {self.output} was made from; "
                        "--overwrite starts anew"
                    )
                continue
            if not line:
                yield Row(number, line, {}, OVERLONG_REASON)
                continue
            try:
                data = parse_row(line)
            except BadRowError as error:
                yield Row(number, line, {}, str(error))
                continue
            yield Row(number, line, data)
        if taken < skipping:
            raise UsageError(f"{self.source}: has fewer lines than {self.output} was made from; --overwrite starts anew")

    def _consume(self, line: bytes) -> None:
        self._digest.update(line)
        self._digest.update(b"\n")

    # -- writing ----------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Cuts the files back to where the run goes on. The manifest comes first: files of ours never lack one."""
        if not self.progress.lines:
            self.progress.sizes = {}
        self._save("running")
        for name in ("output", *self.side_names):
            self._sinks[name] = Sink(self._paths[name], self.progress.sizes.get(name, 0))
        rejects = self.progress.sizes.get("rejects", 0)
        if rejects:
            self._sinks["rejects"] = Sink(self.rejects_path, rejects)
        elif self.rejects_path.exists():
            self.rejects_path.unlink()

    def write(self, row: Row, lines: list[bytes], side: list[list[bytes]] | None = None) -> None:
        """The output of one input row. Rows must come in the order of the input, rejects included."""
        for line in lines:
            self._sinks["output"].write(line)
        for index, extra in enumerate(side or []):
            for line in extra:
                self._sinks[f"side{index}"].write(line)
        self._done(row.line)

    def reject(self, row: Row, reason: str) -> None:
        """The row is not usable; `reason` says why and where. The text of short rows is kept with it."""
        record: dict[str, Any] = {"file": str(self.source), "line": row.number, "reason": reason}
        if len(row.line) <= 65536:
            record["text"] = row.line.decode("utf-8", "replace")
        if "rejects" not in self._sinks:
            self._sinks["rejects"] = Sink(self.rejects_path)
        self._sinks["rejects"].write(dump(record).encode("ascii"))
        self.progress.counts["rejected"] = self.progress.counts.get("rejected", 0) + 1
        self._done(row.line)

    def _done(self, line: bytes) -> None:
        self._consume(line)
        self.progress.lines += 1
        self._pending += 1
        if self._pending >= FLUSH_ROWS or time.monotonic() - self._last_flush > FLUSH_S:
            self.flush()

    def flush(self, state: str = "running") -> None:
        self.progress.sizes = {name: sink.flush() for name, sink in self._sinks.items()}
        self.progress.input_digest = self._digest.hexdigest()
        self._save(state)
        self._pending = 0
        self._last_flush = time.monotonic()

    def close(self, state: str) -> None:
        """`done` or `interrupted`; flushes what is whole."""
        try:
            self.flush(state)
        finally:
            for sink in self._sinks.values():
                sink.close()

    def _save(self, state: str) -> None:
        manifest = {
            "record": "reexec.run",
            "schema": SCHEMA,
            "stage": self.stage,
            "state": state,
            "input": str(self.source),
            "key": self.key,
            "progress": {
                "lines": self.progress.lines,
                "input_digest": self.progress.input_digest,
                "sizes": self.progress.sizes,
                "counts": self.progress.counts,
            },
            "facts": self.facts,
            "started": round(self._started, 3),
            "saved": round(time.time(), 3),
        }
        temporary = self.manifest_path.with_name(self.manifest_path.name + ".new")
        try:
            temporary.write_text(json.dumps(manifest, indent=1) + "\n")
            os.replace(temporary, self.manifest_path)  # noqa: PTH105
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise OutputError(f"{self.manifest_path}: cannot be written ({os.strerror(error.errno or 0).lower()})") from None
