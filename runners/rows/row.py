"""A row on its way through a stage, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .names import Names

REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the input. Where `fault` is set it cannot be used; it still has its place in the order of writing."""

    number: int
    line: bytes
    data: dict[str, Any]
    fault: str | None = None
    position: int = 0
    """Its place among the lines of the whole input that are not blank, from 0."""
    raw: bytes = b""
    """The line as the file has it, where names of the user's own made another one of it."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a row. With a `reason` it goes to the rejects; where a part of it is usable there may be lines as well."""

    row: Row
    words: Sequence[str]
    """What whoever shows the progress is told."""
    lines: Sequence[bytes] = ()
    """For the output."""
    side: Sequence[bytes] = ()
    """For the side file."""
    reason: str | None = None
    """Why and where the row is not usable."""
    counts: Mapping[str, int | Mapping[str, int]] = field(default_factory=dict)
    """What is added to the counters, and by word to the tallies."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Further members of the reject's record."""

    @classmethod
    def rejected(cls, row: Row, reason: str) -> "Result":
        return cls(row, (REJECTED,), reason=reason)


@dataclass(slots=True)
class Selection:
    """Which lines of the input belong to this run: `limit` of them, or shard `index` of `count`."""

    limit: int | None = None
    shard: tuple[int, int] | None = None
    names: Names = ()
    """Fields of the input that go by names of the user's own: (ours, theirs)."""

    @property
    def partial(self) -> bool:
        return self.limit is not None or self.shard is not None

    def takes(self, position: int) -> bool:
        return self.shard is None or position % self.shard[1] == self.shard[0]
