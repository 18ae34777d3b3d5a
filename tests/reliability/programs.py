"""Checks whose verdict is known by construction, in any number: what the fault and soak runs send through a pool.

Programs are few and cheap, so that a run of minutes makes many thousands of checks; each limit is reached by one of them.
"""

import random
from collections.abc import Iterator

from reexec import Check, Policy, Program, load_policy

QUICK: Policy = load_policy(
    "codeio", settings=["limits.cpu_s=0.1", "limits.idle_s=0.1", "limits.memory_bytes=67108864", "limits.output_bytes=65536"]
)
"""Limits that a hostile program reaches soon, and an honest one of these never."""

_ARITHMETIC = "def f(n, text):\n    return {'n': n * n, 'text': text[::-1], 'list': [n] * (n % 7)}"
_GRID = "def f(n):\n    return sum(i * j % 7 for i in range(n % 40) for j in range(n % 30))"
_SHORT_NAP = "import time\ndef f(s):\n    time.sleep(s)\n    return s"
_RAISES = "def f(n):\n    return [1, 2, 3][n + 10]"
_EXITS = "import os\ndef f(n):\n    os._exit(n % 256)"
_OBJECT = "def f(n):\n    return object()"
_LONG = "def f(n):\n    return 'x' * 100_000"
_ENDLESS = "def f(n):\n    while True:\n        n += 1"
_SLEEPS = "import time\ndef f(n):\n    time.sleep(1000)"
_GREEDY = "def f(n):\n    return len(bytearray(1 << 30))"

HOSTILE = {
    "runtime-error": Program(_RAISES, "f"),
    "early-exit": Program(_EXITS, "f"),
    "bad-result": Program(_OBJECT, "f"),
    "output-limit": Program(_LONG, "f"),
    "memory-limit": Program(_GREEDY, "f"),
    "cpu-limit": Program(_ENDLESS, "f"),
    "wall-limit": Program(_SLEEPS, "f"),
}
SLOW = ("cpu-limit", "wall-limit")
_GRID_PROGRAMS = [Program(f"# {number}\n{_GRID}", "f") for number in range(40)]
_HONEST = Program(_ARITHMETIC, "f")
_NAP = Program(_SHORT_NAP, "f")


def grid(n: int) -> int:
    """What `_GRID` returns."""
    return sum(i * j % 7 for i in range(n % 40) for j in range(n % 30))


def one(number: int, source: random.Random, slow_share: float) -> tuple[Check, str]:
    """A check with `number` as its id, and its word."""
    kind = source.random()
    if kind < slow_share:
        word = source.choice(SLOW)
        return Check(HOSTILE[word], [number], 0, id=number), word
    if kind < 0.06:
        word = source.choice([word for word in HOSTILE if word not in SLOW])
        return Check(HOSTILE[word], [number], 0, id=number), word
    if kind < 0.07:
        return Check(_NAP, [0.02], 0.02, id=number), "accepted"
    right = source.random() < 0.8
    word = "accepted" if right else "wrong-answer"
    if kind < 0.5:
        program = source.choice(_GRID_PROGRAMS)
        return Check(program, [number], grid(number) + (not right), id=number), word
    text = f"check {number}"
    expected = {"n": number * number + (not right), "text": text[::-1], "list": [number] * (number % 7)}
    return Check(_HONEST, {"n": number, "text": text}, expected, id=number), word


def mixed(seed: int, slow_share: float = 0.001) -> Iterator[tuple[Check, str]]:
    """Checks without end, the same for the same seed; `slow_share` of them run into a limit of time."""
    source = random.Random(seed)
    number = 0
    while True:
        yield one(number, source, slow_share)
        number += 1
