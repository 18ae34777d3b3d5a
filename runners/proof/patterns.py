"""The one list of words in a program's source that may make its results vary, and what an outcome's `sources` calls them."""

import re

from reexec.engine.pool.retry import MAY_VARY

__all__ = ["CHANCE", "CLOCK", "HASH_ORDER", "MAY_VARY"]

CLOCK = "clock"
CHANCE = frozenset(("random", "entropy", "process"))
"""What an outcome's `sources` calls them. Two runs in a row see almost the same clock, and never the same entropy."""

HASH_ORDER = re.compile(r"\bset\b|\bfrozenset\b|\bhash\b|\{[^{}:\"']*\bfor\b|\{\w+(?:, *\w+)*\}")
"""Sets, frozensets, hash(), set displays and comprehensions: results may hang on the order of a set."""
