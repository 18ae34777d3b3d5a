"""Template files: the texts of a stage's prompts, ours or those of a folder that replaces them file by file."""

import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError

from .digests import digest_of

_TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True, slots=True)
class Entry:
    """What a text may hold: placeholders that must stand in it, and others that may."""

    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    optional: bool = False
    """The entry may be missing; it is the empty text then."""
    stripped: bool = False
    """Blanks around the text are no part of it."""


@dataclass(frozen=True, slots=True)
class TextsFile:
    """A template file and what must be in it, by `section.name`."""

    file: str
    entries: Mapping[str, Entry]

    def load(self, folder: Path | None = None) -> "Texts":
        """Ours, or that of `folder` where it has one. Raises UsageError."""
        return Texts(self.file, self.entries, folder)


class Texts:
    """The texts of one template file by `section.name`. Raises UsageError, with the path, where one is missing or holds
    what it must not."""

    def __init__(self, file: str, entries: Mapping[str, Entry], folder: Path | None = None) -> None:
        if folder is not None and not folder.is_dir():
            raise UsageError(f"{folder}: not a folder of templates")
        known = sorted(each.name for each in _TEMPLATES.glob("*.toml"))
        if folder is not None and not any((folder / name).exists() for name in known):
            raise UsageError(f"{folder}: holds no template; the files that can be replaced are {', '.join(known)}")
        own = (folder / file) if folder else None
        self.path = own if own is not None and own.exists() else _TEMPLATES / file
        try:
            source = self.path.read_text(encoding="utf-8")
            tables = tomllib.loads(source)
        except (OSError, ValueError) as error:
            raise UsageError(f"{self.path}: cannot be read as TOML ({error})") from None
        self.digest = digest_of(source)
        self._fields: dict[str, frozenset[str]] = {}
        self._texts = {name: self._checked(tables, name, entry) for name, entry in entries.items()}

    def _checked(self, tables: dict[str, Any], name: str, entry: Entry) -> str:
        section, _, key = name.partition(".")
        table = tables.get(section, {})
        text = table.get(key) if isinstance(table, dict) else None
        if text is None and entry.optional:
            return ""
        if not isinstance(text, str):
            raise UsageError(f"{self.path}: expected a string, at $.{name}")
        try:
            parts = [(field, form or "") for _, field, form, _ in string.Formatter().parse(text) if field is not None]
        except ValueError as error:
            raise UsageError(f"{self.path}: {error}, at $.{name}") from None
        found = {field for field, _ in parts}
        if any("{" in form for _, form in parts):  # placeholders within placeholders
            found |= {inner for _, form in parts for _, inner, _, _ in string.Formatter().parse(form) if inner is not None}
        self._fields[name] = frozenset(found)
        unknown = sorted(found - {*entry.needs, *entry.may})
        if unknown:
            raise UsageError(f"{self.path}: {{{unknown[0]}}} is not a placeholder, at $.{name}")
        lacking = [field for field in entry.needs if field not in found]
        if lacking and not (entry.optional and not text):
            raise UsageError(f"{self.path}: the placeholder {{{lacking[0]}}} is missing, at $.{name}")
        return text.strip() if entry.stripped else text

    def fill(self, name: str, **values: str) -> str:
        return self._texts[name].format(**values)

    def fields(self, name: str) -> frozenset[str]:
        """The placeholders that the text has: `fill` needs no others."""
        return self._fields.get(name, frozenset())

    def is_empty(self, name: str) -> bool:
        return not self._texts[name].strip()
