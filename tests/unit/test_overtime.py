"""How much longer than its budget a check runs on, so that a limit that is near is told apart from one that is far away."""

from typing import Any

from reexec.engine.protocol.setup import Setup
from reexec.engine.zygote.supervision import OVERTIME, OVERTIME_MOST, overtime_s


def setup(**more: Any) -> Setup:
    empty: dict[str, Any] = dict.fromkeys(Setup._fields)
    return Setup(**empty | {"cpu_s": 10.0, "confirm": True, "processes": 1} | more)


def test_without_confirmation_there_is_none() -> None:
    assert overtime_s(setup(confirm=False), 0.0) == 0.0
    assert overtime_s(setup(confirm=False, processes=4), 5.0) == 0.0


def test_it_grows_with_the_time_that_others_took_up_to_a_bound() -> None:
    assert overtime_s(setup(), 0.0) == OVERTIME * 10
    assert overtime_s(setup(), 0.1) == OVERTIME * 10 + 0.1
    assert overtime_s(setup(), 1000.0) == OVERTIME_MOST * 10


def test_a_tree_of_processes_has_all_of_it() -> None:
    assert overtime_s(setup(processes=2), 0.0) == OVERTIME_MOST * 10
