"""One stage's run over an input file: its key, its manifest, its progress, its rejects.

Files beside an output NAME.jsonl: NAME.manifest.json (always), NAME.rejects.jsonl (where rows were rejected), and the
stage's own side files. The manifest is replaced as a whole, never edited; it is the only word on how far a run came:

    progress.lines          input lines consumed
    progress.input_digest   of these lines
    progress.sizes          of each output file after them
    progress.counts         the stage's counters after them

A shard has NAME.shard.txt as well: for each of its input rows how many lines of the output, of the side file and of the rejects
came of it, by which `merge.py` puts shards together again.

A run that is killed goes on from the last manifest: files are cut back to their sizes, the input's consumed lines are read
again and must have the same digest. At most the work of FLUSH_S seconds is done twice. An output without a manifest, or
with another key, is never touched without `overwrite`.
"""

import contextlib
import copy
import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError
from reexec.engine.version import VERSION

from ..digests import empty_digest
from .documents import OutputError, lock, read_document, replace_document
from .names import renamed_line
from .row import Lines, Result, count, reject_record
from .row import Row as Row  # for graders
from .row import Selection as Selection
from .sink import Sink
from .source import MAX_LINE_BYTES, Block, open_lines, overlong_reason, read_blocks
from .text import dump_line

SHARD_FILE = "shard.txt"
_SPELLED = {"names": "--map"}
"""Parts of the key that have another name for the person who gave them."""
FLUSH_S = 0.5
FLUSH_ROWS = 4096
SCHEMA = 1


def beside(output: Path, suffix: str) -> Path:
    """The path of a side file: OUT.jsonl.gz and `rejects.jsonl` give OUT.rejects.jsonl. Raises
    UsageError where the output's path ends in no name."""
    name = output.name
    for ending in (".gz", ".zst", ".jsonl", ".json"):
        name = name.removesuffix(ending)
    if output.name in ("", ".."):
        raise UsageError(f"{output}: is a folder; an output is a file, give it a name")
    return output.with_name(f"{name}.{suffix}")


@dataclass(slots=True)
class Progress:
    lines: int = 0
    input_digest: str = ""
    sizes: dict[str, int] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)


def refuse_early(
    stage: str, source: Path, output: Path, *, selection: Selection | None, overwrite: bool, side_files: tuple[Path, ...],
    also_read: tuple[Path, ...],
) -> None:  # fmt: skip
    """Raises UsageError where a StageRun of these would, whatever its key: before anything is started for it."""
    paths, manifest = _paths_of(output, side_files, selection or Selection()), beside(output, "manifest.json")
    _check_paths(source, paths, manifest, also_read)
    if not overwrite:
        _earlier(stage, output, paths, manifest)


def _paths_of(output: Path, side_files: tuple[Path, ...], selection: Selection) -> dict[str, Path]:
    paths = {"output": output, "rejects": beside(output, "rejects.jsonl")}
    paths.update({f"side{index}": path for index, path in enumerate(side_files)})
    if selection.shard is not None:
        paths["shard"] = beside(output, SHARD_FILE)
    return paths


def _check_paths(source: Path, paths: dict[str, Path], manifest: Path, also_read: tuple[Path, ...]) -> None:
    if not source.is_fifo():
        open_lines(source).close()  # a source that cannot be read leaves no output behind
    outputs = [*paths.values(), manifest]
    if any(str(path) == "-" for path in outputs):
        raise UsageError("-: an output is a file, because a run must be able to go on from it; give it a name")
    for path in outputs:
        if sum(other.absolute() == path.absolute() for other in outputs) > 1:
            raise UsageError(f"{path}: two outputs of one run have this name; choose another one")
        if not path.exists():
            if not path.parent.is_dir():
                raise UsageError(f"{path}: its folder does not exist; make it first")
            continue
        if any(path.samefile(read) for read in (source, *also_read) if read.exists()):
            raise UsageError(f"{path}: the output is the input; choose another name")
        if path.is_dir():
            raise UsageError(f"{path}: is a folder; an output is a file, give it a name")
        if not path.is_file():
            raise UsageError(f"{path}: not a regular file; a run must be able to cut it back, choose another name")


def _earlier(stage: str, output: Path, paths: dict[str, Path], path: Path) -> tuple[dict[str, Any], Progress] | None:
    """The key and the progress of the run of this stage that left its manifest; None where none did. Raises UsageError."""
    try:
        manifest = read_document(path)
        old = {"stage": manifest["stage"], **manifest["key"]}
        progress = Progress(**manifest["progress"])
    except FileNotFoundError:
        for file in paths.values():
            if file.exists() and file.stat().st_size:
                raise UsageError(f"{file}: exists and is not a run's output; --overwrite replaces it") from None
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: cannot be read ({error}); --overwrite starts anew") from None
    if old["stage"] != stage:
        raise UsageError(f"{output}: is an output of `reexec {old['stage']}`; --overwrite replaces it, or choose another name")
    return old, progress


class StageRun:
    """See the module. `key` decides whether an existing output belongs to this run; `facts` (isolation level, python, ...) are
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
        also_read: tuple[Path, ...] = (),
        on_consumed: Callable[[int, int, bytes], None] | None = None,
        most_line_bytes: int = MAX_LINE_BYTES,
    ) -> None:
        """`also_read`: further files that no output may replace. `on_consumed` is told (line number, position, line)
        of what an earlier run has done, and of what belongs to other shards."""
        self.stage, self.source, self.output = stage, source, output
        self.selection = selection or Selection()
        self.key = {
            "engine": VERSION,
            "limit": self.selection.limit,
            "shard": list(self.selection.shard) if self.selection.shard else None,
            **({"names": dict(self.selection.names)} if self.selection.names else {}),
            "side files": [path.name for path in side_files],
            **key,
        }
        self.facts = facts
        self.rejects_path = beside(output, "rejects.jsonl")
        self.manifest_path = beside(output, "manifest.json")
        self._paths = _paths_of(output, side_files, self.selection)
        _check_paths(source, self._paths, self.manifest_path, also_read)
        self._on_consumed = on_consumed
        self._most_line_bytes = most_line_bytes
        self.fault: UsageError | None = None
        self._reading: Generator[Block] | None = None
        self._whole = True  # False while a row is half counted or half written
        self.progress = self._resume_point(overwrite)
        self.resumed_lines = self.progress.lines
        self._behind = self.resumed_lines > 0  # until the lines of the earlier run are passed
        self._digest = empty_digest()
        self.bytes_passed = self._lines_passed = 0
        """Of lines of the input that were read and belong to this run."""
        self._sinks: dict[str, Sink] = {}
        self._lock: int | None = None
        self._started = time.time()
        self._last_flush = time.monotonic()
        self._pending = 0
        self._saved: dict[str, Any] = {}  # a copy of the manifest on disk: `progress` goes on changing

    @property
    def side_names(self) -> list[str]:
        return [name for name in self._paths if name.startswith("side")]

    # -- what exists already ----------------------------------------------------------------------------------

    def _resume_point(self, overwrite: bool) -> Progress:
        earlier = None if overwrite else _earlier(self.stage, self.output, self._paths, self.manifest_path)
        if earlier is None:
            return Progress()
        old, progress = earlier
        new = {"stage": self.stage, **self.key}
        changed = sorted(_SPELLED.get(name, name) for name in old.keys() | new.keys() if old.get(name) != new.get(name))
        if changed:
            raise UsageError(
                f"{self.output}: was made with another {', '.join(changed)}; --overwrite replaces it, or choose another name"
            )
        for name, size in progress.sizes.items():
            file = self._paths.get(name)
            if file is None or (file.stat().st_size if file.exists() else 0) < size:
                raise UsageError(f"{self.output}: shorter than its manifest says; --overwrite starts anew")
        return progress

    # -- going through the input ------------------------------------------------------------------------------

    def rows(self) -> Iterator[Row]:
        """Rows that are not done yet, unusable ones too; see `blocks`."""
        for block in self.blocks():
            yield from self.rows_of(block)

    def rows_of(self, block: Lines) -> Iterator[Row]:
        for number, position, line in block.each():
            if line:
                yield self.selection.row(number, position, line)
            else:
                yield Row(number, line, {}, overlong_reason(self._most_line_bytes), position)

    def blocks(self) -> Iterator[Lines]:
        """Lines that are not done yet, as many at a time as are at hand; none where the next ones may take their time. Raises
        UsageError where the part of the input that was consumed earlier has changed. Where the input breaks off the blocks end,
        so that the rows before are finished, and `fault` is set: the stage raises it when it has closed the run."""
        left = self.progress.lines
        self._reading = self._blocks()
        for block in self.selection.of(self._reading, self._pass_over):
            self._lines_passed += len(block.lines)
            self.bytes_passed += sum(map(len, block.lines))
            if not left:
                yield block
                continue
            behind = min(left, len(block.lines))
            for number, position, line in islice(block.each(), behind):
                self._consume(line)
                if self._on_consumed is not None:
                    self._on_consumed(number, position, renamed_line(line, self.selection.names))
            left -= behind
            if left:
                continue
            if self._digest.hexdigest() != self.progress.input_digest:
                raise UsageError(
                    f"{self.source}: its first {self.progress.lines} lines are not those that {self.output} was made from; "
                    "--overwrite starts anew"
                )
            self._behind = False
            yield block.part(behind, len(block.lines))
        if left:
            if self.fault is not None:
                raise self.fault
            raise UsageError(f"{self.source}: has fewer lines than {self.output} was made from; --overwrite starts anew")

    def bytes_left(self) -> int | None:
        """About how much of the input is still to be read; None where nobody knows."""
        if self.source.suffix in (".gz", ".zst") or not self.source.is_file():
            return None
        shards = self.selection.shard[1] if self.selection.shard else 1
        left = self.source.stat().st_size // shards - self.bytes_passed
        if self.selection.limit is not None:
            more = self.selection.limit - self._lines_passed
            left = min(left, more * self.bytes_passed // max(1, self._lines_passed))
        return max(0, left)

    def _pass_over(self, number: int, position: int, line: bytes) -> None:
        """What repeats a row of another shard is to be known as such."""
        if self._on_consumed is not None and line:
            self._on_consumed(number, position, renamed_line(line, self.selection.names))

    def _blocks(self) -> Generator[Block]:
        try:
            yield from read_blocks(self.source, self._most_line_bytes)
        except UsageError as error:
            self.fault = error

    def _consume(self, line: bytes) -> None:
        self._digest.update(line + b"\n")

    # -- writing ----------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Cuts the files back to where the run goes on. The manifest comes first: files of ours never lack one."""
        if not self.progress.lines:
            self.progress.sizes = {}
        self._lock = lock(self.output, "another run is writing it; wait for its end, or choose another name")
        try:
            self._open_files()
        except BaseException:
            self._unlock()
            raise

    def _open_files(self) -> None:
        self._save("running")
        for name in ("output", *self.side_names, *(["shard"] if "shard" in self._paths else [])):
            self._sinks[name] = Sink(self._paths[name], self.progress.sizes.get(name, 0))
        rejects = self.progress.sizes.get("rejects", 0)
        if rejects:
            self._sinks["rejects"] = Sink(self.rejects_path, rejects)
        elif self.rejects_path.exists():
            self.rejects_path.unlink()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def take(self, result: Result) -> None:
        """Counts and writes what came of a row. Rows must come in the order of the input, rejects included. An interruption in
        here leaves the row undone."""
        self._whole = False
        count(self.progress.counts, result, self.source)
        sinks = self._sinks
        for line in result.lines:
            sinks["output"].write(line)
        if result.side and "side0" in sinks:
            for line in result.side:
                sinks["side0"].write(line)
        if result.reason is not None:
            if "rejects" not in sinks:
                sinks["rejects"] = Sink(self.rejects_path)
            sinks["rejects"].write(dump_line(reject_record(result, self.source)))
        if "shard" in sinks:
            numbers = (len(result.lines), len(result.side) if "side0" in sinks else 0, int(result.reason is not None))
            sinks["shard"].write(b"\n".join([b"%d %d %d" % numbers] * result.rows))
        self._done(result.row.raw or result.row.line, result.rows)

    # For graders, until they run on the skeleton too.

    def begin(self) -> None:
        self._whole = False

    def write(self, row: Row, lines: list[bytes], side: Sequence[Sequence[bytes]] = ((),)) -> None:
        self.take(Result(row, (), lines, side[0]))

    def reject(self, row: Row, reason: str, *, lines: Sequence[bytes] = (), more: Mapping[str, Any] | None = None) -> None:
        self.take(Result(row, (), lines, reason=reason, more=more or {}))

    def _done(self, line: bytes, rows: int) -> None:
        self._consume(line)
        self.progress.lines += rows
        self._pending += rows
        self._whole = True
        if self._pending >= FLUSH_ROWS or time.monotonic() - self._last_flush > FLUSH_S:
            self.flush()

    def flush(self, state: str = "running") -> None:
        self.progress.sizes = {name: sink.flush() for name, sink in self._sinks.items()}
        if not self._behind:
            self.progress.input_digest = self._digest.hexdigest()
        self._save(state)
        self._pending = 0
        self._last_flush = time.monotonic()

    def close(self, state: str) -> None:
        """`done` or `interrupted`; flushes what is whole. What a run refused or stopped in the middle of a row leaves behind
        is cut off by the next one, as after a kill: the manifest keeps the progress of the last flush."""
        state = "interrupted" if self.fault else state
        try:
            if self._whole and not self._behind:
                self.flush(state)
            elif self._saved:
                with contextlib.suppress(OutputError):  # only a word is at stake, and what ended the run is told by another
                    self._replace_manifest({**self._saved, "state": state})
        finally:
            for sink in self._sinks.values():
                sink.close()
            if self._reading is not None:  # whoever was in the middle of the input may be held by what ended the run
                self._reading.close()
            self._unlock()

    def _save(self, state: str) -> None:
        manifest = {
            "record": "reexec.run",
            "schema": SCHEMA,
            "stage": self.stage,
            "state": state,
            "input": str(self.source),
            "started_in": str(Path.cwd()),
            "side_files": [str(self._paths[name]) for name in self.side_names],
            "most_line_bytes": self._most_line_bytes,
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
        self._replace_manifest(manifest)

    def _replace_manifest(self, manifest: dict[str, Any]) -> None:
        replace_document(self.manifest_path, manifest)
        self._saved = copy.deepcopy(manifest)
