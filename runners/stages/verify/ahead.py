"""When output predictions are judged block by block, when readers help with it, and what becomes of their answers."""

import mmap
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...readers.pool import Readers
from ...records.functions import FunctionStore
from ...rows.names import Names
from ...rows.row import Lines, Result, Row
from ...rows.run import StageRun
from .blocks import BlockJudge, Piece
from .judging import Judge, JudgingTerms

ENOUGH_ROWS = 256
"""After so many rows without one that had to be executed, the next ones are taken to be of this kind."""
START_BYTES = 16 << 20
"""Of input for each reader: to start one costs what this process needs for a third of that."""
MOST_READERS = 7
"""What one process can hand blocks to."""


@dataclass(frozen=True, slots=True)
class ReaderTerms:
    """What a reader makes its judge of; numbers are descriptors that it has."""

    functions: Path
    functions_file: int
    functions_index: int
    judging: JudgingTerms
    names: Names


def judge_of(terms: ReaderTerms) -> BlockJudge:
    """In a reader."""
    index = memoryview(mmap.mmap(terms.functions_index, 0, prot=mmap.PROT_READ))
    functions = FunctionStore.of_shared(terms.functions, terms.functions_file, index)
    return BlockJudge(functions, Judge(terms.judging), terms.names)


class Ahead:
    """The rows of a run on their way to be prepared, and among them results of many rows, where nothing has to be executed."""

    def __init__(
        self,
        run: StageRun,
        functions: FunctionStore,
        terms: JudgingTerms,
        judge: Judge,
        processes: int,
        result: Callable[[Lines, Piece], Result | None],
    ) -> None:
        """`processes`: how many may read, this one among them. `result` is asked for what becomes of rows that were judged
        together, in their order; where it gives None they come one by one."""
        self._run, self._result = run, result
        self._most = min(processes - 1, MOST_READERS)
        self._index = os.memfd_create("reexec-functions", os.MFD_CLOEXEC)
        self._functions = functions
        file, _ = functions.shared
        terms_there = ReaderTerms(functions.path, file, self._index, terms, run.selection.names)
        work = BlockJudge(functions, judge, run.selection.names)
        self._readers = Readers(work, f"{__name__}:{judge_of.__name__}", terms_there, (file, self._index))
        self._started = 0
        self._plain = 0

    def close(self) -> None:
        self._readers.close()
        os.close(self._index)

    @property
    def done_beside(self) -> int:
        """Rows that readers have judged."""
        return self._readers.done_beside

    def prepared(self, is_executed: bool) -> None:
        """A row came one by one, and this is known of it."""
        self._plain = 0 if is_executed else self._plain + 1

    def rows(self) -> Iterator[Row | Result]:
        for block in self._run.blocks():
            if block.lines and self._plain >= ENOUGH_ROWS:
                self._start()
                for lines, pieces in self._readers.put(block):
                    yield from self._of(lines, pieces)
            else:
                for lines, pieces in self._readers.finish():
                    yield from self._of(lines, pieces)
                yield from self._run.rows_of(block)
        for lines, pieces in self._readers.finish():
            yield from self._of(lines, pieces)

    def _of(self, block: Lines, pieces: list[Piece]) -> Iterator[Row | Result]:
        at = 0
        for piece in pieces:
            first, behind = piece[0], piece[0] + piece[1]
            yield from self._run.rows_of(block.part(at, first))
            part = block.part(first, behind)
            result = self._result(part, piece)
            if result is None:
                yield from self._run.rows_of(part)
            else:
                self._plain += piece[1]
                yield result
            at = behind
        yield from self._run.rows_of(block.part(at, len(block.lines)))

    def _start(self) -> None:
        """Starts readers where what is left is worth it. Where nobody knows how much that is, as much as there was."""
        left = self._run.bytes_left()
        wanted = min(self._most, (self._run.bytes_passed if left is None else left) // START_BYTES)
        if wanted <= self._started:
            return
        if not self._started:
            os.write(self._index, self._functions.shared[1])
        self._readers.start(wanted - self._started)
        self._started = wanted
