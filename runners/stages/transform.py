"""The transform stage: raw code to the messages that ask a model for the unified form.

A row of the output holds `id` (the digest of the code), `messages` and `provenance`: every other field of the raw row, carried
unchanged to the last stage. Code that is empty, too long, or in the file already goes to NAME.rejects.jsonl.
"""

import contextlib
import hashlib
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError

from ..rows.run import Row, Selection, StageRun
from ..rows.text import BadRowError, dump, kind_of, parse_row

MAX_CHARACTERS = 20_000
"""Of code, by default: about 6,000 tokens."""
_TEMPLATES = Path(__file__).parents[1] / "templates"


@dataclass(slots=True)
class TransformSummary:
    rows: int = 0
    rejected: int = 0
    first_reject: str = ""
    unreadable: int = 0
    resumed_rows: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    """Rows without a prompt, by reason: no-code, empty, too-long, repeated."""


class TransformTemplate:
    """The texts of transform.toml, ours or that of a folder. Raises UsageError where one is missing or has an unknown
    placeholder."""

    def __init__(self, folder: Path | None = None) -> None:
        if folder is not None and not folder.is_dir():
            raise UsageError(f"{folder}: not a folder of templates")
        own = (folder / "transform.toml") if folder else None
        self.path = own if own is not None and own.exists() else _TEMPLATES / "transform.toml"
        try:
            source = self.path.read_text(encoding="utf-8")
            texts = tomllib.loads(source)
        except (OSError, ValueError) as error:
            raise UsageError(f"{self.path}: cannot be read as TOML ({error})") from None
        self.digest = hashlib.blake2b(source.encode(), digest_size=16).hexdigest()
        self._system = self._text(texts, "system", needs_code=False)
        self._user = self._text(texts, "user", needs_code=True)

    def _text(self, texts: dict[str, Any], role: str, *, needs_code: bool) -> str:
        where = f"at $.{role}.text"
        table = texts.get(role, {})
        text = table.get("text", "") if isinstance(table, dict) else None
        if not isinstance(text, str):
            raise UsageError(f"{self.path}: a text is wanted, {where}")
        try:
            filled = text.format(code="\0")
        except KeyError as error:
            raise UsageError(f"{self.path}: {error} is not a placeholder, {where}") from None
        except (ValueError, IndexError, AttributeError, TypeError) as error:
            raise UsageError(f"{self.path}: {error}, {where}") from None
        if needs_code and "\0" not in filled:
            raise UsageError(f"{self.path}: the placeholder {{code}} is missing, {where}")
        return text.strip()

    def messages(self, code: str) -> list[dict[str, str]]:
        system = self._system.format(code=code)
        first = [{"role": "system", "content": system}] if system else []
        return [*first, {"role": "user", "content": self._user.format(code=code)}]


def code_id(code: str) -> str:
    """32 hex digits over the code."""
    return hashlib.blake2b(code.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def transform(
    raw_path: Path,
    output_path: Path,
    *,
    template: TransformTemplate | None = None,
    max_characters: int = MAX_CHARACTERS,
    selection: Selection | None = None,
    overwrite: bool = False,
    on_row: Callable[[str], None] | None = None,
    on_resume: Callable[[int], None] | None = None,
) -> TransformSummary:
    """Writes a prompt for every row of code. `on_row` is told `prompt`, a reason, or `rejected` (a row that is no object).

    Raises UsageError where nothing could be read or written.
    """
    template = template or TransformTemplate()
    seen = _Seen()
    run = StageRun(
        "transform",
        raw_path,
        output_path,
        key={"templates": template.digest, "max characters": max_characters},
        facts={"template": str(template.path)},
        selection=selection,
        overwrite=overwrite,
        on_consumed=seen.note,
    )
    counts = run.progress.counts
    counts.setdefault("rejected", 0)
    counts.setdefault("rows", 0)
    reasons: dict[str, int] = counts.setdefault("reasons", {})
    if on_resume is not None and run.resumed_lines:
        on_resume(run.resumed_lines)
    run.open()
    state = "interrupted"
    try:
        for row in run.rows():
            reason, said = ("rejected", row.fault) if row.fault else _why_not(row, seen, max_characters)
            run.begin()
            if reason:
                if not row.fault:
                    reasons[reason] = reasons.get(reason, 0) + 1
                run.reject(row, said or "")
            else:
                counts["rows"] += 1
                run.write(row, [_line(row, template)])
            if on_row is not None:
                on_row(reason or "prompt")
        state = "done"
    finally:
        run.close(state)
    if run.fault is not None:
        raise run.fault
    return TransformSummary(
        rows=counts["rows"],
        rejected=counts["rejected"],
        first_reject=counts.get("first_reject", ""),
        unreadable=counts.get("unreadable", 0),
        resumed_rows=run.resumed_lines,
        reasons=dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
    )


class _Seen:
    """Ids of the code so far, with the line where each came first: 100 bytes a row."""

    def __init__(self) -> None:
        self._first: dict[bytes, int] = {}

    def first_line(self, code: str, number: int) -> int:
        return self._first.setdefault(bytes.fromhex(code_id(code)), number)

    def note(self, number: int, line: bytes) -> None:
        """A line that an earlier run has done."""
        with contextlib.suppress(BadRowError):
            code = parse_row(line).get("content")
            if isinstance(code, str):
                self.first_line(code, number)


def _why_not(row: Row, seen: _Seen, max_characters: int) -> tuple[str, str]:
    """(reason, what a person is told); empty where the row gives a prompt."""
    code = row.data.get("content")
    if not isinstance(code, str):
        return "no-code", f"content must be a text, not {kind_of(code)}, at $.content"
    first = seen.first_line(code, row.number)
    if not code.strip():
        return "empty", "the code is empty, at $.content"
    if len(code) > max_characters:
        return "too-long", f"{len(code):,} characters of code, limit {max_characters:,}, at $.content"
    if first != row.number:
        return "repeated", f"the same code as in line {first}, at $.content"
    return "", ""


def _line(row: Row, template: TransformTemplate) -> bytes:
    code = row.data["content"]
    provenance = {name: value for name, value in row.data.items() if name != "content"}
    record = {"id": code_id(code), "messages": template.messages(code), "provenance": provenance}
    return dump(record).encode("ascii")
