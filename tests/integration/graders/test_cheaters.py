"""No solution of our set of cheaters passes, through whichever grader it goes; the honest one of each kind does."""

from collections.abc import Iterator

import pytest

from reexec import Executor, load_policy
from reexec.runners.graders.assertions import AssertionTest, ProblemTest, plan_assertions, prepared
from reexec.runners.graders.flow import Attempt, run_attempts
from reexec.runners.graders.io_tests import IoTests
from reexec.runners.graders.lifting import joined_source, lift_all
from reexec.runners.graders.plan import Plan
from reexec.runners.graders.problems import Problems
from reexec.runners.graders.task import first_failure
from tests.support import cheaters

SETTINGS = ["limits.cpu_s=1", "limits.idle_s=1", "limits.capture_bytes=65536", "limits.confirm=false"]


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor(load_policy("contest", settings=SETTINGS), workers=2) as found:
        yield found


def plans(executor: Executor, sources: list[tuple[str, str]]) -> list[Plan]:
    setup, body = cheaters.OBJECTS
    texts = {"check": ("", f"{cheaters.CHECK}\ncheck(double)"), "close": ("", f"{cheaters.CLOSE}\ncheck(double)")}
    texts["objects"] = (setup, body)
    lifted = lift_all(executor, [(joined_source(*text), kind) for kind, text in texts.items()])
    tests = {kind: AssertionTest(ProblemTest(*texts[kind]), found) for found, kind in lifted}
    assert {kind: bool(test.lifted.refused) for kind, test in tests.items()} == {
        "check": False,
        "close": False,
        "objects": True,
    }
    task = IoTests(Problems([], ()), executor)
    made = []
    for kind, source in sources:
        if kind in tests:
            made.append(plan_assertions(source, tests[kind]))
        else:
            own = cheaters.CALLS if kind == "call" else cheaters.SCRIPT
            made.append(task.plan({"code": source, "input_output": own}, ""))
    return made


def words(executor: Executor, sources: list[tuple[str, str]]) -> list[str]:
    attempts = run_attempts(executor, [Attempt(plan, None) for plan in plans(executor, sources)])
    return [first_failure(attempt.finished_results()) for attempt in attempts]


def test_the_set_is_large_and_its_names_are_unique_by_kind() -> None:
    names = [(each.kind, each.name) for each in cheaters.CHEATERS]
    assert len(names) == len(set(names)) >= 60


def test_no_cheater_passes(executor: Executor) -> None:
    found = words(executor, [(each.kind, each.source) for each in cheaters.CHEATERS])
    passed = [f"{each.kind}: {each.name}" for each, word in zip(cheaters.CHEATERS, found, strict=True) if word == "accepted"]
    assert not passed
    assert "engine-error" not in found


def test_honest_solutions_pass(executor: Executor) -> None:
    assert words(executor, list(cheaters.RIGHT.items())) == ["accepted"] * len(cheaters.RIGHT)


def test_no_cheater_about_objects_passes_apart_from_its_test(executor: Executor) -> None:
    setup, body = cheaters.OBJECTS
    body += "\nassert total(root.left) == 2"  # one that is right once is right whenever it is asked the same
    test = prepared(executor, [("objects", ProblemTest(setup, body, cheaters.RIGHT["objects"]))])["objects"]
    assert test.apart is not None
    assert test.apart.objects
    sources = [each.source for each in cheaters.CHEATERS if each.kind == "objects"]
    attempts = [Attempt(plan_assertions(source, test), None) for source in [*sources, cheaters.RIGHT["objects"]]]
    found = [first_failure(attempt.finished_results()) for attempt in run_attempts(executor, attempts)]
    assert len(sources) >= 10
    assert found[-1] == "accepted"
    assert "accepted" not in found[:-1]
    assert "engine-error" not in found
