"""The result channel, neighbours and time hold on isolation level `none` too, for a program that leaves its zygote alone: there
is no jail, but what a child inherits and how the zygote reads are the same."""

import json
from collections.abc import Callable, Iterator

import pytest

from reexec import Executor, Program
from reexec.engine.conformance import Case
from reexec.policies.model import IsolationLevel, Policy
from tests.attacks.harness import corpus

NONE = IsolationLevel.NONE
WORDS = {"channel-drained-by-name": "wall-limit"}  # there is a /proc
# Scratch folders need a jail, and limits hold there only where the caller may not raise them.
CASES = [
    case
    for case in corpus()
    if case.group in ("channel", "neighbours", "waiting") and "scratch" not in case.id and case.id != "neighbours-limit-raised"
]


@pytest.fixture(scope="module")
def executor_for() -> Iterator[Callable[[Policy], Executor]]:
    made: dict[str, Executor] = {}

    def get(policy: Policy) -> Executor:
        if policy.digest not in made:
            made[policy.digest] = Executor(policy, workers=1, isolation=NONE)
        return made[policy.digest]

    yield get
    for executor in made.values():
        executor.shutdown()


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.id, marks=[] if case.short else pytest.mark.slow) for case in CASES]
)
def test_an_attack_gets_its_word_without_a_jail(case: Case, executor_for: Callable[[Policy], Executor]) -> None:
    executor = executor_for(case.policy(NONE))
    verdict = executor.check(Program(case.program, case.entry), json.loads(case.call), json.loads(case.value))
    assert verdict.word in (WORDS.get(case.id, case.expect), *case.widened), verdict.outcome
    if case.then:
        after = executor.check(Program(case.then, "f"), [], json.loads(case.then_value))
        assert after.accepted, after.outcome
    assert executor.statistics().worker_deaths == 0
