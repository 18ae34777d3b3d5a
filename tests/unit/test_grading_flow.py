"""What an attempt sends and when it stops, without an executor: outcomes come back in any order and decide the same."""

import random
from collections.abc import Sequence
from typing import Any

import pytest

from reexec.engine.outcome import Outcome
from reexec.engine.program import Program
from reexec.runners.graders import plan
from reexec.runners.graders.flow import FIRST_TESTS, Attempt

PROGRAM = Program("def f():\n    pass", "f")
KINDS = {"a": "value", "w": "value", "c": "cpu-limit", "x": "exception", "e": "engine-error"}
WORDS = {"a": "accepted", "w": "wrong-answer", "c": "cpu-limit", "x": "runtime-error", "e": "engine-error", "-": "not-run"}


def decide(values: Sequence[Any]) -> str:
    return "" if values == ["a"] else "wrong"


def play(script: str, seed: int, **rules: Any) -> tuple[str, int]:
    """The words of a sample whose tests come to `script`, with outcomes delivered in a drawn order; how many ran."""
    tests = [plan.Test(str(number), (plan.Run(PROGRAM),), decide) for number in range(len(script))]
    attempt = Attempt(plan.Plan(tests, **rules), None)
    out: list[tuple[int, int]] = []
    draw = random.Random(seed)
    ran = most = 0
    while not attempt.done:
        while (found := attempt.next_run()) is not None:
            out.append(found[:2])
            ran += 1
        most = max(most, len(out))
        at, index = out.pop(draw.randrange(len(out)))
        attempt.take(at, index, Outcome(KINDS[script[at]], script[at]))  # type: ignore[arg-type]
    words = "".join(next(key for key, word in WORDS.items() if word == result.word) for result in attempt.finished_results())
    assert most <= FIRST_TESTS + script.count("a")
    return words, ran


@pytest.mark.parametrize("seed", range(20))
def test_the_order_of_outcomes_decides_nothing(seed: int) -> None:
    script = "aawaacaxaawaaaaeaaaa"
    assert play(script, seed)[0] == script
    assert play(script, seed, stop_at_failure=True)[0] == "aaw" + "-" * 17
    assert play(script, seed, stop_at_limit=True)[0] == "aawaac" + "-" * 14


def test_a_sample_that_loops_costs_a_few_limits_and_not_one_a_test() -> None:
    for rule in ("stop_at_failure", "stop_at_limit"):
        words, ran = play("c" * 1000, 0, **{rule: True})
        assert words == "c" + "-" * 999
        assert ran <= FIRST_TESTS


def test_a_failure_of_the_engine_stops_nothing() -> None:
    assert play("aeaw", 0, stop_at_failure=True)[0] == "aeaw"


def test_groups_stop_on_their_own() -> None:
    tests = [plan.Test(name, (), lambda _: "wrong", name[0]) for name in ("b1", "b2", "p1", "p2")]
    attempt = Attempt(plan.Plan(tests, stop_at_failure=True), None)
    assert attempt.next_run() is None
    assert [result.word for result in attempt.finished_results()] == ["wrong-answer", "not-run", "wrong-answer", "not-run"]
