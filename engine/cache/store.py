"""Keys and values in LMDB. The caller says what a key covers; here a value is bytes that come back whole or not at all.

    table     key (32 bytes)      value
    outcomes  digest of a check   8 bytes of digest over key and body, then the body
    used      the same            milliseconds since 1970, 8 bytes, of its last use
    totals    "bytes"             of all keys and values, 8 bytes

Writes wait in memory and are committed together. Whatever goes wrong on disk (full, read-only, at its cap) stops the
writing, with one warning, and never the run. A value whose digest does not fit counts as missing.

One process may use a cache from several threads, several processes may share it. A forked child must not touch its
parent's: there every look-up misses and nothing is written.
"""

import contextlib
import hashlib
import os
import resource
import shutil
import struct
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lmdb

from . import health
from .health import CacheUnusableError

KEY_BYTES = 32
DEFAULT_MAX_BYTES = 4 << 30
MIN_MAX_BYTES = 64 << 20
COMMIT_ENTRIES = 2000
COMMIT_BYTES = 8 << 20
COMMIT_S = 1.0
MAX_VALUE_BYTES = 1 << 20
_CHECK_BYTES = 8
_DISK_FULL_BYTES = 256 << 10
_IN_USE = 0.4  # of the cap: removing needs room of its own, since LMDB never writes over a page that a reader may see
_PRUNE_TO = 0.8  # of that
_PRUNE_BATCH = 1000
_NUMBER = struct.Struct(">Q")
_BYTES = b"bytes"
ON, OFF = "on", "off"


def users_folder() -> Path:
    """`reexec/outcomes` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "reexec" / "outcomes"


def wanted_folder(given: str | None) -> Path | None:
    """Where a run keeps outcomes: `given`, else `REEXEC_CACHE`, is a folder, `on` (the user's) or `off`. None: nowhere, as
    where neither says anything."""
    said = given or os.environ.get("REEXEC_CACHE") or OFF
    return None if said == OFF else users_folder() if said == ON else Path(said)


def default_folder() -> Path:
    """The cache that is looked after where none is named: the one that runs use, else the user's."""
    return wanted_folder(None) or users_folder()


def _most_addresses() -> int:
    """LMDB maps the whole cap at once: where a process may have few addresses, the cap is an eighth of them."""
    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    return sys.maxsize if most == resource.RLIM_INFINITY else most // 8


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    entries: int
    bytes: int
    """Of keys and values."""
    max_bytes: int
    """The file never grows beyond this; at 40 % of it, what was used longest ago is removed."""
    oldest_use: float | None
    """Seconds since 1970."""


class OutcomeCache:
    """See the module. Raises CacheUnusableError where the folder cannot be used."""

    def __init__(self, folder: Path, *, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.folder, self.max_bytes = folder, max(min(max_bytes, _most_addresses()), MIN_MAX_BYTES)
        self.warning = ""
        """Why nothing is written any more, in one line; empty while all is well."""
        self.hits = self.misses = 0
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._waiting: dict[bytes, bytes] = {}
        self._waiting_bytes = 0
        self._used: set[bytes] = set()
        self._last_commit = time.monotonic()
        self._closed = False
        self._open()

    def _open(self) -> None:
        folder = self.folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CacheUnusableError(f"{folder}: cannot be made ({(error.strerror or '').lower()})") from None
        health.refuse_shared_file_system(folder)
        health.refuse_truncated(folder)
        if not health.was_closed(folder):
            health.refuse_damaged_pages(folder)
        try:
            # metasync off: after a crash of the machine the last commit may be gone, the file is whole all the same.
            self._environment = lmdb.open(
                str(folder), map_size=self._map_bytes(), max_dbs=4, metasync=False, max_readers=512, meminit=False
            )
            self._environment.reader_check()
            self._outcomes = self._environment.open_db(b"outcomes")
            self._uses = self._environment.open_db(b"used")
            self._totals = self._environment.open_db(b"totals")
        except lmdb.CorruptedError as error:
            raise health.damaged(folder, str(error)) from None
        except lmdb.Error as error:
            raise CacheUnusableError(f"{folder}: {_words(error)}") from None

    def _map_bytes(self) -> int:
        with contextlib.suppress(OSError):
            return max(self.max_bytes, (self.folder / health.DATA).stat().st_size)
        return self.max_bytes

    # -- looking up and keeping -------------------------------------------------------------------------------

    def get(self, key: bytes) -> bytes | None:
        """The body kept under `key`; None if there is none, or it is not what was written."""
        if os.getpid() != self._pid or self._closed:
            return None
        with self._lock:
            found = self._waiting.get(key)
        if found is None:
            try:
                with self._environment.begin(db=self._outcomes) as transaction:
                    found = transaction.get(key)
            except lmdb.Error as error:
                self._give_up(error)
        if found is None or found[:_CHECK_BYTES] != _digest(key, found[_CHECK_BYTES:]):
            self.misses += 1
            return None
        self.hits += 1
        with self._lock:
            self._used.add(key)
        return found[_CHECK_BYTES:]

    def put(self, key: bytes, body: bytes) -> None:
        """Keeps `body`, in place of what was kept under `key`; on disk within a second, or at close. Bodies over 1 MiB are not
        kept."""
        if os.getpid() != self._pid or self._closed or self.warning or len(body) > MAX_VALUE_BYTES:
            return
        with self._lock:
            self._waiting[key] = _digest(key, body) + body
            self._waiting_bytes += len(body) + 2 * KEY_BYTES
            due = (
                len(self._waiting) >= COMMIT_ENTRIES
                or self._waiting_bytes >= COMMIT_BYTES
                or time.monotonic() - self._last_commit >= COMMIT_S
            )
            if due:
                self._commit()

    def _commit(self, uses: bool = False) -> None:
        """With the lock held. What waits goes to disk in one transaction; with `uses`, the time of all look-ups as well."""
        waiting, self._waiting, self._waiting_bytes = self._waiting, {}, 0
        used = sorted({*waiting, *(self._used if uses else ())})
        if uses:
            self._used = set()
        self._last_commit = time.monotonic()
        try:
            with self._environment.begin(write=True) as transaction:
                total = self._total(transaction)
                for key in sorted(waiting):
                    there = transaction.get(key, db=self._outcomes)
                    transaction.put(key, waiting[key], db=self._outcomes)
                    total += _size(waiting[key]) - (0 if there is None else _size(there))
                now = _NUMBER.pack(int(time.time() * 1000))
                for key in used:
                    if transaction.get(key, db=self._outcomes) is not None:
                        transaction.put(key, now, db=self._uses)
                transaction.put(_BYTES, _NUMBER.pack(total), db=self._totals)
        except lmdb.Error as error:
            self._give_up(error)
            return
        most = int(self.max_bytes * _IN_USE)
        if total > most:
            self._remove_oldest(int(most * _PRUNE_TO))

    def _total(self, transaction: Any) -> int:
        found = transaction.get(_BYTES, db=self._totals)
        return int(_NUMBER.unpack(found)[0]) if found is not None else 0

    def _give_up(self, error: Exception) -> None:
        if not self.warning:
            full = shutil.disk_usage(self.folder).free < _DISK_FULL_BYTES  # LMDB says "input/output error" of a short write
            words = "no space left on the disk" if full else _words(error)
            self.warning = f"{self.folder}: {words}; nothing more is kept in this run"

    # -- looking after it -------------------------------------------------------------------------------------

    def statistics(self) -> CacheStatistics:
        with self._lock:
            self._commit()
        with self._environment.begin() as transaction:
            entries = transaction.stat(self._outcomes)["entries"]
            uses = [_NUMBER.unpack(value)[0] / 1000 for _, value in transaction.cursor(self._uses)]
            return CacheStatistics(entries, self._total(transaction), self.max_bytes, min(uses, default=None))

    def prune(self, max_bytes: int) -> int:
        """Removes what was used longest ago until at most `max_bytes` are in use; the number of entries removed."""
        with self._lock:
            self._commit(uses=True)
            return self._remove_oldest(max_bytes)

    def _remove_oldest(self, max_bytes: int) -> int:
        """With the lock held. Entries without a time of use go first."""
        with self._environment.begin() as transaction:
            total = self._total(transaction)
            if total <= max_bytes:
                return 0
            times = {key: _NUMBER.unpack(value)[0] for key, value in transaction.cursor(self._uses)}
            found = transaction.cursor(self._outcomes).iternext(keys=True, values=False)
            keys = sorted(found, key=lambda key: times.get(key, 0))
        removed = 0
        for at in range(0, len(keys), _PRUNE_BATCH):
            try:
                with self._environment.begin(write=True) as transaction:
                    total = self._total(transaction)
                    for key in keys[at : at + _PRUNE_BATCH]:
                        if total <= max_bytes:
                            break
                        value = transaction.pop(key, db=self._outcomes)
                        transaction.delete(key, db=self._uses)
                        removed += value is not None
                        total -= _size(value) if value is not None else 0
                    transaction.put(_BYTES, _NUMBER.pack(max(0, total)), db=self._totals)
            except lmdb.Error as error:
                self._give_up(error)
                break
            if total <= max_bytes:
                break
        return removed

    def close(self) -> None:
        if self._closed or os.getpid() != self._pid:
            return
        with self._lock:
            if not self.warning:
                self._commit(uses=True)
            self._closed = True
            self._environment.close()
        health.mark_closed(self.folder)

    def __enter__(self) -> "OutcomeCache":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def clear(folder: Path) -> int:
    """Removes a cache's own files and nothing else in its folder; the bytes freed."""
    freed = 0
    for name in (health.DATA, "lock.mdb", health.CLOSED):
        path = folder / name
        with contextlib.suppress(FileNotFoundError):
            freed += path.stat().st_size
            path.unlink()
    with contextlib.suppress(OSError):
        folder.rmdir()
    return freed


def _size(value: bytes) -> int:
    """Of an entry in both tables, as LMDB lays it out."""
    return len(value) + 2 * (KEY_BYTES + 8) + _NUMBER.size


def _digest(key: bytes, body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_CHECK_BYTES, key=key).digest()


def _words(error: Exception) -> str:
    """LMDB's message without the name of its function."""
    if isinstance(error, lmdb.MapFullError):
        return "the cache is at its cap"
    return str(error).rpartition(": ")[2].lower() or type(error).__name__
