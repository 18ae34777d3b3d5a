"""The attack corpus: its cases as data. What runs them, and asks afterwards what they left, is the package's own suite
(engine/conformance/bench.py)."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from reexec.engine.conformance import Case, Offer, load_cases, offers
from tests.attacks.sources import BUILDERS

CASES = Path(__file__).with_name("cases")


def corpus() -> Iterator[Case]:
    yield from load_cases(CASES, BUILDERS)


@cache
def offered() -> tuple[Offer, ...]:
    """Every isolation level that isolates, with the reason where this host does not offer it."""
    return tuple(offers())
