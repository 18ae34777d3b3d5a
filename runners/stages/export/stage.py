"""The export stage as a run: a folder that appears when it is whole.

The files are made in a folder beside it, and that is renamed: a run that is killed leaves nothing under the wanted name, and
the next one begins anew (an export is minutes, not days). A folder with the same manifest key is left alone. Nothing but an
earlier export is ever replaced, and only with `overwrite`.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError
from reexec.engine.version import VERSION

from ...rows.run import Selection
from ...rows.source import OVERLONG_REASON, read_lines
from ...rows.text import BadRowError, parse_row
from .formats import FORMATS, Format, JsonLines, Writer, origin_row
from .recipe import check_devices, recipes
from .rows import BadFinalError, Example, JoinTemplate, read_example
from .split import is_validation

MANIFEST = "manifest.json"
VALIDATION_SHARE = 0.02
DEVICES = 8
_RECORD = "reexec.export"


@dataclass(slots=True)
class ExportSummary:
    rows: int = 0
    train: int = 0
    validation: int = 0
    functions: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    """Rows that the choice of turns leaves out, by reason: failed."""
    rejected: int = 0
    first_reject: str = ""
    unreadable: int = 0
    complete_already: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """What of a row is trained on."""

    format: Format
    plain: bool
    """The first turn alone, and only where it is right (CodeI/O); else all turns (CodeI/O++)."""
    only_right: bool
    separate: bool
    """Turns as messages of their own instead of one joined response."""
    template: JoinTemplate

    def why_not(self, example: Example) -> str:
        return "failed" if self.plain and self.only_right and not example.right_at_once else ""

    def row(self, example: Example) -> dict[str, Any]:
        response = example.answers[0] if self.plain else self.template.join(example)
        texts = [example.prompt, response]
        if self.separate and not self.plain:
            texts = [example.prompt]
            for answer, feedback in zip(example.answers, example.feedback, strict=True):
                texts += [answer, feedback]
            texts.pop()  # nobody answers the last feedback
        return self.format.row(example, response, texts)


def export(
    final_path: Path,
    folder: Path,
    to: str,
    *,
    plain: bool = False,
    only_right: bool = False,
    separate_turns: bool = False,
    validation_share: float = VALIDATION_SHARE,
    devices: int = DEVICES,
    template: JoinTemplate | None = None,
    selection: Selection | None = None,
    overwrite: bool = False,
    on_row: Callable[[str], None] | None = None,
) -> ExportSummary:
    """Writes `folder`. `on_row` is told `train`, `validation`, the reason why a row is left out, or `rejected`.

    Raises UsageError where nothing could be read or written, or the folder holds something else.
    """
    chosen = FORMATS.get(to)
    if chosen is None:
        raise UsageError(f"no format {to!r}; known ones are {', '.join(FORMATS)}")
    if not 0 <= validation_share < 1:
        raise UsageError(f"validation share {validation_share:g}: must be 0 or more and less than 1")
    if separate_turns and not chosen.may_separate:
        raise UsageError(f"{to} has one response a row: turns cannot be separate")
    if only_right and not plain:
        raise UsageError("wrong first turns are only left out of the plain form")
    check_devices(devices)
    template = template or JoinTemplate()
    selection = selection or Selection()
    key = {
        "engine": VERSION,
        "format": to,
        "plain": plain,
        "only right": only_right,
        "separate turns": separate_turns,
        "validation share": validation_share,
        "devices": devices if chosen.dataset_info else None,
        "templates": template.texts.digest,
        "limit": selection.limit,
        "shard": list(selection.shard) if selection.shard else None,
        "input": _digest(final_path),
    }
    done = _already_there(folder, key, overwrite)
    if done is not None:
        return done
    choice = Choice(chosen, plain, only_right, separate_turns, template)
    making = folder.with_name(f".{folder.name}.unfinished")
    try:
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir()
    except OSError as error:
        raise UsageError(f"{making}: cannot be made ({os.strerror(error.errno or 0).lower()})") from None
    try:
        summary = _write(final_path, making, choice, validation_share, selection, on_row)
        if not summary.rows:
            raise UsageError(f"{final_path}: no row to export{f'; {summary.first_reject}' if summary.rejected else ''}")
        _describe(making, choice, summary, devices)
        _manifest(making, final_path, key, summary)
        _put_in_place(making, folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return summary


# -- the folder -----------------------------------------------------------------------------------------------


def _digest(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for _, line in read_lines(path):
        digest.update(line + b"\n")
    return digest.hexdigest()


def _already_there(folder: Path, key: dict[str, Any], overwrite: bool) -> ExportSummary | None:
    if not folder.parent.is_dir():
        raise UsageError(f"{folder}: its folder does not exist")
    if not folder.exists():
        return None
    if not folder.is_dir():
        raise UsageError(f"{folder}: a file; an export is a folder")
    if not any(folder.iterdir()):
        return None
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        ours = manifest["record"] == _RECORD
        if ours and manifest["key"] == key and not overwrite:
            return ExportSummary(**manifest["counts"], complete_already=True)
    except (OSError, ValueError, KeyError, TypeError):
        ours = False
    if not ours:
        raise UsageError(f"{folder}: not empty, and not an export; choose another name")
    if not overwrite:
        raise UsageError(f"{folder}: holds another export; --overwrite replaces it, or choose another name")
    return None


def _put_in_place(making: Path, folder: Path) -> None:
    """Renames; an export that is replaced is moved aside first, so that the name never holds half of two."""
    old = folder.with_name(f".{folder.name}.replaced")
    try:
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            folder.rename(old)
        making.rename(folder)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({os.strerror(error.errno or 0).lower()})") from None
    finally:
        shutil.rmtree(old, ignore_errors=True)


# -- its files ------------------------------------------------------------------------------------------------


class _Files:
    """Opened when their first row comes: a file without rows is one that some readers refuse."""

    def __init__(self, folder: Path, choice: Choice) -> None:
        self._folder, self._choice = folder, choice
        self._open: dict[str, Writer] = {}

    def write(self, split: str, example: Example) -> None:
        name = f"{split}.{self._choice.format.suffix}"
        self._writer(name, self._choice.format.open).write(self._choice.row(example))
        if self._choice.format.name == "openai-messages":
            self._writer(f"origins-of-{split}.jsonl", JsonLines).write(origin_row(example))

    def reject(self, record: dict[str, Any]) -> None:
        self._writer("rejects.jsonl", JsonLines).write(record)

    def _writer(self, name: str, opens: Callable[[Path], Writer]) -> Writer:
        if name not in self._open:
            self._open[name] = opens(self._folder / name)
        return self._open[name]

    def close(self) -> None:
        for writer in self._open.values():
            writer.close()


def _write(
    source: Path, folder: Path, choice: Choice, share: float, selection: Selection, on_row: Callable[[str], None] | None
) -> ExportSummary:
    summary = ExportSummary()
    functions: set[bytes] = set()
    files = _Files(folder, choice)
    taken = 0
    try:
        for position, (number, line) in enumerate(read_lines(source)):
            if selection.limit is not None and taken >= selection.limit:
                break
            if not selection.takes(position):
                continue
            taken += 1
            try:
                example = _read(line, summary)
            except (BadRowError, BadFinalError) as error:
                summary.rejected += 1
                summary.first_reject = summary.first_reject or f"{source}, line {number}: {error}"
                files.reject({"file": str(source), "line": number, "reason": str(error)})
                word = "rejected"
            else:
                word = choice.why_not(example)
                if word:
                    summary.left_out[word] = summary.left_out.get(word, 0) + 1
                else:
                    word = "validation" if is_validation(example.key, share) else "train"
                    files.write(word, example)
                    summary.rows += 1
                    summary.train += word == "train"
                    summary.validation += word == "validation"
                    functions.add(hashlib.blake2b(example.key.encode("utf-8", "surrogatepass"), digest_size=16).digest())
            if on_row is not None:
                on_row(word)
    finally:
        files.close()
    summary.functions = len(functions)
    return summary


def _read(line: bytes, summary: ExportSummary) -> Example:
    try:
        if not line:
            raise BadRowError(OVERLONG_REASON)
        row = parse_row(line)
    except BadRowError:
        summary.unreadable += 1
        raise
    return read_example(row)


def _describe(folder: Path, choice: Choice, summary: ExportSummary, devices: int) -> None:
    """What lies beside the rows: how `datasets` finds the splits, and LLaMA-Factory its data and configs."""
    splits = [split for split in ("train", "validation") if getattr(summary, split)]
    suffix = choice.format.suffix
    # The digest, because the library's cache knows a folder by this text: without it, another export under the same name
    # would be loaded as the one before.
    rows = hashlib.blake2b("".join(_file_digest(folder / f"{split}.{suffix}") for split in splits).encode(), digest_size=16)
    card = ["---", "configs:", "- config_name: default", f'  description: "rows {rows.hexdigest()}"', "  data_files:"]
    for split in splits:
        card += [f"  - split: {split}", f"    path: {split}.{suffix}"]
    card += ["---", "", "Input and output predictions of programs, checked by executing them. Made by `reexec export`.", ""]
    (folder / "README.md").write_text("\n".join(card))
    if choice.format.dataset_info is None:
        return
    name = "codeio" if choice.plain else "codeio_plus"
    info = {f"{name}_{split}": {"file_name": f"{split}.{suffix}", **choice.format.dataset_info} for split in splits}
    (folder / "dataset_info.json").write_text(json.dumps(info, indent=2) + "\n")
    validation = f"{name}_validation" if summary.validation else None
    for file, text in recipes(f"{name}_train", validation, devices).items():
        (folder / file).write_text(text)


def _file_digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _manifest(folder: Path, source: Path, key: dict[str, Any], summary: ExportSummary) -> None:
    counts = asdict(summary)
    counts.pop("complete_already")
    files = {}
    for path in sorted(folder.iterdir()):
        files[path.name] = {"bytes": path.stat().st_size, "digest": _file_digest(path)}
    manifest = {"record": _RECORD, "schema": 1, "input": str(source), "key": key, "counts": counts, "files": files}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
