"""A row on its way through a stage, and what came of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reexec.engine.quick import quick

from .names import Names, renamed
from .source import OVERLONG_REASON, Block
from .text import BadRowError, parse_row

REJECTED = "rejected"
MOST_KEPT_BYTES = 65536
"""Of a rejected row's text."""


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


_row: Callable[..., Row] = quick(Row)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a row. With a `reason` it goes to the rejects; where a part of it is usable there may be lines as well.

    Or of several rows that lie together and gave one line each, without rejects: `row.line` holds their lines, and each of
    `lines` and `side` theirs, with line ends between them."""

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
    rows: int = 1

    @property
    def size(self) -> int:
        """Bytes that it keeps in memory."""
        return len(self.row.line) + sum(map(len, self.lines)) + sum(map(len, self.side))

    @classmethod
    def rejected(cls, row: Row, reason: str) -> "Result":
        return cls(row, (REJECTED,), reason=reason)


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of the input that are at hand at the same time; see `Block`."""

    numbers: Sequence[int]
    positions: Sequence[int]
    """Of each among the lines of the whole input that are not blank, from 0."""
    lines: Sequence[bytes]

    def part(self, first: int, behind: int) -> "Lines":
        return Lines(self.numbers[first:behind], self.positions[first:behind], self.lines[first:behind])

    def each(self) -> Iterator[tuple[int, int, bytes]]:
        return zip(self.numbers, self.positions, self.lines, strict=True)


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

    def of(self, blocks: Iterable[Block], passed_over: Callable[[int, int, bytes], None] | None = None) -> Iterator["Lines"]:
        """The chosen lines of the blocks of a file. `passed_over` is told of those that belong to other shards: their number,
        their position among all, the line."""
        position = taken = 0
        for block in blocks:
            count = len(block.lines)
            lines = Lines(block.numbers, range(position, position + count), block.lines)
            position += count
            # Of a shard one by one: who is told of the others is told in the order of the file.
            parts = [lines] if self.shard is None else [lines.part(at, at + 1) for at in range(count)] or [lines]
            for part in parts:
                if self.shard is not None and part.lines and part.positions[0] % self.shard[1] != self.shard[0]:
                    if passed_over is not None:
                        passed_over(part.numbers[0], part.positions[0], part.lines[0])
                    continue
                chosen = part if self.limit is None else part.part(0, self.limit - taken)
                taken += len(chosen.lines)
                yield chosen
                if self.limit is not None and taken >= self.limit:
                    return

    def row(self, number: int, position: int, line: bytes) -> Row:
        """A line as a row, with its fault where it holds none; an empty line stands for one that is too long."""
        try:
            if not line:
                raise BadRowError(OVERLONG_REASON)
            data = parse_row(line)
        except BadRowError as error:
            return Row(number, line, {}, str(error), position)
        if not self.names:
            return _row(number, line, data, None, position, b"")
        new, data = renamed(line, data, self.names)
        return Row(number, new, data, None, position, line)


def count(counts: dict[str, Any], result: Result, source: Path) -> None:
    """Adds what came of a row to the counters of a run."""
    for name, more in result.counts.items():
        if isinstance(more, int):
            counts[name] = counts.get(name, 0) + more
        else:
            tally = counts.setdefault(name, {})
            for word, number in more.items():
                tally[word] = tally.get(word, 0) + number
    if result.reason is not None:
        counts["rejected"] = counts.get("rejected", 0) + 1
        counts["unreadable"] = counts.get("unreadable", 0) + (result.row.fault is not None)
        counts.setdefault("first_reject", f"{source}, line {result.row.number}: {result.reason}")


def reject_record(result: Result, source: Path) -> dict[str, Any]:
    """What the rejects say of a row; the text of short rows is kept with the reason."""
    line = result.row.raw or result.row.line
    record: dict[str, Any] = {"file": str(source), "line": result.row.number, "reason": result.reason, **result.more}
    if len(line) <= MOST_KEPT_BYTES:
        record["text"] = line.decode("utf-8", "replace")
    return record
