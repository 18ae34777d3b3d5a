"""What runs of a test come to, what a set of tests is worth, and by what a proven value is found again."""

from types import SimpleNamespace
from typing import Any

import pytest

from reexec import Policy, Program, load_policy
from reexec.engine.outcome import Outcome
from reexec.engine.program import Call, Script, Stdin
from reexec.runners.graders import plan as graders_plan
from reexec.runners.graders.flow import Attempt
from reexec.runners.graders.io_tests import IoTests, _value_rule
from reexec.runners.graders.plan import NOT_RUN, Plan, Result, Run, settle
from reexec.runners.graders.problems import Problems
from reexec.runners.graders.proven import ProvenValues

F = Program("def f(n):\n    return n", "f")
SCRIPT = Run(Script("print(1)"), Stdin(b""))


def seen(values: Any) -> str:
    """Never content: says what it was given."""
    return repr(list(values))


# -- one test -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "word", "said"),
    [
        (Outcome("value", 0, stdout="1\n"), "wrong-answer", "['1\\n']"),
        (Outcome("value", 3, stdout="1\n"), "runtime-error", "exit status 3"),
        (Outcome("value", None, stdout="1\n"), "runtime-error", "exit status None"),
        (Outcome("cpu-limit"), "cpu-limit", ""),
        (Outcome("exception"), "runtime-error", ""),
        (Outcome("engine-error", detail="no worker"), "engine-error", "no worker"),
    ],
)
def test_a_script_is_judged_by_what_it_printed_where_it_ended_well(outcome: Outcome, word: str, said: str) -> None:
    result = settle(graders_plan.Test("t", (SCRIPT,), seen), [outcome])
    assert result.word == word
    assert said in result.detail


def test_the_first_run_that_gave_no_value_settles_a_test_of_several() -> None:
    test = graders_plan.Test("t", (Run(F), Run(F), Run(F)), seen)
    assert settle(test, [Outcome("value", n) for n in (1, 2, 3)]).detail == "[1, 2, 3]"
    assert settle(test, [Outcome("value", 1), Outcome("wall-limit"), Outcome("exception")]).word == "wall-limit"


def test_a_test_of_several_runs_waits_for_all_of_them_in_any_order() -> None:
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)):
        attempt = Attempt(
            Plan([graders_plan.Test("t", (Run(F), Run(F), Run(F)), lambda values: "" if values == [0, 1, 2] else "no")]), None
        )
        while attempt.next_run() is not None:
            pass
        for index in order:
            assert not attempt.done
            attempt.take(0, index, Outcome("value", index))
        assert attempt.done
        assert [result.word for result in attempt.finished_results()] == ["accepted"], order


# -- values over JSON ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("actual", "expected", "equal"),
    [
        (6, 6, True), (6, [6], True), (6, [7], False), ((1, 2), [1, 2], True), ([(1, 2)], [[1, 2]], True),
        ([1, 2], [[1, 2]], True), ([], [], True), (None, [], False), ([6], 6, False), (1, [1, 2], False), ("a", "a", True),
    ],
)  # fmt: skip
def test_a_value_is_right_as_json_says_it_and_in_one_more_list_as_some_sets_have_it(
    actual: Any, expected: Any, equal: bool
) -> None:
    assert (_value_rule(expected)([actual]) == "") is equal


# -- what a set of tests is worth ---------------------------------------------------------------------------------------


def graded(words: str, score: Any) -> dict[str, Any]:
    names = {"a": "accepted", "w": "wrong-answer", "e": "engine-error", "-": NOT_RUN}
    executor: Any = SimpleNamespace()
    task = IoTests(Problems.of_rows({}), executor, score=score)
    plan = Plan([graders_plan.Test(str(n), (Run(F),), seen) for n in range(len(words))])
    counts: dict[str, Any] = {}
    members = task.members(plan, [Result(names[word]) for word in words])
    task.note(counts, members)
    return {**members, "counts": counts, **task.summary(counts)}


@pytest.mark.parametrize(
    ("words", "score", "worth"),
    [
        ("aaaa", "fraction", 1.0), ("aaww", "fraction", 0.5), ("a---", "fraction", 0.25), ("aw--", "fraction", 0.25),
        ("wwww", "fraction", 0.0), ("aaaa", "all", 1.0), ("aaaw", "all", 0.0), ("aw--", "first-failure", 0.0),
        ("a", "first-failure", 1.0),
    ],
)  # fmt: skip
def test_a_share_is_of_all_tests_and_not_of_those_that_ran(words: str, score: Any, worth: float) -> None:
    found = graded(words, score)
    assert found["score"] == worth
    assert found["mean_score"] == worth


def test_a_sample_that_the_engine_failed_at_is_no_zero_in_the_mean() -> None:
    assert graded("e", "all")["counts"] == {"score": 0.0, "scored": 0}
    assert graded("w", "all")["counts"] == {"score": 0.0, "scored": 1}


# -- proven values ------------------------------------------------------------------------------------------------------


def digest(policy: Policy, version: str, *runs: Run) -> str:
    executor: Any = SimpleNamespace(policy=policy, interpreter=SimpleNamespace(version_text=version))
    return ProvenValues(executor, "test")._digest(list(runs))


def test_a_proof_holds_for_its_runs_its_interpreter_and_what_could_change_a_value() -> None:
    grade = Policy.preset("grade")
    run, other = Run(F, Call((1,))), Run(F, Call((2,)))
    known = digest(grade, "3.12.1", run)
    assert digest(grade, "3.12.1", Run(Program(F.source, "f"), Call((1,)))) == known
    assert digest(load_policy("grade", settings=["limits.cpu_s=1"]), "3.12.1", run) == known, "limits change no value"
    others = {
        digest(grade, "3.12.2", run),
        digest(grade, "3.12.1", other),
        digest(grade, "3.12.1", run, other),
        digest(grade, "3.12.1", Run(F, Call((True,)))),
        digest(grade, "3.12.1", Run(F, Call((), {"n": 1}))),
        digest(load_policy("grade", settings=["determinism.hash_seed=9"]), "3.12.1", run),
        digest(load_policy("grade", settings=["determinism.random_seed=9"]), "3.12.1", run),
        digest(grade.model_copy(update={"prelude": ("import math",)}), "3.12.1", run),
    }
    assert len(others) == 8
    assert known not in others
