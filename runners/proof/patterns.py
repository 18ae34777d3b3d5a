"""The one list of words in a program's source that may make its results vary, and what an outcome's `sources` calls them."""

import re

CLOCK = "clock"
CHANCE = frozenset(("random", "entropy", "process"))
"""What an outcome's `sources` calls them. Two runs in a row see almost the same clock, and never the same entropy."""

MAY_VARY = re.compile(
    r"\b(?:time|datetime|date|today|now|secrets|uuid\w*|urandom|SystemRandom|random\w*|rand\w*|default_rng|getpid|os|id|hash|"
    r"perf_counter|monotonic|shuffle|choices?|sample)\b"
)
"""Programs that name none of these read neither clock nor chance: they are spared the watching, which makes them slower, and a
second run before a wrong value is quoted."""

HASH_ORDER = re.compile(r"\bset\b|\bfrozenset\b|\bhash\b|\{[^{}:\"']*\bfor\b|\{\w+(?:, *\w+)*\}")
"""Sets, frozensets, hash(), set displays and comprehensions: results may hang on the order of a set."""
