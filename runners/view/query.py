"""What a reader asks for: which rows, in which order, which page. It comes from the address and goes back into it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlencode

PAGE_ROWS = 50
MOST_CHARACTERS = 500
MOST_PAGES = 10**9
SORTS = {
    "": ("as in the run", "n"),
    "time": ("most CPU time first", "cpu_s desc nulls last, n"),
    "memory": ("most memory first", "peak desc nulls last, n"),
    "function": ("by function", "label, n"),
    "verdict": ("by verdict", "verdict, n"),
    "last": ("last first", "n desc"),
}


@dataclass(frozen=True, slots=True)
class Filters:
    """Empty fields choose nothing. All are texts of a reader, and go to DuckDB as parameters only."""

    stage: str = ""
    verdict: str = ""
    direction: str = ""
    function: str = ""
    """A part of what a function is called, or its id."""
    reason: str = ""
    """How the reason begins for which a row was left out."""
    text: str = ""
    """Words of the row (see `words.holds`)."""
    sort: str = ""

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "Filters":
        """From an address; what makes no sense there counts as empty."""
        texts = {
            name: given.get(name, "")[:MOST_CHARACTERS].strip()
            for name in ("stage", "verdict", "direction", "function", "reason", "text", "sort")
        }
        if texts["sort"] not in SORTS:
            texts["sort"] = ""
        return cls(**texts)

    def address(self, **more: Any) -> str:
        """As the part of an address behind the question mark."""
        said = {**asdict(self), **more}
        return urlencode({name: value for name, value in said.items() if value}, errors="replace")

    def without(self, name: str) -> "Filters":
        return replace(self, **{name: ""})

    def where(self) -> tuple[str, list[str]]:
        """A condition over the tables `rows` and `functions`, and its parameters; not of `text`."""
        parts: list[str] = []
        values: list[str] = []
        for name in ("stage", "verdict", "direction"):
            if value := getattr(self, name):
                parts.append(f"{name} = ?")
                values.append(value)
        if self.function:
            parts.append("(contains(lower(label), lower(?)) or functions.id = ?)")
            values += [self.function] * 2
        if self.reason:
            parts.append("starts_with(reason, ?)")
            values.append(self.reason)
        return " and ".join(parts) or "true", [value.encode("utf-8", "replace").decode() for value in values]


def number_in(text: str, most: int) -> int:
    """A number from 0 to `most`, out of an address; 0 for anything else."""
    return min(int(text), most) if text.isascii() and text.isdigit() and len(text) < 16 else 0
