"""The export stage as a run: a folder that appears when it is whole (see folder.py).

A run that is killed leaves nothing under the wanted name, and the next one begins anew (an export is minutes, not days). A
folder with the same manifest key stays as it is. Nothing but the files of an earlier export is ever replaced, and only with
`overwrite`.
"""

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator

from reexec.engine.errors import UsageError
from reexec.engine.version import VERSION
from reexec.policies.faults import unknown

from ...digests import digest_of, digest_of_file, empty_digest, key_of
from ...execution import one_result
from ...rows.row import Result, Row, Selection, count, reject_record
from ...rows.source import read_blocks, read_lines
from ...settings import Flag, Located, Settings, Templates
from ...stage import Progress, Silent, Stage, Summary
from ...texts import Texts
from . import folder as place
from .formats import FORMATS, JsonLines, Writer, origin_row
from .lengths import Lengths
from .recipe import check_devices, recipes
from .rl import Tasks
from .rows import JOINED, Example, joined, read_example
from .split import is_validation


class ExportSettings(Settings):
    to: Annotated[str, Field(description=f"{', '.join(FORMATS)}."), Flag(metavar="FORMAT")]
    plain: Annotated[
        bool, Field(description="First turns alone (CodeI/O), or all turns (CodeI/O++)."), Flag(("--plain/--plus",))
    ] = False
    only_right: Annotated[bool, Field(description="With --plain: no wrong first turns.")] = False
    separate_turns: Annotated[bool, Field(description="Turns as messages, not joined into one response.")] = False
    validation_share: Annotated[
        float, Field(ge=0, lt=1, description="Of all functions, for validation."), Flag(metavar="X")
    ] = 0.02
    devices: Annotated[int, Field(description="That the training configs share a batch out among."), Flag(metavar="N")] = 8
    templates: Templates = None
    functions: Annotated[
        Path | None,
        Field(description="For `rl`: the functions file that the rows are about."),
        Flag(("--functions", "-f"), "FILE", decides=False, by_pipeline=True),
    ] = None
    tokenizer: Annotated[
        Located | None,
        Field(description="A tokenizer.json to count long rows with. [default: an estimate]"),
        Flag(metavar="FILE", decides=False),
    ] = None

    @field_validator("to")
    @classmethod
    def _is_known(cls, to: str) -> str:
        if to not in FORMATS:
            raise ValueError(unknown(to, list(FORMATS), "format"))
        return to

    @field_validator("only_right")
    @classmethod
    def _is_of_the_plain_form(cls, only_right: bool, info: ValidationInfo) -> bool:
        if only_right and not info.data.get("plain"):
            raise ValueError("wrong first turns are only left out of the plain form")
        return only_right

    @field_validator("separate_turns")
    @classmethod
    def _may_be_separate(cls, separate: bool, info: ValidationInfo) -> bool:
        to = info.data.get("to")
        if separate and to is not None and not FORMATS[to].may_separate:
            raise ValueError(f"{to} has one response a row: turns cannot be separate")
        return separate

    @field_validator("devices")
    @classmethod
    def _share_a_batch(cls, devices: int) -> int:
        check_devices(devices)
        return devices


@dataclass(frozen=True, slots=True)
class _Made:
    """A row of the export, or why there is none."""

    example: Example
    split: str
    row: dict[str, Any]
    why_not: str = ""


class Export(Stage[ExportSettings]):
    """Counts rows for `train` and `validation`, their `functions`, rows that the choice of turns leaves out (`left_out`:
    failed; for `rl` also repeated), those of more tokens than a training config reads (`long`; written all the same), and
    those with half characters, which no reader takes and which are replaced (`repaired`)."""

    name = "export"
    reads = (
        *("prompt", "system", "messages", "turn_N", "feedback_N", "reasoning", "verdicts"),
        *("id", "index", "function_id", "pair_id", "io_pred", "provenance"),
    )
    settings_type = ExportSettings
    texts_file = JOINED
    numbers = ("train", "validation", "functions", "long", "repaired")
    tallies = ("left_out",)

    def open(self, stack: ExitStack, executor: object) -> None:
        settings = self.settings
        self._format = FORMATS[settings.to]
        if (settings.functions is not None) != self._format.needs_functions:
            says = "needs" if self._format.needs_functions else "does not read"
            raise UsageError(f"{settings.to} {says} the functions file (--functions FILE)")
        self._lengths = Lengths(settings.tokenizer)
        self._tasks = Tasks(settings.functions) if settings.functions is not None else None
        self._functions: set[bytes] = set()

    def key(self) -> dict[str, Any]:
        return {
            "devices": self.settings.devices if self._format.dataset_info else None,
            "templates": self.texts.digest,
            "tokenizer": self._lengths.digest,
            "functions": self._tasks.digest if self._tasks else None,
        }

    @classmethod
    def run(
        cls,
        source: Path,
        output: Path,
        settings: ExportSettings | None = None,
        executor: object = None,
        *,
        selection: Selection | None = None,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> Summary:
        """Writes the folder `output`. Raises UsageError where nothing could be read or written, or the folder holds something
        else."""
        if settings is None:
            raise UsageError("an export needs settings: which format?")
        selection = selection or Selection()
        cls.check_names(source, selection, progress or Silent())
        stage = cls(source, output, settings)
        with ExitStack() as stack:
            stage.open(stack, executor)
            key = {
                "engine": VERSION,
                "limit": selection.limit,
                "shard": list(selection.shard) if selection.shard else None,
                "input": _digest_of_lines(source),
                **({"names": dict(selection.names)} if selection.names else {}),
                **settings.decides(),
                **stage.key(),
            }
            there = place.read_manifest(output)
            if there is not None:
                if there["key"] == key and not overwrite and place.is_whole(output, there):
                    return stage.summary(there["counts"], there["counts"]["read"], left_alone=True)
                if there["key"] != key and not overwrite:
                    raise UsageError(f"{output}: holds another export; --overwrite replaces it, or choose another name")
                place.refuse_losses(output, there)
            with place.made_beside(output) as making:
                counts = stage._write(making, selection, progress or Silent())
                if not counts["rows"]:
                    said = f"; {counts['first_reject']}" if counts.get("rejected") else ""
                    raise UsageError(f"{source}: no row to export{said}")
                stage._describe(making, counts)
                place.write_manifest(making, source, key, counts)
                place.put_in_place(making, output, there)
        return stage.summary(counts, counts["read"])

    def _make(self, row: Row) -> _Made:
        example = read_example(row.data, needs_answer=self._tasks is None)
        split = "validation" if is_validation(example.key, self.settings.validation_share) else "train"
        if self._tasks is not None:
            if self._tasks.is_repeated(example):
                return _Made(example, split, {}, "repeated")
            return _Made(example, split, self._tasks.row(example, split))
        if self.settings.plain and self.settings.only_right and not example.right_at_once:
            return _Made(example, split, {}, "failed")
        assert self._format.row is not None
        return _Made(example, split, self._format.row(*chosen(example, self.settings, self.texts)))

    def _write(self, folder: Path, selection: Selection, progress: Progress) -> dict[str, Any]:
        counts = self.empty_counts() | {"read": 0}
        files = _Files(folder, self.settings.to)
        try:
            blocks = selection.of(read_blocks(self.source))
            for number, position, line in chain.from_iterable(block.each() for block in blocks):
                row = selection.row(number, position, line)
                made = one_result(row, self._make, row)
                result = made if isinstance(made, Result) else self._put(row, made, files)
                if result.reason is not None:
                    files.reject(reject_record(result, self.source))
                count(counts, result, self.source)
                counts["read"] += 1
                for word in result.words:
                    progress.tell(word)
        finally:
            files.close()
        return counts | {"functions": len(self._functions)}

    def _put(self, row: Row, made: _Made, files: "_Files") -> Result:
        if made.why_not:
            return Result(row, (made.why_not,), counts={"left_out": {made.why_not: 1}})
        files.write(made.split, made.example, made.row)
        self._functions.add(key_of(made.example.key))
        marks = {"long": int(self._lengths.is_long(made.row)), "repaired": int(made.example.repaired)}
        return Result(row, (made.split,), counts={"rows": 1, made.split: 1, **marks})

    def _describe(self, folder: Path, counts: dict[str, Any]) -> None:
        """What lies beside the rows: how `datasets` finds the splits, and LLaMA-Factory its data and configs."""
        splits = [split for split in ("train", "validation") if counts[split]]
        suffix = self._format.suffix
        # The digest, because the library's cache knows a folder by this text: without it, another export under the same name
        # would be loaded as the one before.
        rows = digest_of("".join(digest_of_file(folder / f"{split}.{suffix}") for split in splits))
        card = ["---", "configs:", "- config_name: default", f'  description: "rows {rows}"', "  data_files:"]
        for split in splits:
            card += [f"  - split: {split}", f"    path: {split}.{suffix}"]
        made = "Input and output predictions of programs, checked by executing them. Made by `reexec export`."
        (folder / "README.md").write_text("\n".join([*card, "---", "", made, ""]))
        if self._format.dataset_info is None:
            return
        name = "codeio" if self.settings.plain else "codeio_plus"
        info = {f"{name}_{split}": {"file_name": f"{split}.{suffix}", **self._format.dataset_info} for split in splits}
        (folder / "dataset_info.json").write_text(json.dumps(info, indent=2) + "\n")
        for file, text in recipes(name, bool(counts["validation"]), self.settings.devices, rows[:8]).items():
            (folder / file).write_text(text)


def chosen(example: Example, settings: ExportSettings, texts: Texts) -> tuple[Example, str, list[str]]:
    """(example, response, the conversation as user and assistant texts in turn): what of a row is trained on."""
    before = [text for exchange in example.history for text in exchange]
    if settings.plain:
        first = replace(example, answers=example.answers[:1], feedback=example.feedback[:1], reasoning=example.reasoning[:1])
        return first, example.answers[0], [*before, example.prompt, example.answers[0]]
    response = joined(texts, example)
    if not settings.separate_turns:
        return example, response, [*before, example.prompt, response]
    talk = [*before, example.prompt]
    for answer, feedback in zip(example.answers, example.feedback, strict=True):
        talk += [answer, feedback]
    return example, response, talk[:-1]  # nobody answers the last feedback


def _digest_of_lines(path: Path) -> str:
    digest = empty_digest()
    for _, line in read_lines(path):
        digest.update(line + b"\n")
    return digest.hexdigest()


class _Files:
    """Opened when their first row comes: a file without rows is one that some readers refuse."""

    def __init__(self, folder: Path, to: str) -> None:
        self._folder, self._format = folder, FORMATS[to]
        self._open: dict[str, Writer] = {}

    def write(self, split: str, example: Example, row: dict[str, Any]) -> None:
        self._writer(f"{split}.{self._format.suffix}", self._format.open).write(row)
        if self._format.name == "openai-messages":
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


export = Export.run
