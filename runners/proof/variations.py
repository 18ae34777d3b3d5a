"""Inputs like a function's recorded ones: the same shapes, other leaves. They ask whether a function changes its arguments,
which a record made after the change does not show any more."""

import random
import re
from collections.abc import Iterator
from typing import Any

from ..records.functions import FunctionRecord

COUNT = 32
_MAX_NODES = 2000
_LITERAL = re.compile(r"\"([^\"\\\n]{0,20})\"|'([^'\\\n]{0,20})'|\b(\d{1,6})\b")


def variations(record: FunctionRecord) -> Iterator[dict[str, Any]]:
    """The same ones every time: the generator is seeded by the function's id. Leaves are drawn from those of the recorded
    inputs and from the literals in the source, by type; lists are shuffled, empty ones often filled."""
    source = random.Random(record.id)  # noqa: S311 - not a secret
    pool: dict[type, list[Any]] = {int: [0, 1, 2, -1], str: ["", "a"], float: [0.5, 2.0], bool: [True, False]}
    for pair in record.pairs[:10]:
        _collect(pair.input, pool)
    for double, single, number in _LITERAL.findall(record.program.source)[:200]:
        if number:
            pool[int].append(int(number) % 100)
        else:
            pool[str].append(double or single)
    if not record.pairs:
        return
    for index in range(COUNT):
        yield _vary(record.pairs[index % len(record.pairs)].input, pool, source, 0.2 + 0.8 * (index % 4) / 3)


def _collect(value: Any, pool: dict[type, list[Any]]) -> None:
    waiting, steps = [value], 0
    while waiting and steps < _MAX_NODES:
        steps += 1
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
        elif type(item) in pool:
            pool[type(item)].append(item)


def _vary(value: Any, pool: dict[type, list[Any]], source: random.Random, rate: float, depth: int = 0) -> Any:
    if isinstance(value, dict):
        return {key: _vary(item, pool, source, rate, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        if not value and source.random() < rate:  # it may have been emptied by the call
            return [source.choice(pool[source.choice((int, int, str))]) for _ in range(source.randint(1, 3))]
        items = [_vary(item, pool, source, rate, depth + 1) for item in value]
        source.shuffle(items)
        return items
    # Arguments of their own are left alone more often: many are sizes that must fit the others.
    chance = rate / 3 if depth == 1 else rate
    if type(value) in pool and source.random() < chance:
        return source.choice(pool[type(value)])
    return value
