"""Which figures are held against which. A ratio is taken within a round, where both sides met the same machine, and its median
over the rounds is reported."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ratio:
    name: str
    over: str
    under: str
    """Figures, per second; the ratio is the one over the other."""
    meaning: str
    goal: float | None = None
    lower_is_better: bool = False
    is_compared: bool = True
    """With a baseline. Not where one process alone is held against many that fork: on a busy machine that varies fourfold."""

    def meets(self, value: float) -> bool | None:
        if self.goal is None:
            return None
        return value <= self.goal if self.lower_is_better else value >= self.goal

    def fell_by(self, before: float, now: float) -> float:
        """The share that is lost; negative where it is better now."""
        return 1 - before / now if self.lower_is_better else 1 - now / before


RATIOS = (
    Ratio("call_vs_floor", "floor", "call", "time of an isolated check / of a bare fork, no numpy", 1.3, True),
    Ratio("call_vs_floor_numpy", "floor_numpy", "call_numpy", "the same, numpy loaded on both sides", None, True),
    Ratio("call_vs_fresh", "call_numpy", "fresh_numpy", "times a fresh interpreter per check, numpy on both sides", 60),
    Ratio("call_vs_fresh_no_numpy", "call", "fresh", "the same, numpy on neither", 30),
    Ratio(
        "in_process_vs_call",
        "in_process",
        "call",
        "what isolation costs: calls without any / isolated checks",
        None,
        True,
        False,
    ),
    Ratio("batch_vs_fresh", "batch", "fresh", "times a fresh interpreter, several checks per fork"),
    Ratio("batch_vs_in_process", "in_process", "batch", "calls without isolation / checks in batches", None, True, False),
    Ratio("mixed_vs_fresh", "mixed", "fresh_mixed", "right, wrong and failing checks, times a fresh interpreter"),
    Ratio("sample_vs_limit", "sample_limit", "sample", "bundled functions: time / forks plus their own time", None, True),
    Ratio("sample_vs_fresh", "sample", "fresh_sample", "bundled functions, times a fresh interpreter"),
    Ratio("output_rows_vs_fresh", "output_rows", "fresh", "output predictions from file to file, times a fresh interpreter"),
    Ratio("cache_hits_vs_call", "cache_hits", "call", "checks that the cache answers / isolated checks"),
)
BY_NAME = {ratio.name: ratio for ratio in RATIOS}


def ratios_of(samples: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Medians over the rounds; without those of which a side was not measured."""
    found = {}
    for ratio in RATIOS:
        over, under = samples.get(ratio.over), samples.get(ratio.under)
        if over and under:
            found[ratio.name] = rounded(statistics.median(a / b for a, b in zip(over, under, strict=True)))
    return found


def rounded(value: float) -> float:
    """Four digits that count."""
    return float(f"{value:.4g}")
