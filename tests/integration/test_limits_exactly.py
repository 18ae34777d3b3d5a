"""Limits on time one by one: which of them ends a check, and what usage says about it."""

import pytest

from reexec import Executor, Outcome, Program, load_policy

_SOURCE = (
    "import time\ndef f(s):\n    began = time.process_time()\n    while time.process_time() - began < s:\n"
    "        pass\n    return s"
)
BURN = Program(_SOURCE, "f")
NAP = Program("import time\ndef f(s):\n    time.sleep(s)\n    return s", "f")
BOTH = Program(BURN.source.replace("return s", "time.sleep(60)"), "f")


def run(program: Program, argument: object, *settings: str) -> Outcome:
    with Executor(load_policy("codeio", settings=[f"limits.{setting}" for setting in settings]), workers=1) as executor:
        return executor.submit(program, [argument]).result()


def test_an_idle_limit_below_the_processor_limit_ends_only_sleepers() -> None:
    settings = ("cpu_s=3", "idle_s=0.3")
    assert run(BURN, 0.8, *settings).kind == "value"
    assert run(NAP, 0.1, *settings).kind == "value"
    asleep = run(NAP, 30, *settings)
    assert asleep.kind == "wall-limit"
    assert asleep.usage.cpu_s < 0.3 <= asleep.usage.wall_s
    assert run(BOTH, 0.5, *settings).kind == "wall-limit", "what burns first and sleeps then has slept all the same"


def test_a_processor_limit_below_the_idle_limit_ends_only_who_burns() -> None:
    settings = ("cpu_s=0.3", "idle_s=3")
    assert run(NAP, 0.8, *settings).kind == "value"
    burnt = run(BURN, 30, *settings)
    assert burnt.kind == "cpu-limit"
    assert burnt.usage.cpu_s >= 0.3


@pytest.mark.parametrize(("need", "attempts"), [(0.5 * 1.005, 2), (30.0, 1)])
def test_the_processor_time_beyond_the_limit_is_not_the_checks_own(need: float, attempts: int) -> None:
    outcome = run(BURN, need, "cpu_s=0.5", "idle_s=5")
    assert (outcome.kind, outcome.attempts) == ("cpu-limit", attempts)
    assert 0.5 <= outcome.usage.cpu_s <= 0.5 * 1.05 + 0.02


def test_a_value_that_comes_after_the_limit_is_not_a_value() -> None:
    """It is there 0.5 % after its limit, while the zygote still waits to see how near the limit is."""
    assert run(BURN, 0.5 * 1.005, "cpu_s=0.5").kind == "cpu-limit"
    assert run(BURN, 0.5 * 0.9, "cpu_s=0.5").kind == "value"
