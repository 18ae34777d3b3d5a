"""pass@k against its definition by counting draws."""

from itertools import combinations

import pytest

from reexec.runners.graders.pass_at_k import Estimate, estimate, estimates, pass_at_k


@pytest.mark.parametrize(("n", "c", "k"), [(5, 0, 1), (5, 2, 1), (6, 2, 3), (10, 7, 5), (4, 4, 2), (3, 1, 3)])
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


def test_more_problems_narrow_the_interval() -> None:
    few, many = estimate([(1, 1), (1, 0)] * 5, 1), estimate([(1, 1), (1, 0)] * 500, 1)
    assert few is not None
    assert many is not None
    assert many.high - many.low < (few.high - few.low) / 5
