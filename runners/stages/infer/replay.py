"""Recorded responses instead of a model: the same rows, without a network.

A recording is a file of responses (rows with `output`, as this stage writes them) or the log of a run. A request finds its
reply by the row's id and sample index; else by its digest, where the recording has digests; else by equal messages and index. A
record without `index` is the next sample of those with its id, or its messages. Only offsets are held in memory.
"""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from reexec.engine.errors import UsageError

from ...digests import empty_digest, key_of
from ...records.ids import text_of_id, whole
from ...rows.source import open_seekable
from ...rows.text import BadRowError, canonical, parse_row
from .log import Entry
from .prompts import Request, messages_digest
from .settings import InferSettings


class Recording:
    """Raises UsageError where the file cannot be read or holds no responses."""

    def __init__(self, path: Path, settings: InferSettings) -> None:
        self.path, self._settings = path, settings
        self._file = open_seekable(path)
        self._offsets: dict[bytes, tuple[int, bool]] = {}  # (where, whether it is usable)
        self._counts: dict[bytes, int] = {}
        digest = empty_digest()
        number = offset = 0
        try:
            while line := self._file.readline():
                number += 1
                digest.update(line)
                if line.strip():
                    self._note(line, number, offset)
                offset += len(line)
            if not self._offsets:
                raise UsageError(f"{path}: holds no recorded responses (rows with `id` or `messages`, and `output`)")
        except BaseException:
            self._file.close()
            raise
        self.digest = digest.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def find(self, request: Request) -> Entry | None:
        for name, value in (
            ("id", _spelled_once(request.row_id)),
            ("digest", request.digest),
            ("messages", messages_digest(request.messages)),
        ):
            found = self._offsets.get(_key(name, value, request.index))
            if found is not None:
                self._file.seek(found[0])
                return _entry(parse_row(self._file.readline().rstrip()))
        return None

    def _note(self, line: bytes, number: int, offset: int) -> None:
        try:
            row = parse_row(line.rstrip())
        except BadRowError as error:
            raise UsageError(f"{self.path}, line {number}: {error}") from None
        if not isinstance(row.get("output"), str) and "reason" not in row:
            return  # the head of a log, or a row that was never answered
        good = self._settings.is_usable(_entry(row))
        named = {"id": _spelled_once(row.get("id")), "digest": row.get("digest")}
        names = [(name, value) for name, value in named.items() if isinstance(value, str)]
        if isinstance(row.get("messages"), list):
            names.append(("messages", messages_digest(row["messages"])))
        for name, value in names:
            index = whole(row.get("index"))
            if index is None:
                counter = _key(name, value, -1)
                index = self._counts.get(counter, 0)
                self._counts[counter] = index + 1
            key = _key(name, value, index)
            before = self._offsets.get(key)
            if before is None or (good and not before[1]):
                self._offsets[key] = (offset, good)


def _spelled_once(row_id: Any) -> str | None:
    """7, 7.0 and "7" are the same id."""
    try:
        return text_of_id(row_id) or None
    except ValueError:
        return None


def _key(name: str, value: Any, index: int) -> bytes:
    return key_of(canonical([name, value, index]))


def _entry(row: dict[str, Any]) -> Entry:
    if "reason" in row and not isinstance(row.get("output"), str):
        return {"reason": str(row["reason"]), "message": str(row.get("message", "")), "attempts": row.get("attempts", 1)}
    usage = row.get("usage")
    entry: Entry = {
        "output": row["output"],
        "finish_reason": row.get("finish_reason") or "stop",
        "usage": usage if isinstance(usage, dict) else {"prompt_tokens": None, "completion_tokens": None},
    }
    for name in ("model", "reasoning"):
        if isinstance(row.get(name), str):
            entry[name] = row[name]
    return entry
