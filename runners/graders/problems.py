"""Problem files: JSON Lines, a JSON array, or APPS's folders, by task id."""

import copy
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError
from reexec.runners.rows.source import read_bytes, read_lines
from reexec.runners.rows.text import BadRowError, parse_row

MOST_LINE_BYTES = 256 << 20
"""Of a problem or a sample: test sets bring inputs of many megabytes."""
_APPS_TESTS = "input_output.json"
_KINDS: dict[str, tuple[type, str]] = {
    **dict.fromkeys(("prompt", "entry_point", "test"), (str, "text")), "test_list": (list, "a list of texts"),
}  # fmt: skip
"""What members that a task needs must be."""
ID_FIELDS = ("task_id", "id", "question_id", "problem_id", "problem", "name")


class Problems:
    """Problems by id, in the order of their files. Of rows with the same id the later one adds and replaces members."""

    def __init__(self, paths: Sequence[Path], needs: Sequence[str]) -> None:
        """`needs`: members that every problem must have. Raises UsageError."""
        self.paths = tuple(paths)
        self.name = str(paths[0]) if paths else "a row of problems"
        self._by_id: dict[str, dict[str, Any]] = {}
        digest = hashlib.blake2b(digest_size=16)
        for path in paths:
            rows: list[tuple[int, dict[str, Any]]] = []
            for number, line in _rows(path):
                digest.update(line + b"\n")
                try:
                    rows.append((number, parse_row(line)))
                except BadRowError as error:
                    raise UsageError(f"{path}, line {number}: {error}") from None
            if not rows:
                raise UsageError(f"{path}: no problems in it")
            self._add(path, rows)
        for key, row in self._by_id.items():
            for name in needs:
                if name not in row:
                    raise UsageError(
                        f"{paths[0]}: problem {key} has no {name!r}, at $.{name} (a further --problems FILE can add members)"
                    )
                kind, what = _KINDS.get(name, (object, ""))
                if not isinstance(row[name], kind) or (kind is list and not all(isinstance(each, str) for each in row[name])):
                    raise UsageError(f"{paths[0]}: problem {key}: expected {what}, at $.{name}")
        self._short = _unambiguous(list(self._by_id))
        self.digest = digest.hexdigest()

    def _add(self, path: Path, rows: list[tuple[int, dict[str, Any]]]) -> None:
        """One file's problems. Where its rows have no ids, they have numbers from 0, as the tools of APPS and TACO count."""
        keys = [id_of(row, ID_FIELDS[:-1]) for _, row in rows]
        if all(key is None for key in keys):
            names = [id_of(row) for _, row in rows]
            keys = names if None not in names and len(set(names)) == len(names) else [str(at) for at in range(len(rows))]
        seen: dict[str, int] = {}
        for (number, row), key in zip(rows, keys, strict=True):
            if key is None:
                raise UsageError(f"{path}, line {number}: the problem has no {' or '.join(ID_FIELDS[:2])}, at $")
            if key in seen and any(self._by_id[key].get(name, value) != value for name, value in row.items()):
                raise UsageError(f"{path}, line {number}: another problem {key} stands in line {seen[key]}")
            seen.setdefault(key, number)
            self._by_id.setdefault(key, {}).update(row)

    @classmethod
    def of_rows(cls, rows: dict[str, dict[str, Any]]) -> "Problems":
        """Problems by id that come from no file."""
        found = cls((), ())
        found._by_id = dict(rows)
        found._short = _unambiguous(list(rows))
        return found

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        return iter(self._by_id.items())

    def key_of(self, task_id: Any) -> str | None:
        """The id under which the problem stands; `Mbpp/11` and `11` are the same where only one of them ends so."""
        text = str(task_id)
        if text in self._by_id:
            return text
        short = text.rpartition("/")[2]
        return self._short.get(short) or self._short.get(str(int(short)) if _is_padded(short) else short)

    def only(self, key: str) -> "Problems":
        """These problems reduced to one; to none where `key` is empty."""
        reduced = copy.copy(self)
        reduced._by_id = {key: self._by_id[key]} if key else {}
        return reduced

    def __getitem__(self, key: str) -> dict[str, Any]:
        return self._by_id[key]


def _is_padded(text: str) -> bool:
    """Whether it is a number with zeros before it, as APPS names its folders."""
    return len(text) < 20 and text.isascii() and text.isdigit()


def id_of(row: dict[str, Any], fields: Sequence[str] = ID_FIELDS) -> str | None:
    for name in fields:
        if isinstance(row.get(name), str | int):
            return str(row[name])
    return None


def _unambiguous(keys: list[str]) -> dict[str, str]:
    short: dict[str, str] = {}
    twice: set[str] = set()
    for key in keys:
        end = key.rpartition("/")[2]
        if end in short:
            twice.add(end)
        short[end] = key
    return {end: key for end, key in short.items() if end not in twice}


def _rows(path: Path) -> Iterator[tuple[int, bytes]]:
    if path.is_dir():
        yield from _of_folders(path)
        return
    if not read_bytes(path, 64).lstrip().startswith(b"["):
        yield from read_lines(path, MOST_LINE_BYTES)
        return
    data = read_bytes(path)
    try:
        rows = json.loads(data)
    except ValueError as error:
        raise UsageError(f"{path}: not JSON ({error})") from None
    for number, row in enumerate(rows, 1):
        yield number, json.dumps(row).encode()


def _of_folders(path: Path) -> Iterator[tuple[int, bytes]]:
    """Problems as APPS keeps them, in folders `0000`, `0001`, ..., or one such folder. Raises UsageError."""
    folders = [path] if (path / _APPS_TESTS).is_file() else sorted(each.parent for each in path.glob(f"*/{_APPS_TESTS}"))
    if not folders:
        raise UsageError(
            f"{path}: a folder without {_APPS_TESTS}, in it or in the folders below; expected JSON Lines, or APPS's folders"
        )
    for number, folder in enumerate(folders, 1):
        name = folder.resolve().name
        row: dict[str, Any] = {"task_id": str(int(name)) if _is_padded(name) else name}
        try:
            row["input_output"] = (folder / _APPS_TESTS).read_text(encoding="utf-8")
            starter = folder / "starter_code.py"
            if starter.is_file():
                row["starter_code"] = starter.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{folder}: cannot be read ({error})") from None
        yield number, json.dumps(row).encode()
