"""Outcomes on disk, found again by what decides them, so that a check that was run once is not run twice.

store   keys and values in LMDB: group commits, a size cap, what was used last
outcomes which outcomes are kept, what each is found by, and its bytes
reuse   what a stream need not execute, by the cache or by an identical call before it
health  whether a file may be opened at all: file system, truncation, pages that are damaged
"""

from .health import CacheUnusableError
from .outcomes import Memory
from .reuse import Reuse, Spared
from .store import CacheStatistics, OutcomeCache, default_folder, wanted_folder

__all__ = [
    "CacheStatistics",
    "CacheUnusableError",
    "Memory",
    "OutcomeCache",
    "Reuse",
    "Spared",
    "default_folder",
    "wanted_folder",
]
