"""The list of mutants: plausible bugs as data, each with the test that must fail where somebody makes it.

A file `AREA.toml` holds `[[mutant]]` tables: `file`, `text` (occurs there exactly once), `replacement`, `test` (a pytest id, or
several separated by spaces).
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]


@dataclass(frozen=True)
class Mutant:
    area: str
    number: int
    """Its place in the file of its area, from 1."""
    file: str
    text: str
    replacement: str
    test: str

    @property
    def name(self) -> str:
        return f"{self.area}-{self.number}"

    def apply(self, source: str) -> str:
        """The mutated source. Raises ValueError where the text is not there exactly once."""
        count = source.count(self.text)
        if count != 1:
            raise ValueError(f"{self.name}: its text occurs {count} times in {self.file}: {self.text!r}")
        return source.replace(self.text, self.replacement)


def load() -> list[Mutant]:
    mutants = []
    for path in sorted(FOLDER.glob("*.toml")):
        rows = tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]
        for number, row in enumerate(rows, 1):
            unknown = set(row) - {"file", "text", "replacement", "test"}
            if unknown:
                raise ValueError(f"{path.name}, mutant {number}: unknown keys {sorted(unknown)}")
            mutants.append(Mutant(path.stem, number, row["file"], row["text"], row["replacement"], row["test"]))
    return mutants
