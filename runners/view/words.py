"""Which rows hold a word: an inverted index in segments of some ten thousand rows. A segment has its words as one text, and for
each word the rows that hold it as 16-bit numbers. A search looks for its words in that text, which is a hundredth of what the
rows hold, so that common words cost no more than rare ones (decision 0111).
"""

import os
import re
from array import array
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

SEGMENT_ROWS = 32_768
SEGMENT_PAIRS = 1_000_000
WHOLE_CHARACTERS = 2
"""Words of up to so many characters are searched as whole words, longer ones as parts of words, too."""
_FEW = 64
_WORD = re.compile(r"\w+")

Bits = npt.NDArray[np.bool_]


def words_of(text: str) -> set[str]:
    """The words that a text is searched by: letters, digits and _ in a row, without case."""
    return set(_WORD.findall(text.casefold()))


def holds(text: str, search: str) -> bool:
    """What a search means: every word of it is a part of some word of the text, or, where it is short, one of them."""
    own = words_of(text)
    return all(
        word in own if len(word) <= WHOLE_CHARACTERS else any(word in other for other in own) for word in words_of(search)
    )


@dataclass(frozen=True, slots=True)
class Segment:
    first: int
    """The number of its first row."""
    rows: int
    offset: int
    """Where it begins in the file, in bytes."""
    text_bytes: int
    words: int
    pairs: int


class Writer:
    """Takes the rows' texts in order. `segments` are those that are on disk."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "wb")  # noqa: SIM115 - closed by close()
        self.segments: list[Segment] = []
        self._first = 0
        self._begin()

    def _begin(self) -> None:
        self._numbers: defaultdict[str, int] = defaultdict()
        self._numbers.default_factory = self._numbers.__len__
        self._pairs = array("I")
        self._counts = array("I")

    def add(self, text: str) -> None:
        found = words_of(text)
        self._pairs.extend(map(self._numbers.__getitem__, found))
        self._counts.append(len(found))
        if len(self._counts) >= SEGMENT_ROWS or len(self._pairs) >= SEGMENT_PAIRS:
            self._flush()

    def _flush(self) -> None:
        if not self._counts:
            return
        pairs = np.frombuffer(self._pairs, np.uint32)
        rows = np.repeat(np.arange(len(self._counts), dtype=np.uint16), np.frombuffer(self._counts, np.uint32))
        order = np.argsort(pairs, kind="stable")
        ends = np.zeros(len(self._numbers) + 1, np.uint32)
        np.cumsum(np.bincount(pairs, minlength=len(self._numbers)), out=ends[1:])
        spelled = [word.encode("utf-8", "surrogatepass") for word in self._numbers]
        starts = np.ones(len(spelled), np.uint32)  # a newline stands before the first
        starts[1:] += np.cumsum([len(word) + 1 for word in spelled[:-1]], dtype=np.uint32)
        text = b"\n" + b"\n".join(spelled) + b"\n"
        self.segments.append(
            Segment(self._first, len(self._counts), self._file.tell(), len(text), len(spelled), len(self._pairs))
        )
        for part in (text, starts.tobytes(), ends.tobytes(), rows[order].tobytes()):
            self._file.write(part)
        self._first += len(self._counts)
        del pairs
        self._numbers.default_factory = None  # or the two keep each other in memory
        self._begin()

    def close(self) -> None:
        self._flush()
        self._file.close()


class Words:
    """The index as it is read. Its methods may be called by several threads."""

    def __init__(self, path: Path, segments: list[Segment]) -> None:
        self._file = os.open(path, os.O_RDONLY)
        self._segments = segments
        self._rows = sum(segment.rows for segment in segments)

    def find(self, search: str) -> Bits:
        """For each row whether it holds all words of the search (see `holds`)."""
        found = np.ones(self._rows, np.bool_)
        wanted = sorted(words_of(search), key=lambda word: (-len(word), word))
        for segment in self._segments if wanted else ():
            part = found[segment.first : segment.first + segment.rows]
            text = self._read(segment.offset, segment.text_bytes, np.uint8).tobytes()
            for word in wanted:
                part &= self._rows_of(segment, text, word)
                if not part.any():
                    break
        return found

    def _rows_of(self, segment: Segment, text: bytes, word: str) -> Bits:
        rows = np.zeros(segment.rows, np.bool_)
        spelled = re.escape(word.encode("utf-8", "surrogatepass"))
        pattern = rb"\n" + spelled + rb"(?=\n)" if len(word) <= WHOLE_CHARACTERS else spelled + rb"[^\n]*"
        places = np.fromiter((match.end() - 1 for match in re.finditer(pattern, text)), np.uint32)
        if not len(places):
            return rows
        at = segment.offset + segment.text_bytes
        starts = self._read(at, segment.words, np.uint32)
        ends = self._read(at + 4 * segment.words, segment.words + 1, np.uint32)
        at += 4 * (2 * segment.words + 1)
        numbers = np.searchsorted(starts, places, "right") - 1
        if len(numbers) <= _FEW:
            for number in numbers:
                begin, end = int(ends[number]), int(ends[number + 1])
                rows[self._read(at + 2 * begin, end - begin, np.uint16)] = True
            return rows
        chosen = np.zeros(segment.words, np.bool_)
        chosen[numbers] = True
        rows[self._read(at, segment.pairs, np.uint16)[np.repeat(chosen, np.diff(ends))]] = True
        return rows

    def _read(self, offset: int, count: int, kind: Any) -> npt.NDArray[Any]:
        size = count * np.dtype(kind).itemsize
        parts = bytearray()
        while len(parts) < size:
            part = os.pread(self._file, size - len(parts), offset + len(parts))
            if not part:
                raise OSError("the index of words ends too early")
            parts += part
        return np.frombuffer(parts, kind)

    def close(self) -> None:
        os.close(self._file)
