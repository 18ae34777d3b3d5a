"""pass@k against its definition by counting draws."""

from itertools import combinations
from statistics import NormalDist, mean, stdev

import pytest

from reexec.runners.graders.pass_at_k import Estimate, estimate, estimates, pass_at_k


@pytest.mark.parametrize(
    ("n", "c", "k"), [(5, 0, 1), (5, 2, 1), (6, 2, 3), (10, 7, 5), (4, 4, 2), (3, 1, 3), (5, 2, 3), (4, 1, 3), (6, 0, 6)]
)
def test_it_is_the_share_of_draws_that_hold_a_right_sample(n: int, c: int, k: int) -> None:
    draws = list(combinations([True] * c + [False] * (n - c), k))
    assert pass_at_k(n, c, k) == pytest.approx(sum(any(draw) for draw in draws) / len(draws))


def test_problems_with_too_few_samples_have_no_estimate() -> None:
    assert estimate([(1, 1), (2, 0)], 5) is None
    assert set(estimates([(2, 1), (10, 3)])) == {1, 2}


def test_the_interval_holds_the_value_and_stays_within_0_and_1() -> None:
    for counts in ([(1, 1)] * 20, [(1, 0), (1, 1)], [(10, 3), (10, 9), (10, 0)], [(4, 2)]):
        found = estimate(counts, 1)
        assert isinstance(found, Estimate)
        assert 0 <= found.low <= found.value + 1e-12
        assert found.value - 1e-12 <= found.high <= 1


def test_with_one_sample_a_problem_the_interval_is_wilsons() -> None:
    """Both ends solve (p - value)^2 = z^2 p (1 - p) / n."""
    z = NormalDist().inv_cdf(0.975)
    for right, n in ((8, 10), (0, 20), (20, 20), (1, 3)):
        found = estimate([(1, 1)] * right + [(1, 0)] * (n - right), 1)
        assert found is not None
        for end in (found.low, found.high):
            assert (end - right / n) ** 2 == pytest.approx(z**2 * end * (1 - end) / n, abs=1e-12)
        assert found.low <= right / n <= found.high
        assert found.low < found.high


def test_with_several_samples_the_interval_is_the_normal_one_over_problems() -> None:
    shares = [0.3, 0.9, 0.0, 0.5]
    found = estimate([(10, round(10 * share)) for share in shares], 1)
    assert found is not None
    half = NormalDist().inv_cdf(0.975) * stdev(shares) / len(shares) ** 0.5
    assert found.value == pytest.approx(mean(shares))
    assert found.low == pytest.approx(mean(shares) - half)
    assert found.high == pytest.approx(mean(shares) + half)


def test_more_problems_narrow_the_interval() -> None:
    few, many = estimate([(1, 1), (1, 0)] * 5, 1), estimate([(1, 1), (1, 0)] * 500, 1)
    assert few is not None
    assert many is not None
    assert many.high - many.low < (few.high - few.low) / 5
