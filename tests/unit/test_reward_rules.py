"""What the results of a completion's tests come to, what is never a number, and who shares an executor and a problem."""

from collections.abc import Iterator
from typing import Any

import pytest

from reexec import EngineError, Policy, UsageError, load_policy
from reexec.engine.outcome import Outcome
from reexec.runners.graders import plan as graders_plan
from reexec.runners.graders.plan import NOT_RUN, Plan, Result, Run
from reexec.runners.rewards import executors, trl, truth
from reexec.runners.rewards.core import Score
from reexec.runners.rewards.hearing import heard, refuse_unusable
from reexec.runners.rewards.plans import Grade, outcome_of
from reexec.runners.rewards.truth import Problem, read_truth
from tests.unit.test_plans_settle import F

WORDS = {"a": "accepted", "w": "wrong-answer", "c": "cpu-limit", "e": "engine-error", "-": NOT_RUN}
ENGINE = Score(None, "engine-error", "no worker", "engine")
LATE = Score(None, "", "not judged when the timeout was over", "deadline")
NO_ROW = Score(None, "", "nothing to judge by, at $", "row")
RIGHT, WRONG = Score(1.0, "accepted"), Score(0.0, "wrong-answer")


def came_to(words: str, grade: Grade) -> tuple[str, float | None]:
    plan = Plan([graders_plan.Test(str(n), (Run(F),), lambda _: "") for n in range(len(words))])
    results = [Result(WORDS[word], f"test {n}", Outcome("value")) for n, word in enumerate(words)]
    word, reward, detail = outcome_of(plan, results, grade)
    assert detail == next((f"test {n}" for n, one in enumerate(words) if WORDS[one] == word and word != "accepted"), "")
    return word, reward


@pytest.mark.parametrize(
    ("words", "all_word", "all_reward", "fraction_word", "fraction"),
    [
        ("aa", "accepted", 1.0, "accepted", 1.0),
        ("aw", "wrong-answer", 0.0, "wrong-answer", 0.5),
        ("awc-", "wrong-answer", 0.0, "wrong-answer", 0.25),
        ("acw-", "cpu-limit", 0.0, "cpu-limit", 0.25),
        ("w---", "wrong-answer", 0.0, "wrong-answer", 0.0),
        ("ae", "engine-error", None, "engine-error", None),
        ("e", "engine-error", None, "engine-error", None),
        ("ew", "wrong-answer", 0.0, "engine-error", None),  # wrong it is in any case; how much of it is right is not known
        ("we-", "wrong-answer", 0.0, "engine-error", None),
    ],
)
def test_where_the_engine_failed_there_is_no_reward_unless_the_answer_is_wrong_in_any_case(
    words: str, all_word: str, all_reward: float | None, fraction_word: str, fraction: float | None
) -> None:
    assert came_to(words, "all") == (all_word, all_reward)
    assert came_to(words, "fraction") == (fraction_word, fraction)


def test_a_plan_that_is_settled_needs_no_results() -> None:
    assert outcome_of(Plan(verdict="no-answer", detail="why"), [], "all") == ("no-answer", 0.0, "why")
    assert outcome_of(Plan(verdict="accepted"), [], "fraction") == ("accepted", 1.0, "")


# -- what is heard ------------------------------------------------------------------------------------------------------


def test_a_reward_is_heard_as_the_number_that_it_is() -> None:
    assert (heard(RIGHT), heard(WRONG), heard(Score(0.25, "wrong-answer"))) == (1.0, 0.0, 0.25)


@pytest.mark.parametrize(
    ("score", "kind", "said"),
    [
        (ENGINE, EngineError, "no reward, the engine failed: no worker"),
        (LATE, EngineError, "no reward: not judged when the timeout was over"),
        (NO_ROW, UsageError, "nothing to judge by"),
    ],
)
def test_no_reward_is_heard_as_an_exception_that_no_caller_takes_for_a_zero(
    score: Score, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said) as raised:
        heard(score)
    assert not isinstance(raised.value, TimeoutError)
    assert not (kind is EngineError and isinstance(raised.value, UsageError))


def test_a_batch_is_refused_only_where_no_row_of_it_can_be_judged_by() -> None:
    for scores in ([], [NO_ROW, RIGHT], [NO_ROW, ENGINE], [LATE], [WRONG]):
        refuse_unusable(scores)
    with pytest.raises(UsageError, match="no row of the batch can be judged by: nothing to judge by"):
        refuse_unusable([NO_ROW, NO_ROW])


@pytest.mark.parametrize(
    ("version", "takes_none"),
    [("1.5.2", False), ("0.19.0", False), ("1.6", True), ("1.6.0", True), ("1.16.0", True), ("2.0", True)],
)
def test_trl_is_told_none_from_the_release_on_that_knows_it(
    monkeypatch: pytest.MonkeyPatch, version: str, takes_none: bool
) -> None:
    monkeypatch.setattr(trl, "version", lambda name: version)
    trl._takes_none.cache_clear()
    try:
        assert trl._takes_none() is takes_none
        if takes_none:
            assert trl._told([RIGHT, ENGINE, LATE, NO_ROW], {}) == [1.0, None, None, None]
        else:
            assert trl._told([RIGHT, NO_ROW], {}) == [1.0, None]
            for score in (ENGINE, LATE):
                with pytest.raises(EngineError, match="no reward"):
                    trl._told([RIGHT, score], {})
    finally:
        trl._takes_none.cache_clear()


def test_a_column_has_one_member_for_each_completion() -> None:
    more: dict[str, Any] = {
        "a": [1, 2], "longer": [1, 2, 3], "shorter": [1], "text": "pq", "completion_ids": [[1], [2]], "trainer_state": {},
    }  # fmt: skip
    assert trl._rows(["p", "q"], more) == [{"prompt": "p", "a": 1}, {"prompt": "q", "a": 2}]


# -- who shares ---------------------------------------------------------------------------------------------------------


class Opened:
    def __init__(self, policy: Policy, *, workers: int | None) -> None:
        self.policy, self.workers, self.is_open = policy, workers, True

    def shutdown(self) -> None:
        self.is_open = False


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    executors.shutdown()
    monkeypatch.setattr(executors, "Executor", Opened)
    yield
    executors.shutdown()


def test_an_executor_is_shared_by_what_has_its_policy_and_number_of_workers(opened: None) -> None:
    plain, short = Policy.preset("codeio"), load_policy("codeio", settings=["limits.cpu_s=1"])
    first = executors.executor_for(plain, 2)
    assert executors.executor_for(Policy.preset("codeio"), 2) is first
    others: list[Any] = [
        executors.executor_for(short, 2),
        executors.executor_for(plain, 3),
        executors.executor_for(plain, None),
    ]
    assert len({id(first), *map(id, others)}) == 4
    assert [(one.policy.digest, one.workers) for one in others] == [(short.digest, 2), (plain.digest, 3), (plain.digest, None)]
    first.shutdown()
    assert executors.executor_for(plain, 2) is not first, "one that ended is replaced"


def test_problems_are_the_same_where_grader_and_content_are() -> None:
    def problem(row: dict[str, Any]) -> Problem:
        found = read_truth(row)
        assert isinstance(found, Problem)
        return found

    tests = {"test_list": ["assert f(1) == 1"]}
    assert problem(tests).digest == problem({**tests, "other": None}).digest
    assert problem(tests).digest != problem({"test_list": ["assert f(1) == 2"]}).digest
    both = {"tests": [{"input": "1", "output": "1"}]}
    assert problem(both).task != problem({**both, "test_list": []}).task


def test_the_same_row_for_two_graders_is_two_problems() -> None:
    row = {"tests": "[]"}
    assert truth._problem("mbpp", row).digest != truth._problem("tests", row).digest
