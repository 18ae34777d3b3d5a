"""Shards of one run put together: the files that a run without `--shard` would have written, byte for byte.

Each shard has NAME.shard.txt, which says how many lines of each of its files came of each input row (rows/run.py); shard `i` of
`n` has the rows i, i + n, i + 2n and so on. The input is read once more: every shard must have read the same one, to its end.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from reexec.engine.errors import UsageError

from .digests import empty_digest
from .rows.documents import lock, read_document, replace_document
from .rows.run import SHARD_FILE, beside
from .rows.sink import Sink
from .rows.source import BROKEN, open_lines, read_lines

FLUSH_LINES = 4096
_FILES = ("output", "side0", "rejects")


@dataclass(frozen=True, slots=True)
class Merged:
    """What came of a merge."""

    stage: str
    shards: int
    rows: int
    """Lines of the output."""
    rejected: int
    files: tuple[Path, ...]
    left_alone: bool = False
    """Whether all was merged already."""


@dataclass(slots=True)
class _Shard:
    path: Path
    manifest: dict[str, Any]
    index: int
    count: int
    files: dict[str, Path] = field(default_factory=dict)

    @property
    def lines(self) -> int:
        return int(self.manifest["progress"]["lines"])

    @property
    def what_is_done(self) -> dict[str, Any]:
        """What must be equal in all shards of a run."""
        key = {name: value for name, value in self.manifest["key"].items() if name not in ("shard", "side files")}
        return {"stage": self.manifest["stage"], **key, "side files": len(self.manifest["side_files"])}


def merge(
    shards: Sequence[Path], output: Path, *, source: Path | None = None, side: Path | None = None, overwrite: bool = False
) -> Merged:
    """Writes the output of a run whose shards are all done, its rejects, its side file (usage, kept rows, tests), its pass
    rates and its manifest. Done again it does nothing; killed, it begins anew.

    source: the input of the shards; where their manifests say it is, where None.
    side:   the side file to write; beside the output where the shards have it beside theirs, where None.

    Raises UsageError where shards are missing, are not done, or are not of one run.
    """
    found = sorted((_read_shard(path) for path in shards), key=lambda shard: shard.index)
    _check_all_of_one(found)
    if any(path.absolute() == output.absolute() for path in shards):
        raise UsageError(f"{output}: is one of the shards; choose another name")
    first = found[0]
    side_path = _side_path(first, output, side)
    manifest = _manifest(found, source or _input_of(first), side_path)
    if _is_done(output, manifest, overwrite):
        return _merged(found, manifest, output, side_path, left_alone=True)
    with ExitStack() as stack:
        stack.callback(os.close, lock(output, "another run is writing it; wait for its end, or choose another name"))
        manifest_path = beside(output, "manifest.json")
        nothing = {"lines": 0, "input_digest": "", "sizes": {}, "counts": {}}
        replace_document(manifest_path, {**manifest, "state": "running", "progress": nothing})
        paths = {"output": output, "rejects": beside(output, "rejects.jsonl")} | ({"side0": side_path} if side_path else {})
        manifest["progress"]["sizes"] = _interleave(found, paths, stack)
        _finish(first.manifest["stage"], output)
        replace_document(manifest_path, manifest)
    return _merged(found, manifest, output, side_path)


def _merged(
    shards: list[_Shard], manifest: dict[str, Any], output: Path, side: Path | None, left_alone: bool = False
) -> Merged:
    counts = manifest["progress"]["counts"]
    files = [output, beside(output, "rejects.jsonl"), beside(output, "passrates.jsonl"), *([side] if side else [])]
    rows = sum(sum(outs for outs, _, _ in _numbers(shard)) for shard in shards)
    there = tuple(path for path in files if path.exists())
    return Merged(manifest["stage"], len(shards), rows, counts.get("rejected", 0), there, left_alone)


# -- what is there ----------------------------------------------------------------------------------------------------


def _read_shard(path: Path) -> _Shard:
    where = beside(path, "manifest.json")
    try:
        manifest = read_document(where)
        shard = manifest["key"]["shard"]
        state, _ = manifest["state"], manifest["progress"]["counts"]
    except FileNotFoundError:
        raise UsageError(f"{path}: is no output of a run ({where} does not exist)") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{where}: cannot be read ({error})") from None
    if shard is None:
        raise UsageError(f"{path}: is no shard; it was made without --shard")
    name = f"shard {shard[0]}/{shard[1]}"
    if manifest["key"].get("limit") is not None:
        raise UsageError(f"{path}: was made with --limit; only whole shards can be merged")
    if state != "done":
        raise UsageError(f"{path}: {name} is not done ({state}); run its command again, it goes on where it stopped")
    found = _Shard(path, manifest, shard[0], shard[1])
    found.files = {"output": path, "rejects": beside(path, "rejects.jsonl"), "shard": beside(path, SHARD_FILE)}
    if manifest["side_files"]:
        found.files["side0"] = _where(manifest, manifest["side_files"][0], path)
    for kind, size in manifest["progress"]["sizes"].items():
        file = found.files[kind]
        if not file.exists() or file.stat().st_size != size:
            raise UsageError(f"{file}: is not as {name} left it; run its command again with --overwrite")
    return found


def _where(manifest: dict[str, Any], path: str, near: Path) -> Path:
    """A file of a shard: where it was written, or beside the shard's output where all of them have been moved."""
    written = Path(manifest["started_in"], path)
    moved = near.with_name(written.name)
    return moved if moved.exists() and not written.exists() else written


def _check_all_of_one(shards: list[_Shard]) -> None:
    if not shards:
        raise UsageError("which shards? name their outputs")
    first = shards[0]
    for other in shards[1:]:
        ours, theirs = first.what_is_done, other.what_is_done
        different = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
        if different:
            raise UsageError(f"{other.path}: is of another run than {first.path}: another {', '.join(different)}")
        if other.count != first.count:
            raise UsageError(f"{other.path}: is one of {other.count} shards, {first.path} one of {first.count}")
    by_index: dict[int, Path] = {}
    for shard in shards:
        if shard.index in by_index:
            raise UsageError(f"{shard.path}: shard {shard.index}/{shard.count} is there twice, see {by_index[shard.index]}")
        by_index[shard.index] = shard.path
    missing = [f"{index}/{first.count}" for index in range(first.count) if index not in by_index]
    if missing:
        more = f" and {len(missing) - 8} more" if len(missing) > 8 else ""
        raise UsageError(f"shards are missing: {', '.join(missing[:8])}{more}")


def _input_of(shard: _Shard) -> Path:
    path = Path(shard.manifest["started_in"], shard.manifest["input"])
    if not path.exists():
        raise UsageError(f"{path}: the shards' input is not there; say with --source where it is")
    return path


def _side_path(shard: _Shard, output: Path, given: Path | None) -> Path | None:
    theirs = shard.files.get("side0")
    if theirs is None:
        if given is not None:
            raise UsageError(f"--side {given}: the shards have no side file")
        return None
    if given is not None:
        return given
    stem = beside(shard.path, "").name
    if not theirs.name.startswith(stem):
        raise UsageError(f"{theirs}: say with --side FILE where the merged one goes")
    return beside(output, theirs.name.removeprefix(stem))


# -- what is written --------------------------------------------------------------------------------------------------


def _manifest(shards: list[_Shard], source: Path, side: Path | None) -> dict[str, Any]:
    """That of the whole run. Raises UsageError where a shard has read another input, or not all of it."""
    first = shards[0].manifest
    total, parts = empty_digest(), [empty_digest() for _ in shards]
    rows = 0
    for _, line in read_lines(source, first["most_line_bytes"]):
        for digest in (total, parts[rows % len(shards)]):
            digest.update(line)
            digest.update(b"\n")
        rows += 1
    for shard, part in zip(shards, parts, strict=True):
        wanted = len(range(shard.index, rows, shard.count))
        if shard.lines != wanted or (wanted and shard.manifest["progress"]["input_digest"] != part.hexdigest()):
            raise UsageError(f"{shard.path}: was made from another input than {source}, or from a part of it")
    counts: dict[str, Any] = {}
    for shard in shards:
        _add(counts, shard.manifest["progress"]["counts"])
    refused = [text for shard in shards if (text := shard.manifest["progress"]["counts"].get("first_reject"))]
    if refused:
        counts["first_reject"] = min(refused, key=_line_of)
    key = {**first["key"], "shard": None, "side files": [side.name] if side else []}
    progress = {"lines": rows, "input_digest": total.hexdigest(), "sizes": {}, "counts": counts}
    more = {"side_files": [str(side)] if side else [], "started_in": str(Path.cwd())}
    source_as_said = (
        first["input"] if Path(first["started_in"]) == Path.cwd() else str(Path(first["started_in"], first["input"]))
    )
    return {**first, "key": key, "progress": progress, "state": "done", "input": source_as_said, **more}


def _line_of(first_reject: str) -> int:
    """The line in "FILE, line N: why"."""
    number = first_reject.partition(", line ")[2].partition(":")[0]
    return int(number) if number.isdigit() else 0


def _add(counts: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, value in more.items():
        if isinstance(value, Mapping):
            _add(counts.setdefault(name, {}), value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            counts[name] = counts.get(name, 0) + value
        else:
            counts.setdefault(name, value)


def _is_done(output: Path, manifest: dict[str, Any], overwrite: bool) -> bool:
    where = beside(output, "manifest.json")
    try:
        there = read_document(where)
        same = all(there[name] == manifest[name] for name in ("stage", "key"))
        digest, sizes, state = there["progress"]["input_digest"], there["progress"]["sizes"], there["state"]
    except FileNotFoundError:
        if output.exists() and output.stat().st_size and not overwrite:
            raise UsageError(f"{output}: exists and is not a run's output; --overwrite replaces it") from None
        return False
    except (OSError, ValueError, KeyError, TypeError) as error:
        if overwrite:
            return False
        raise UsageError(f"{where}: cannot be read ({error}); --overwrite starts anew") from None
    if not same and not overwrite:
        raise UsageError(f"{output}: is the output of another run; --overwrite replaces it, or choose another name")
    whole = output.exists() and output.stat().st_size == sizes.get("output")
    return not overwrite and state == "done" and digest == manifest["progress"]["input_digest"] and whole


def _interleave(shards: list[_Shard], paths: dict[str, Path], stack: ExitStack) -> dict[str, int]:
    """Writes all files, and returns their sizes."""
    sources = [
        {name: stack.enter_context(open_lines(shard.files[name])) for name in _FILES if _has(shard, name)} for shard in shards
    ]
    numbers = [_numbers(shard) for shard in shards]
    sinks: dict[str, Sink] = {}
    for name in paths:
        if name != "rejects" or any("rejects" in files for files in sources):
            sinks[name] = Sink(paths[name])
            stack.callback(sinks[name].close)
    if "rejects" not in sinks:
        paths["rejects"].unlink(missing_ok=True)
    pending = position = 0
    while (row := next(numbers[position % len(shards)], None)) is not None:
        at = position % len(shards)
        for name, count in zip(_FILES, row, strict=True):
            for _ in range(count):
                sinks[name].write(_line(sources[at].get(name), shards[at], name))
                pending += 1
        position += 1
        if pending >= FLUSH_LINES:
            pending = 0
            for sink in sinks.values():
                sink.flush()
    return {name: sink.flush() for name, sink in sinks.items()}


def _has(shard: _Shard, name: str) -> bool:
    return name in shard.manifest["progress"]["sizes"]


def _numbers(shard: _Shard) -> Iterator[tuple[int, int, int]]:
    """Lines of output, side file and rejects that came of each row."""
    where, rows = shard.files["shard"], 0
    try:
        with open(where, "rb") as file:
            for rows, line in enumerate(file, start=1):  # noqa: B007 - counted
                out, side, rejected = map(int, line.split())
                yield out, side, rejected
    except (OSError, ValueError) as error:
        raise UsageError(f"{where}: cannot be read ({error}); run the shard again with --overwrite") from None
    if rows != shard.lines:
        raise UsageError(f"{where}: has {rows:,} rows of {shard.lines:,}; run the shard again with --overwrite")


def _line(file: BinaryIO | None, shard: _Shard, name: str) -> bytes:
    try:
        line = file.readline() if file is not None else b""
    except BROKEN as error:
        raise UsageError(f"{shard.files[name]}: the file breaks off ({error})") from None
    if not line.endswith(b"\n"):
        raise UsageError(f"{shard.files.get(name, shard.path)}: has fewer lines than its shard wrote")
    return line[:-1]


def _finish(stage: str, output: Path) -> None:
    """What a stage makes of its whole output."""
    if stage == "verify":
        from .stages.verify.pass_rates import write_pass_rates

        write_pass_rates(output)
