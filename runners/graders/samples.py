"""Files of samples in the forms that the benchmarks' own tools write, as the JSON Lines of one sample a row that graders read.

    [{"question_id": ..., "code_list": [code, ...]}, ...]   LiveCodeBench; a JSON array, on one line or many
    [{"task_id": ..., "output": [code, ...]}, ...]          TACO
    {"0": [code, ...], "1": [...]}                          APPS: by the problem's number
    FOLDER/HumanEval_0/0.py                                 EvalPlus
    rows whose sample is a list of texts                    one sample for each text

What is JSON Lines with one sample a row is read as it is.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from reexec.engine.errors import UsageError
from reexec.runners.rows.source import read_bytes, read_lines
from reexec.runners.rows.text import dump

from .problems import MOST_LINE_BYTES, id_of

MANY: Final = {
    "code_list": "code", "codes": "code", "code": "code", "solution": "solution", "solutions": "solution",
    "completion": "completion", "completions": "completion", "output": "code", "output_list": "response",
    "response": "response", "responses": "response", "generation": "response", "generations": "response",
}  # fmt: skip
"""Members that may hold several samples, the likeliest first, and what each of them is then."""
_MOST_HEAD_BYTES: Final = 1 << 20
_NUMBER: Final = re.compile(r"\d+")


def one_a_row(path: Path, spread: Path) -> Path:
    """The samples as JSON Lines, one a row: `path` itself, or `spread`, written anew. Raises UsageError."""
    rows = _of_folder(path) if path.is_dir() else _of_file(path)
    if rows is None:
        return path
    spread.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with open(spread, "wb") as file:
        for row in rows:
            file.write(dump(row).encode("ascii") + b"\n")
            count += 1
    if not count:
        raise UsageError(f"{path}: holds no samples")
    return spread


def _of_file(path: Path) -> Iterator[dict[str, Any]] | None:
    head = read_bytes(path, _MOST_HEAD_BYTES).lstrip()
    line = head.split(b"\n", 1)[0].strip()
    first = _json(line)
    if isinstance(first, dict) and not _is_map(first):
        return _of_rows(path) if many_of(first) is not None else None
    if first is None and not (head.startswith(b"[") or line == b"{" or _is_long_map(head)):
        return None  # lines that are wrong are told one by one
    try:
        whole = json.loads(read_bytes(path))
    except (ValueError, RecursionError):
        return None
    if isinstance(whole, dict):
        return _of_map(whole) if _is_map(whole) else None
    if not isinstance(whole, list):
        return None
    if whole and all(isinstance(each, list) for each in whole):
        raise UsageError(
            f"{path}: a list of lists does not say which problem each is for; "
            'give {"task_id": ..., "code_list": [...]} for each problem'
        )
    return _spread(whole)


def _json(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _is_map(found: dict[str, Any]) -> bool:
    """Whether it is lists of samples by problem."""
    return bool(found) and all(_are_texts(each) for each in found.values()) and id_of(found) is None


def _is_long_map(head: bytes) -> bool:
    """Whether a text that was cut may begin such an object on one line."""
    return len(head) >= _MOST_HEAD_BYTES // 2 and re.match(rb'\{\s*"[^"]*"\s*:\s*\[', head) is not None


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def many_of(row: dict[str, Any]) -> str | None:
    """The member of a row that holds several samples."""
    return next((name for name in MANY if _are_texts(row.get(name))), None)


def _of_rows(path: Path) -> Iterator[dict[str, Any]]:
    return _spread(_json(line) if line else None for _, line in read_lines(path, MOST_LINE_BYTES))


def _spread(rows: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for row in rows:
        name = many_of(row) if isinstance(row, dict) else None
        if name is None:
            yield row if isinstance(row, dict) else {"unreadable": row}
            continue
        kept = {key: value for key, value in row.items() if key not in MANY or not _are_texts(value)}
        for number, text in enumerate(row[name]):
            yield {**kept, MANY[name]: text, "sample": number}


def _of_map(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for key, texts in found.items():
        for number, text in enumerate(texts):
            yield {"task_id": key, "code": text, "sample": number}


def _of_folder(path: Path) -> Iterator[dict[str, Any]]:
    """EvalPlus's folders: one for each problem, `/` in its id written as `_`, with a whole program in each file."""
    for folder in sorted((each for each in path.iterdir() if each.is_dir()), key=_natural):
        for file in sorted(folder.glob("*.py"), key=_natural):
            try:
                text = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise UsageError(f"{file}: cannot be read ({error})") from None
            yield {"task_id": folder.name.replace("_", "/"), "solution": text, "sample": file.stem}


def _natural(path: Path) -> list[Any]:
    return [part.zfill(12) for part in _NUMBER.findall(path.name)] + [path.name]
