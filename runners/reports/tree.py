"""A value as indented lines of JSON-like text, each with its place, so that a page can mark the line where two values differ.
Total and bounded: whatever a model or a program made, it becomes at most MAX_LINES lines."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from reexec.engine.judging.paths import Step, render_path

MAX_LINES = 60
MAX_DEPTH = 12
MAX_TEXT = 300


@dataclass(frozen=True, slots=True)
class Line:
    indent: int
    text: str
    marked: bool


def lines(value: Any, marked_path: str) -> list[Line]:
    """The value's lines; those at `marked_path` (a path as the comparator writes it) are marked."""
    found: list[Line] = []
    for line in _walk(value, [], "", marked_path):
        if len(found) == MAX_LINES:
            found.append(Line(0, "...", False))
            break
        found.append(line)
    return found


def _walk(value: Any, steps: list[Step], name: str, marked: str) -> Iterator[Line]:
    here = bool(marked) and render_path(steps) == marked
    depth = len(steps)
    if isinstance(value, dict) and value and depth < MAX_DEPTH:
        yield Line(depth, f"{name}{{", here)
        for number, (key, item) in enumerate(value.items(), 1):
            step: Step = key if isinstance(key, str) else (repr(key)[:80],)
            label = (json.dumps(key, ensure_ascii=False) if isinstance(key, str) else repr(key))[:MAX_TEXT]
            yield from _with_comma(_walk(item, [*steps, step], f"{label}: ", marked), number < len(value))
        yield Line(depth, "}", here)
    elif isinstance(value, list | tuple) and value and depth < MAX_DEPTH and not _is_short(value):
        yield Line(depth, f"{name}[", here)
        for index, item in enumerate(value):
            yield from _with_comma(_walk(item, [*steps, index], "", marked), index < len(value) - 1)
        yield Line(depth, "]", here)
    else:
        below = bool(marked) and marked.startswith(f"{render_path(steps)}[")
        inside = here or (below and isinstance(value, list | tuple))
        yield Line(depth, name + _text(value), inside)


def _with_comma(found: Iterator[Line], wanted: bool) -> Iterator[Line]:
    """The lines, with a comma after the last of them."""
    last = next(found)
    for line in found:
        yield last
        last = line
    yield replace(last, text=f"{last.text},") if wanted else last


def _is_short(value: list[Any] | tuple[Any, ...]) -> bool:
    return len(value) <= 20 and all(isinstance(item, int | float | bool | None) for item in value)


def _text(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        try:
            text = repr(value)
        except Exception as error:  # a huge integer, a deep value
            text = f"({type(value).__name__} that cannot be shown: {type(error).__name__})"
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "..."
