"""A later turn's verified file: its rows found by their id.

Held in memory are eight bytes of each id's digest and eight of the row's place, sorted, and a byte that says whether a
conversation took the row: 30 MB for the 1.8 million failures of CodeI/O's first turn. Rows are read when needed and
their whole id compared, so that a collision costs a read and nothing else.
"""

import weakref
from array import array
from pathlib import Path
from typing import Any

import numpy as np

from reexec.engine.errors import UsageError

from ...digests import empty_digest, number_of
from ...records.turns import Turn, read_turn
from ...rows.source import MAX_LINE_BYTES, open_seekable
from ...rows.text import BadRowError, parse_row


class LaterTurn:
    """Raises UsageError where the file cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open_seekable(path)
        weakref.finalize(self, self._file.close)
        keys, offsets = array("Q"), array("Q")
        digest = empty_digest()
        self.unusable = 0
        """Lines without a verified row."""
        self.first_fault = ""
        offset = number = 0
        while line := self._file.readline(MAX_LINE_BYTES + 1):
            start, whole = offset, True
            number += 1
            while True:
                offset += len(line)
                digest.update(line)
                if line.endswith(b"\n") or len(line) <= MAX_LINE_BYTES:
                    break
                whole, line = False, self._file.readline(MAX_LINE_BYTES + 1)
            if whole and not line.strip():
                continue
            try:
                if not whole:
                    raise BadRowError(f"a line of more than {MAX_LINE_BYTES >> 20} MiB")
                keys.append(number_of(read_turn(parse_row(line)).id))
            except BadRowError as error:
                self.unusable += 1
                self.first_fault = self.first_fault or f"{path}, line {number}: {error}"
            else:
                offsets.append(start)
        self.digest = digest.hexdigest()
        order = np.argsort(np.array(keys, np.uint64), kind="stable")
        self._keys = np.array(keys, np.uint64)[order]
        self._offsets = np.array(offsets, np.uint64)[order]
        self._taken = np.zeros(len(self._keys), bool)

    def find(self, row_id: str) -> list[tuple[dict[str, Any], Turn]]:
        """The rows with this id, in the order of the file: one, or the samples of one prompt."""
        key = np.uint64(number_of(row_id))
        found = []
        for place in range(int(np.searchsorted(self._keys, key)), len(self._keys)):
            if self._keys[place] != key:
                break
            self._file.seek(int(self._offsets[place]))
            try:
                row = parse_row(self._file.readline())
                turn = read_turn(row)
            except BadRowError:
                raise UsageError(f"{self.path}: has changed while it was read") from None
            if turn.id == row_id:
                self._taken[place] = True
                found.append((row, turn))
        return found

    @property
    def unmatched(self) -> int:
        """Rows that no conversation has asked for so far."""
        return len(self._taken) - int(self._taken.sum())
