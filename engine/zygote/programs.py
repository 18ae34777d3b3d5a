"""The programs that the host has loaded: their sources, their code once they are compiled, or what their compilation came to.

All of it lies in the region that forks do not copy; the objects here hold places and lengths. The host bounds the sources.
Code has a bound here: what was used longest ago goes first, and is compiled again where it is wanted once more.
"""

from __future__ import annotations

from typing import Dict, NamedTuple, Optional

from ..protocol import frames
from ..protocol.claim import Ending
from .secrets import Blocks, Region, copy, move

FAILURE_BYTES = 1 << 16  # a longer account of a failed compilation is made anew


class Place(NamedTuple):
    at: int
    size: int


class Program:
    __slots__ = ("code", "entry_bytes", "failure", "shares", "source", "used")

    def __init__(self, source: Place, entry_bytes: int) -> None:
        self.source = source  # the entry's name, then the source
        self.entry_bytes = entry_bytes
        self.code: Optional[Place] = None
        self.failure: Optional[Ending] = None  # of its compilation, the same for all its checks
        self.shares: Optional[bool] = None  # whether its checks may share a fork, once that was asked
        self.used = 0


class Programs:
    @staticmethod
    def bytes(blob_bytes: int) -> int:
        """Size of the area: sources, of which the host keeps half a `blob_bytes` loaded beside those of the checks under way,
        and code; twice, because a block needs its pages side by side."""
        return 2 * (2 * blob_bytes + blob_bytes)

    def __init__(self, region: Region, blob_bytes: int) -> None:
        """`blob_bytes` of code are kept at most, of all programs together and so of one as well."""
        self._view = region.view
        self._blocks = Blocks(region, self.bytes(blob_bytes))
        self._programs: Dict[int, Program] = {}
        self._code_bytes, self._most_code_bytes = 0, blob_bytes
        self._clock = 0

    def load(self, frame: frames.Load) -> None:
        size = len(frame.entry) + len(frame.source)
        at = self._blocks.take(size)
        copy(self._view, at, memoryview(frame.entry))
        copy(self._view, at + len(frame.entry), memoryview(frame.source))
        self._programs[frame.program] = Program(Place(at, size), len(frame.entry))

    def forget(self, number: int) -> None:
        program = self._programs.pop(number)
        self._blocks.give_back(*program.source)
        self._drop_code(program)
        failure = program.failure
        if failure is not None and failure.at >= 0:
            self._blocks.give_back(failure.at, failure.payload_bytes + failure.note_bytes)

    def get(self, number: int) -> Program:
        program = self._programs[number]
        self._clock += 1
        program.used = self._clock
        return program

    def entry(self, program: Program) -> memoryview:
        return self._view[program.source.at : program.source.at + program.entry_bytes]

    def source(self, program: Program) -> memoryview:
        return self._view[program.source.at + program.entry_bytes : program.source.at + program.source.size]

    def code(self, program: Program) -> memoryview:
        assert program.code is not None
        return self._view[program.code.at : program.code.at + program.code.size]

    def keep_code(self, program: Program, at: int, size: int) -> None:
        """`size` bytes at `at`, at most all that is kept, are its code."""
        self._drop_code(program)
        while self._code_bytes + size > self._most_code_bytes:
            compiled = [other for other in self._programs.values() if other.code is not None]
            self._drop_code(min(compiled, key=lambda other: other.used))
        program.code = Place(self._keep(at, size), size)
        self._code_bytes += size

    def keep_failure(self, program: Program, ending: Ending) -> None:
        """Every compilation of it would come to `ending`."""
        size = ending.payload_bytes + ending.note_bytes
        if ending.at < 0:
            program.failure = ending
        elif size <= FAILURE_BYTES:
            program.failure = ending._replace(at=self._keep(ending.at, size))

    def _keep(self, at: int, size: int) -> int:
        place = self._blocks.take(size)
        move(self._view, place, at, at + size)
        return place

    def _drop_code(self, program: Program) -> None:
        if program.code is not None:
            self._blocks.give_back(*program.code)
            self._code_bytes -= program.code.size
            program.code = None
