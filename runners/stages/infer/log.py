"""The append-only log of a run: one whole line for every request whose answer, or final failure, is known.

    {"record": "reexec.infer-log", "schema": 1}                                            first line
    {"id", "index", "digest", "output", "reasoning"?, "finish_reason", "usage", ...}        a reply
    {"id", "index", "digest", "reason", "message", ...}                                     no usable reply after all tries

A line is one write to a file that is only ever appended to; `kill -9` can leave at most the beginning of a last line, which is
cut off when the log is opened again. A line that is there in whole is an answer that is never asked for again. In memory is an
index: 16 bytes of key and an offset a request. The log has one writer: a lock that the kernel drops with the process.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError

from ...rows.documents import OutputError
from ...rows.text import dump
from .prompts import Request, request_key

SCHEMA = 1
_HEADER = dump({"record": "reexec.infer-log", "schema": SCHEMA}).encode("ascii") + b"\n"
Entry = dict[str, Any]


class RequestLog:
    """See the module. `usable` says of an entry whether it answers its request; `clean` takes secrets out of every line."""

    def __init__(
        self,
        path: Path,
        *,
        usable: Callable[[Entry], bool],
        clean: Callable[[str], str] = lambda text: text,
        read_only: bool = False,
    ) -> None:
        self.path = path
        self.entries = 0
        self.unreadable = 0
        """Lines in the middle that are no entries (a damaged disk): what they held counts as not asked."""
        self.prompt_tokens = 0
        self.completion_tokens = 0
        """Spent over all entries, replies that were not kept included."""
        self._usable = usable
        self.clean = clean
        self._answered: dict[bytes, int] = {}
        self._failed: dict[bytes, int] = {}
        flags = os.O_RDONLY if read_only else os.O_RDWR | os.O_CREAT | os.O_APPEND
        try:
            self._fd = os.open(path, flags | os.O_CLOEXEC, 0o666)
        except FileNotFoundError:
            self._fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise UsageError(f"{path}: cannot be opened ({os.strerror(error.errno or 0).lower()})") from None
        try:
            if not read_only:
                self._lock()
            self._size = self._scan()
            self._failed_before = self._failed.keys() - self._answered.keys()
            if not read_only:
                os.ftruncate(self._fd, self._size)
                if not self._size:
                    self._write(_HEADER)
        except BaseException:
            os.close(self._fd)
            raise

    def close(self) -> None:
        os.close(self._fd)

    # -- what it holds ----------------------------------------------------------------------------------------

    def answered(self, request: Request) -> bool:
        return request.key in self._answered

    def failed_before(self, request: Request) -> bool:
        """Whether an earlier run asked it, and no usable reply came of it."""
        return request.key in self._failed_before

    def find(self, request: Request) -> Entry | None:
        """The usable reply to a request, else its last failure."""
        key = request.key
        offset = self._answered.get(key)
        if offset is None:
            offset = self._failed.get(key)
        return None if offset is None else self._read(offset)

    def _read(self, offset: int) -> Entry:
        line, step = b"", 1 << 14
        while not line.endswith(b"\n"):
            part = os.pread(self._fd, step, offset + len(line))
            if not part:
                raise UsageError(f"{self.path}: was cut while it was read")
            end = part.find(b"\n")
            line += part if end < 0 else part[: end + 1]
            step = 1 << 20
        entry: Entry = json.loads(line)
        return entry

    # -- writing ----------------------------------------------------------------------------------------------

    def append(self, request: Request, entry: Entry) -> Entry:
        """One line; it is in the file when this returns. Returns the entry as a reader will find it."""
        whole = {"id": request.row_id, "index": request.index, "digest": request.digest, **entry}
        line = self.clean(dump(whole)).encode("ascii") + b"\n"
        offset = self._size
        self._write(line)
        written: Entry = json.loads(line)
        self._note(request.key, written, offset)
        return written

    def _write(self, line: bytes) -> None:
        view = memoryview(line)
        try:
            while view:  # more than once only where the disk is full, to be told so
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._size)
            raise OutputError(
                f"{self.path}: cannot be written ({os.strerror(error.errno or 0).lower()}); the lines before are whole, "
                "and run the same command again to resume"
            ) from None
        self._size += len(line)

    def _note(self, key: bytes, entry: Entry, offset: int) -> None:
        self.entries += 1
        spent = entry.get("spent") or {}
        self.prompt_tokens += spent.get("prompt_tokens") or 0
        self.completion_tokens += spent.get("completion_tokens") or 0
        if not self._usable(entry):
            self._failed[key] = offset
        else:
            self._answered.setdefault(key, offset)  # the first answer stays, so that exports of one log are equal

    # -- opening ----------------------------------------------------------------------------------------------

    def _lock(self) -> None:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"{self.path}: another run is writing to it; wait for it, or choose another output") from None

    def _scan(self) -> int:
        """Reads the log once; the size of its whole lines."""
        with open(self._fd, "rb", closefd=False) as file:
            file.seek(0)
            head = file.readline(4096)
            if not head or (len(head) < len(_HEADER) and _HEADER.startswith(head)):
                return 0
            if head != _HEADER:
                raise UsageError(f"{self.path}: exists and is not a log of this version; move it away")
            size = len(head)
            while line := file.readline():
                if not line.endswith(b"\n"):
                    break  # the last line of a run that was killed
                try:
                    entry = json.loads(line)
                    key = request_key(entry["id"], entry["index"], entry["digest"])
                    self._note(key, entry, size)
                except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                    self.unreadable += 1
                size += len(line)
            return size
