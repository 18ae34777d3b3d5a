"""pass@k: the share of problems that a draw of k samples solves, estimated without bias, with an interval.

For a problem with n samples of which c are right, 1 - C(n-c, k) / C(n, k) is the chance that a random draw of k of them
holds a right one (Chen et al. 2021, arXiv 2107.03374). The mean over problems is the score. The interval is the normal
approximation over problems, which are taken as independent; for k = 1 with one sample a problem it is Wilson's, which
stays inside [0, 1] and is right for scores near the ends.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

_Z = 1.959963984540054  # two-sided 95 %
KS = (1, 2, 5, 10, 20, 50, 100)


def pass_at_k(n: int, c: int, k: int) -> float:
    """The estimate for one problem: `n` samples, `c` of them right. With fewer wrong samples than `k` it is 1."""
    if n - c < k:
        return 1.0
    missed = 1.0
    for wrong in range(n - c + 1, n + 1):
        missed *= 1.0 - k / wrong
    return 1.0 - missed


@dataclass(frozen=True, slots=True)
class Estimate:
    """`value`, and the 95 % interval [low, high], all in [0, 1]."""

    value: float
    low: float
    high: float


def estimate(counts: Iterable[tuple[int, int]], k: int) -> Estimate | None:
    """pass@k over problems given as (samples, right ones). None where no problem has k samples: then it has no estimate."""
    usable = [(n, c) for n, c in counts if n >= k]
    if not usable:
        return None
    scores = [pass_at_k(n, c, k) for n, c in usable]
    mean = sum(scores) / len(scores)
    if all(n == 1 for n, _ in usable):
        return Estimate(mean, *_wilson(mean, len(scores)))
    if len(scores) == 1:
        return Estimate(mean, 0.0, 1.0)
    spread = _Z * sqrt(sum((score - mean) ** 2 for score in scores) / (len(scores) - 1) / len(scores))
    return Estimate(mean, max(0.0, mean - spread), min(1.0, mean + spread))


def _wilson(share: float, n: int) -> tuple[float, float]:
    z2 = _Z * _Z
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def estimates(counts: list[tuple[int, int]]) -> dict[int, Estimate]:
    """The estimates for every usual k for which every problem has enough samples."""
    most = min((n for n, _ in counts), default=0)
    found = {k: estimate(counts, k) for k in KS if k <= most}
    return {k: each for k, each in found.items() if each is not None}
