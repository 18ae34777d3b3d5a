"""The transform stage: raw code to the messages that ask a model for the unified form.

A row of the output holds `id` (the digest of the code), `messages` and `provenance`: every other field of the raw row, carried
unchanged to the last stage. Code that is empty, too long, or in the file already goes to NAME.rejects.jsonl.
"""

from typing import Annotated, Any

from pydantic import Field

from ..digests import digest_of
from ..rows.row import Result, Row
from ..rows.text import dump_line, kind_of
from ..settings import Flag, Settings, Templates
from ..stage import Stage
from ..texts import Entry, Texts, TextsFile


class TransformSettings(Settings):
    max_characters: Annotated[
        int, Field(ge=1, description="Longer code is skipped; 20,000 are about 6,000 tokens."), Flag(("--max-chars",), "N")
    ] = 20_000
    templates: Templates = None


def code_id(code: str) -> str:
    """32 hex digits over the code."""
    return digest_of(code)


class Transform(Stage[TransformSettings]):
    name = "transform"
    settings_type = TransformSettings
    texts_file = TextsFile(
        "transform.toml",
        {"system.text": Entry(may=("code",), optional=True, stripped=True), "user.text": Entry(("code",), stripped=True)},
    )
    tallies = ("reasons",)

    def note(self, row: Row) -> None:
        code = row.data.get("content")
        if isinstance(code, str):
            self.seen.note(code_id(code), row)

    def row(self, row: Row) -> Result:
        """Words: `prompt`, or why there is none: no-code, empty, too-long, repeated."""
        code: Any = row.data.get("content")
        reason, said = self._why_not(row, code)
        if reason:
            return Result(row, (reason,), reason=said, counts={"reasons": {reason: 1}})
        provenance = {name: value for name, value in row.data.items() if name != "content"}
        record = {"id": code_id(code), "messages": messages(self.texts, code), "provenance": provenance}
        return Result(row, ("prompt",), [dump_line(record)], counts={"rows": 1})

    def _why_not(self, row: Row, code: object) -> tuple[str, str]:
        """(reason, what a person is told); empty where the row gives a prompt."""
        if not isinstance(code, str):
            return "no-code", f"content: expected a string, got {kind_of(code)}, at $.content"
        first = self.seen.note(code_id(code), row)
        if not code.strip():
            return "empty", "the code is empty, at $.content"
        if len(code) > self.settings.max_characters:
            return "too-long", f"{len(code):,} characters of code, limit {self.settings.max_characters:,}, at $.content"
        if first != row.number:
            return "repeated", f"the same code as in line {first}, at $.content"
        return "", ""


def messages(texts: Texts, code: str) -> list[dict[str, str]]:
    system = texts.fill("system.text", code=code)
    first = [{"role": "system", "content": system}] if system else []
    return [*first, {"role": "user", "content": texts.fill("user.text", code=code)}]


transform = Transform.run
