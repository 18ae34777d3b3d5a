"""EvalPlus's own rules: tolerances, tasks with other readings, restored inputs."""

from typing import Any

import pytest

from reexec.runners.graders.evalplus_inputs import restored
from reexec.runners.graders.evalplus_rules import difference, tolerances


def equal(
    actual: Any, expected: Any, *, family: str = "mbpp", entry: str = "f", args: tuple[Any, ...] = (), atol: float = 0
) -> bool:
    return difference(family, entry, args, actual, expected, atol) == ""


def test_an_expected_float_switches_a_tolerance_on_for_what_follows() -> None:
    assert tolerances([1, 1.5, "x", [2.0, 3.0], []], 0) == [0, 1e-6, 1e-6, 1e-6, 1e-6]
    assert tolerances([1, 1.5], 1e-4) == [1e-4, 1e-4]


@pytest.mark.parametrize(
    ("actual", "expected", "atol", "same"),
    [
        (1, 1.0, 0, True),
        (0.3, 0.1 + 0.2, 0, False),
        (0.3, 0.1 + 0.2, 1e-6, True),
        (0.3, 0.31, 1e-6, False),
        (1, 1.0000001, 1e-6, False),  # of another type
        ((0.3, 1.0), [0.3, 1.0], 1e-6, False),
        ([0.3, 1.0], [0.3000001, 1.0], 1e-6, True),
        ([0.3], [0.3000001, 1.0], 1e-6, False),
        (1e-7, 0.0, 1e-6, True),
        (2e-6, 0.0, 1e-6, False),
        (1e9 + 50, 1e9, 1e-6, True),  # by the relative tolerance of 1e-7
        (1e9 + 500, 1e9, 1e-6, False),
        ([float("inf"), 0.3], [float("inf"), 0.3000001], 1e-6, True),
        ([float("inf"), 0.3], [float("-inf"), 0.3], 1e-6, False),
        ("a", "b", 1e-6, False),
        (float("inf"), float("inf"), 1e-6, True),
        (float("inf"), 1.0, 1e-6, False),
        (None, 1.0, 1e-6, False),
        (10**400, 1, 1e-6, False),
    ],
)
def test_close_values_are_of_one_type(actual: Any, expected: Any, atol: float, same: bool) -> None:
    assert equal(actual, expected, atol=atol) is same


def test_single_tasks_have_rules_of_their_own() -> None:
    assert equal([2, 1, 1], (1, 2), entry="similar_elements")
    assert not equal([2, 1, 3], (1, 2), entry="similar_elements")
    assert equal([0.3, 1.0], [0.3000001, 1.0], entry="find_dissimilar", atol=1e-6)  # behind the sets, the tolerance
    assert not equal([0.3, 1.0], [0.3000001, 1.0], entry="find_dissimilar")
    assert not equal([[1]], [[1]], entry="similar_elements")  # elements that no set can hold
    assert equal(0, 7, entry="sum_div")
    assert equal("anything", True, entry="are_equivalent")
    assert equal(0.0, None, family="humaneval", entry="find_zero", args=([0, 1],), atol=1e-4)
    assert not equal(1.0, None, family="humaneval", entry="find_zero", args=([0, 1],), atol=1e-4)
    assert equal(33, 1, entry="surface_Area", args=(3, 4), atol=1) is (abs(33 - round(9 + 6 * (2.25 + 16) ** 0.5)) <= 1)
    assert equal(9, 0, entry="digit_distance_nums", args=(1, 10)) is False
    assert equal(2, 0, entry="digit_distance_nums", args=(1, 10))


@pytest.mark.parametrize(
    ("task", "given", "args"),
    [
        ("Mbpp/2", [[1], [2]], [(1,), (2,)]),
        ("Mbpp/63", [[[1, 2]]], [[(1, 2)]]),
        ("Mbpp/75", [[[1, 2]], 3], [[(1, 2)], 3]),
        ("Mbpp/106", [[1], [2]], [[1], (2,)]),
        ("Mbpp/115", [[[1], []]], [[{1}, {}]]),
        ("Mbpp/124", ["1", "1j"], [1.0, 1j]),
        ("Mbpp/252", ["1+2j"], [1 + 2j]),
        ("Mbpp/278", [[1, [2]]], [(1, (2,))]),
        ("Mbpp/307", [[1], 2, 3], [(1,), 2, 3]),
        ("Mbpp/580", [[1, [2]]], [(1, (2,))]),
        ("Mbpp/722", [{"a": [1]}, 2], [{"a": (1,)}, 2]),
        ("Mbpp/1", [[1]], [[1]]),
        ("HumanEval/2", [[1]], [[1]]),
    ],
)
def test_inputs_are_restored_by_task(task: str, given: list[Any], args: list[Any]) -> None:
    assert restored(task, given) == args
