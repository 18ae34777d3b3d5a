"""Output predictions judged a block of lines at a time, here or in a process beside this one, which gives the same bytes.

Only what needs nothing but the row is done so: a row that must be executed, that is rejected, or on which the stage fails is
left to who gave the block, as is everything that hangs on other rows: repeated ids and pass rates.
"""

from array import array
from collections.abc import Sequence

from ...digests import key_of
from ...records.functions import FunctionStore
from ...records.predictions import read_prediction
from ...rows.names import Names
from ...rows.row import Row, Selection
from .judging import Judge, has_id, sample_of
from .pass_rates import prompt_and_function

WORDS = ("accepted", "wrong-answer", "no-answer")
_CODES = {word: code for code, word in enumerate(WORDS)}

Piece = tuple[int, int, bytes, bytes, bytes, bytes, bytes, list[bytes | None]]
"""Rows that lie together, as plain data:

    first       its first row's place in the block
    count       of rows
    lines       of the output, with line ends between them
    side        of the side file, the same; empty where there is none
    words       a byte each: the verdict's place in WORDS
    prompts     eight bytes each, by which the pass rates know the prompt
    functions   the same of the function
    keys        what tells the rows apart, where that is known; empty where it is of none
"""


class BlockJudge:
    def __init__(self, functions: FunctionStore, judge: Judge, names: Names) -> None:
        self._functions, self._judge, self._selection = functions, judge, Selection(names=names)

    def __call__(self, lines: Sequence[bytes]) -> list[Piece]:
        """What becomes of the rows of the block that are done here. Never raises."""
        pieces, piece = list[Piece](), _Piece(0)
        for at, line in enumerate(lines):
            try:
                is_done = bool(line) and self._add(piece, self._selection.row(0, 0, line))
            except Exception:
                is_done = False  # who gave the block comes to the same, and says so
            if not is_done:
                pieces += piece.made()
                piece = _Piece(at + 1)
        return [*pieces, *piece.made()]

    def _add(self, piece: "_Piece", row: Row) -> bool:
        if row.fault is not None:
            return False
        data = row.data
        prediction = read_prediction(data, self._functions)
        if prediction.io_pred != "o":
            return False
        new_id = "" if has_id(data) else prediction.id  # unless an earlier row has it, which is for others to see
        read = self._judge.read(row, prediction, new_id)
        if read.verdict is None:
            return False
        judged = self._judge.judged(row, read, read.verdict)
        key = sample_of(new_id or data["id"], data)
        digest = None if key is None else key_of(key)
        prompt, function = prompt_and_function(data, judged.function_id, judged.pair_id, new_id)
        piece.lines.append(judged.line)
        piece.side += judged.side
        piece.words.append(_CODES[judged.word])
        piece.prompts.append(prompt)
        piece.functions.append(function)
        piece.keys.append(digest)
        return True


class _Piece:
    __slots__ = ("first", "functions", "keys", "lines", "prompts", "side", "words")

    def __init__(self, first: int) -> None:
        self.first = first
        self.lines, self.side, self.words = list[bytes](), list[bytes](), bytearray()
        self.prompts, self.functions = array("Q"), array("Q")
        self.keys = list[bytes | None]()

    def made(self) -> list[Piece]:
        count = len(self.lines)
        if not count:
            return []
        lines, side = b"\n".join(self.lines), b"\n".join(self.side)
        keys = self.keys if any(self.keys) else []
        numbers = self.prompts.tobytes(), self.functions.tobytes()
        return [(self.first, count, lines, side, bytes(self.words), *numbers, keys)]


def numbers_of(packed: bytes) -> "array[int]":
    return array("Q", packed)
