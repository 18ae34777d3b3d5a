"""The functions file: rows of the pipeline's `function` stage, found by position or by id.

Only positions and ids are held in memory (about 100 bytes a function); rows are read from the file when they are needed
and the last ones kept, because predictions usually come in the order of their functions.
"""

import os
import weakref
from array import array
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reexec.engine.arguments import encode_call
from reexec.engine.errors import UsageError
from reexec.engine.program import Call, Program

from ..digests import digest_of, empty_digest
from ..rows.source import MAX_LINE_BYTES, OVERLONG_REASON, open_seekable, other_form
from ..rows.text import BadRowError, canonical, kind_of, parse_row
from .arguments import by_name

_KEPT = 512
_LINES_LOOKED_AT = 1000
FIELDS = (
    *("refcode", "funcname", "ios", "function_id", "problem_description", "io_requirements", "inputgencode"),
    *("category", "meta", "provenance", "trivial"),
)
"""What a row of a functions file may have."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One recorded call: keyword arguments and what the function gave for them."""

    id: str
    input: dict[str, Any]
    output: Any


@dataclass(frozen=True, slots=True)
class FunctionRecord:
    """A row of a functions file. `pairs[i].id` is the digest of function, input and output."""

    id: str
    position: int
    line: int
    program: Program
    pairs: tuple[Pair, ...]
    row: dict[str, Any]


def pair_id(function_id: str, given: Any, output: Any) -> str:
    """32 hex digits over the function's id, the input and the output."""
    return digest_of(function_id, canonical(given), canonical(output))


def parse_function(row: dict[str, Any], position: int, line: int) -> FunctionRecord:
    """Raises BadRowError. An id that the row carries must be the digest of what it holds."""
    for name in ("refcode", "funcname"):
        if not isinstance(row.get(name), str):
            raise BadRowError(f"{name}: expected a string, got {kind_of(row.get(name))}, at $.{name}")
    program = Program(row["refcode"], row["funcname"])
    given_id = row.get("function_id")
    if given_id is not None and given_id != program.id:
        raise BadRowError("the id does not belong to this code and name, at $.function_id")
    ios = row.get("ios")
    if not isinstance(ios, list):
        raise BadRowError(f"ios: expected an array of pairs, got {kind_of(ios)}, at $.ios")
    pairs = []
    for index, entry in enumerate(ios):
        if not isinstance(entry, dict) or not ("input" in entry or "args" in entry) or "output" not in entry:
            raise BadRowError(f"a pair has `input` (or `args`) and `output`, at $.ios[{index}]")
        given = _arguments(program, entry, f"at $.ios[{index}]")
        own = pair_id(program.id, given, entry["output"])
        if entry.get("pair_id", own) != own:
            raise BadRowError(f"the id does not belong to this pair, at $.ios[{index}].pair_id")
        pairs.append(Pair(own, given, entry["output"]))
    return FunctionRecord(program.id, position, line, program, tuple(pairs), row)


def _arguments(program: Program, entry: dict[str, Any], where: str) -> dict[str, Any]:
    """The arguments of a pair by name. By position (`args`, beside `kwargs`, or an `input` that is an array) they get the names
    of the function's signature. Raises BadRowError."""
    name = "args" if "args" in entry else "input"
    given = entry[name]
    if isinstance(given, dict) and name == "input":
        return given
    if not isinstance(given, list):
        wanted = "an array" if name == "args" else "an object"
        raise BadRowError(f"{name} must be {wanted} of arguments, not {kind_of(given)}, {where}.{name}")
    named = by_name(program.source, program.entry, given)
    if named is None:
        raise BadRowError(f"the signature does not say which argument is which: give them by name, {where}.{name}")
    more = entry.get("kwargs") or {}
    if not isinstance(more, dict) or more.keys() & named.keys():
        raise BadRowError(f"kwargs must be an object of other arguments, {where}.kwargs")
    return {**named, **more}


def why_not_sendable(line: bytes, arguments: dict[str, Any]) -> str:
    """Why a call's arguments cannot be sent into the jail; empty where they can. `line` is the text that they stand in:
    nothing short and flat is ever refused, and is not looked at closer."""
    if len(line) < 1 << 20 and line.count(b"[") + line.count(b"{") + line.count(b"(") < 200:
        return ""
    try:
        encode_call(Call.of(arguments))
    except UsageError as error:
        return str(error)
    return ""


class FunctionStore:
    """Random access to a functions file by position (`itemid` of CodeI/O's files) and by id."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open_seekable(path)
        weakref.finalize(self, self._file.close)
        index = array("q")
        self._by_id: dict[str, int] | None = None
        self._kept: OrderedDict[int, FunctionRecord | BadRowError] = OrderedDict()
        digest = empty_digest()
        offset, number = 0, 0
        while line := self._file.readline(MAX_LINE_BYTES + 1):
            number += 1
            start, length = offset, len(line)
            offset += length
            digest.update(line)
            while not line.endswith(b"\n") and len(line) > MAX_LINE_BYTES:
                line = self._file.readline(MAX_LINE_BYTES + 1)
                digest.update(line)
                offset += len(line)
                length = -1
            if length < 0 or line.strip():
                index.extend((start, length, number))
        self.digest = digest.hexdigest()
        if not index:
            raise UsageError(f"{path}: holds no functions")
        self._index = memoryview(index)
        """Of each function its offset, its length (-1 where it is overlong) and its line's number."""
        other = other_form(path)
        if other and not any(isinstance(self._read(at), FunctionRecord) for at in range(min(len(self), _LINES_LOOKED_AT))):
            raise UsageError(f"{path}: holds no functions: {other}")

    @property
    def shared(self) -> "tuple[int, memoryview]":
        """A descriptor of the file, and where the functions lie in it: what another process needs for `of_shared`."""
        return self._file.fileno(), self._index

    @classmethod
    def of_shared(cls, path: Path, descriptor: int, index: memoryview) -> "FunctionStore":
        """The same functions as that store's, without reading the file. It finds them by position alone: those that are asked
        for by id it does not know."""
        store = cls.__new__(cls)
        store.path, store.digest, store._by_id, store._kept = path, "", {}, OrderedDict()
        store._file, store._index = open(descriptor, "rb", buffering=0), index.cast("q")  # noqa: SIM115 - the store's
        return store

    def __len__(self) -> int:
        return len(self._index) // 3

    def at(self, position: int) -> FunctionRecord:
        """Raises BadRowError, IndexError."""
        if not 0 <= position < len(self):
            raise IndexError(position)
        found = self._kept.get(position)
        if found is None:
            found = self._read(position)
            self._kept[position] = found
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        if isinstance(found, BadRowError):
            raise found
        return found

    def position_of(self, function_id: str) -> int | None:
        """The first position of a function; reads the whole file once."""
        if self._by_id is None:
            self._by_id = {}
            for position in range(len(self)):
                record = self._read(position)
                if isinstance(record, FunctionRecord):
                    self._by_id.setdefault(record.id, position)
        return self._by_id.get(function_id)

    def learn(self, positions: dict[str, int]) -> None:
        """What `position_of` finds, from who has read the whole file before: of these functions, and no others."""
        self._by_id = positions

    def _read(self, position: int) -> FunctionRecord | BadRowError:
        offset, length, number = self._index[3 * position : 3 * position + 3]
        where = f"{self.path}, line {number}"
        if length < 0:
            return BadRowError(f"{where}: {OVERLONG_REASON}")
        line = os.pread(self._file.fileno(), length, offset)  # who shares the file has another place in it
        try:
            return parse_function(parse_row(line.rstrip()), position, number)
        except BadRowError as error:
            return BadRowError(f"{where}: {error}")
