"""The export stage as a run: a folder that appears when it is whole (see folder.py).

A run that is killed leaves nothing under the wanted name, and the next one begins anew (an export is minutes, not days). A
folder with the same manifest key is left alone. Nothing but the files of an earlier export is ever replaced, and only with
`overwrite`.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError
from reexec.engine.version import VERSION

from ...rows.names import Names, renamed
from ...rows.row import Selection
from ...rows.source import OVERLONG_REASON, read_lines
from ...rows.text import BadRowError, parse_row
from . import folder as place
from .formats import FORMATS, Format, JsonLines, Writer, origin_row
from .lengths import Lengths
from .recipe import check_devices, recipes
from .rl import Tasks
from .rows import BadFinalError, Example, JoinTemplate, read_example
from .split import is_validation

VALIDATION_SHARE = 0.02
DEVICES = 8


@dataclass(slots=True)
class ExportSummary:
    rows: int = 0
    train: int = 0
    validation: int = 0
    functions: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    """Rows that the choice of turns leaves out, by reason: failed; for `rl` also repeated."""
    long: int = 0
    """Rows of more tokens than a training config reads; they are written all the same."""
    repaired: int = 0
    """Rows with half characters (lone surrogates), which are replaced: no reader of the formats takes them."""
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
    tasks: Tasks | None = None
    """Of `rl`: what the rows are rewarded by."""

    def why_not(self, example: Example) -> str:
        if self.tasks is not None and self.tasks.is_repeated(example):
            return "repeated"
        return "failed" if self.plain and self.only_right and not example.right_at_once else ""

    def row(self, example: Example, split: str) -> dict[str, Any]:
        """Raises BadFinalError where a row of `rl` cannot be tied to its function."""
        if self.tasks is not None:
            return self.tasks.row(example, split)
        if self.plain:
            example = replace(
                example, answers=example.answers[:1], feedback=example.feedback[:1], reasoning=example.reasoning[:1]
            )
        response = example.answers[0] if self.plain else self.template.join(example)
        texts = [example.prompt, response]
        if self.separate and not self.plain:
            texts = [example.prompt]
            for answer, feedback in zip(example.answers, example.feedback, strict=True):
                texts += [answer, feedback]
            texts.pop()  # nobody answers the last feedback
        assert self.format.row is not None
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
    functions: Path | None = None,
    tokenizer: Path | None = None,
    selection: Selection | None = None,
    overwrite: bool = False,
    on_row: Callable[[str], None] | None = None,
) -> ExportSummary:
    """Writes `folder`. `functions` is the functions file, which the format `rl` needs; `tokenizer` a tokenizer.json that long
    rows are counted with, in place of an estimate. `on_row` is told `train`, `validation`, the reason why a row is left out,
    or `rejected`.

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
    if (functions is not None) != chosen.needs_functions:
        raise UsageError(f"{to} {'needs' if chosen.needs_functions else 'does not read'} the functions file (--functions FILE)")
    template = template or JoinTemplate()
    selection = selection or Selection()
    lengths = Lengths(tokenizer)
    tasks = Tasks(functions) if functions is not None else None
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
        "tokenizer": lengths.digest,
        "functions": tasks.digest if tasks else None,
        **({"names": dict(selection.names)} if selection.names else {}),
    }
    there = place.read_manifest(folder)
    if there is not None:
        if there["key"] == key and not overwrite and place.is_whole(folder, there):
            return ExportSummary(**there["counts"], complete_already=True)
        if there["key"] != key and not overwrite:
            raise UsageError(f"{folder}: holds another export; --overwrite replaces it, or choose another name")
        place.refuse_losses(folder, there)
    choice = Choice(chosen, plain, only_right, separate_turns, template, tasks)
    with place.made_beside(folder) as making:
        summary = _write(final_path, making, choice, lengths, validation_share, selection, on_row)
        if not summary.rows:
            raise UsageError(f"{final_path}: no row to export{f'; {summary.first_reject}' if summary.rejected else ''}")
        _describe(making, choice, summary, devices)
        counts = asdict(summary)
        counts.pop("complete_already")
        place.write_manifest(making, final_path, key, counts)
        place.put_in_place(making, folder, there)
    return summary


def _digest(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for _, line in read_lines(path):
        digest.update(line + b"\n")
    return digest.hexdigest()


# -- its files ------------------------------------------------------------------------------------------------


class _Files:
    """Opened when their first row comes: a file without rows is one that some readers refuse."""

    def __init__(self, folder: Path, choice: Choice) -> None:
        self._folder, self._choice = folder, choice
        self._open: dict[str, Writer] = {}

    def write(self, split: str, example: Example, row: dict[str, Any]) -> None:
        name = f"{split}.{self._choice.format.suffix}"
        self._writer(name, self._choice.format.open).write(row)
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
    source: Path,
    folder: Path,
    choice: Choice,
    lengths: Lengths,
    share: float,
    selection: Selection,
    on_row: Callable[[str], None] | None,
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
                example = _read(line, summary, selection.names)
                word = choice.why_not(example)
                split = "validation" if is_validation(example.key, share) else "train"
                made = None if word else choice.row(example, split)
            except (BadRowError, BadFinalError) as error:
                summary.rejected += 1
                summary.first_reject = summary.first_reject or f"{source}, line {number}: {error}"
                files.reject({"file": str(source), "line": number, "reason": str(error)})
                word = "rejected"
            else:
                if made is None:
                    summary.left_out[word] = summary.left_out.get(word, 0) + 1
                else:
                    word = split
                    files.write(split, example, made)
                    summary.rows += 1
                    summary.train += split == "train"
                    summary.validation += split == "validation"
                    summary.long += lengths.is_long(made)
                    summary.repaired += example.repaired
                    functions.add(hashlib.blake2b(example.key.encode("utf-8", "surrogatepass"), digest_size=16).digest())
            if on_row is not None:
                on_row(word)
    finally:
        files.close()
    summary.functions = len(functions)
    return summary


def _read(line: bytes, summary: ExportSummary, names: Names) -> Example:
    try:
        if not line:
            raise BadRowError(OVERLONG_REASON)
        row = parse_row(line)
    except BadRowError:
        summary.unreadable += 1
        raise
    return read_example(renamed(line, row, names)[1] if names else row)


def _describe(folder: Path, choice: Choice, summary: ExportSummary, devices: int) -> None:
    """What lies beside the rows: how `datasets` finds the splits, and LLaMA-Factory its data and configs."""
    splits = [split for split in ("train", "validation") if getattr(summary, split)]
    suffix = choice.format.suffix
    # The digest, because the library's cache knows a folder by this text: without it, another export under the same name
    # would be loaded as the one before.
    files = "".join(place.file_digest(folder / f"{split}.{suffix}") for split in splits)
    rows = hashlib.blake2b(files.encode(), digest_size=16)
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
    for file, text in recipes(name, bool(summary.validation), devices, rows.hexdigest()[:8]).items():
        (folder / file).write_text(text)
