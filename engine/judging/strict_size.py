"""CodeI/O's `strict_check_size` for any object: the guard of size_guard.py for what JSON can say, pympler for everything else.

Recorded values are JSON, and the guard gives one answer for them on every host. Sets, bytes and objects have no JSON form:
they are measured as they lie in this interpreter, so the answer may differ between versions of Python.
"""

from collections.abc import Iterator
from typing import Any

from reexec.policies.size import SizeRule

from .paths import Step, render_path
from .size_guard import SizeFinding, check_size


def strict_check_size(value: Any, rule: SizeRule | None = None) -> SizeFinding | None:
    """None where the value is small enough to be recorded, otherwise what is too large and where.

    rule: CodeI/O's numbers where None: fewer than 1,024 bytes, 20 entries, 100 characters, 128 bytes for any other object.
    """
    rule = rule or SizeRule()
    found = check_size(value, rule)
    if found is None or found.is_json:
        return found
    return _by_pympler(value, rule, (), frozenset())


def _by_pympler(value: Any, rule: SizeRule, steps: tuple[Step, ...], above: frozenset[int]) -> SizeFinding | None:
    import pympler.asizeof  # a fifth of a second, which plain data does not pay

    if id(value) in above:
        return None  # a circle: its size was counted with the whole
    measure: Any = pympler.asizeof.asizeof  # without types
    size: int = measure(value)
    if size >= rule.total_bytes_below:
        return _finding(steps, f"{size} bytes, limit {rule.total_bytes_below}")
    if isinstance(value, str):
        long = len(value) >= rule.characters_below
        return _finding(steps, f"{len(value)} characters, limit {rule.characters_below}") if long else None
    if isinstance(value, dict | list | tuple | set | frozenset):
        if len(value) >= rule.entries_below:
            return _finding(steps, f"{len(value)} entries, limit {rule.entries_below}")
        if len(steps) > rule.max_depth:
            return _finding(steps, f"nested deeper than {rule.max_depth}")
        inside = above | {id(value)}
        faults = (_by_pympler(child, rule, (*steps, step), inside) for step, child in _children(value))
        return next((fault for fault in faults if fault is not None), None)
    small = size < rule.scalar_bytes_below
    return None if small else _finding(steps, f"{size} bytes, limit {rule.scalar_bytes_below}")


def _children(value: Any) -> Iterator[tuple[Step, Any]]:
    if isinstance(value, dict):
        for number, (key, child) in enumerate(value.items()):
            step: Step = key if isinstance(key, str) else number
            yield step, key
            yield step, child
    else:
        yield from enumerate(value)


def _finding(steps: tuple[Step, ...], reason: str) -> SizeFinding:
    return SizeFinding(render_path(steps), reason, is_json=False)
