"""CRUXEval: literals by default; with the official semantics every prediction counts as the harness would count it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reexec import Executor, Policy, UsageError
from reexec.runners.graders.cruxeval import CruxEval, Mode, Semantics, disagreements, percent_at_k, score_lists
from reexec.runners.graders.cruxeval_run import grade_cruxeval
from reexec.runners.graders.problems import Problems

CODE = "calls = []\ndef f(x, y=1):\n    calls.append(x)\n    return [x, y]\n"
PROBLEM = {"id": "sample_0", "code": CODE, "input": "3", "output": "[3, 1]"}


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor(Policy.preset("cruxeval"), workers=1) as found:
        yield found


@pytest.fixture
def problems(tmp_path: Path) -> Problems:
    path = tmp_path / "problems.jsonl"
    path.write_text(json.dumps(PROBLEM) + "\n")
    return Problems([path], ("code", "input", "output"))


def judged(executor: Executor, problems: Problems, mode: Mode, semantics: Semantics, *texts: str) -> list[str]:
    run = CruxEval(problems, {"sample_0": list(texts)}, mode, semantics, executor)
    return [each.word for each in run.predictions()]


@pytest.mark.parametrize(
    ("text", "literal", "official"),
    [
        ("f(3)", "accepted", "accepted"),
        (" f(x=3, y=1) ", "accepted", "accepted"),
        ("f(3.0)", "accepted", "accepted"),
        ("f(4)", "wrong-answer", "wrong-answer"),
        ("f()", "runtime-error", "runtime-error"),
        ("f(1 + 2)", "no-answer", "accepted"),
        ("f(*[3])", "no-answer", "accepted"),
        ("f(3", "no-answer", "no-answer"),
        ("3", "no-answer", "no-answer"),
        ("f(3) if True else f(4)", "no-answer", "accepted"),
        ("f(4) or f(3)", "no-answer", "accepted"),  # ([3, 1] == f(4)) or f(3)
        ("f(4) or []", "no-answer", "wrong-answer"),
        ("f(3) and f(0)", "no-answer", "accepted"),
        ("f(3) == [3, 1]", "no-answer", "accepted"),
        ("f(3) == [4, 1]", "no-answer", "wrong-answer"),
        ("f(3), f(4)", "no-answer", "accepted"),  # the message of the assertion
        ("f(3)\nassert len(calls) == 1", "no-answer", "accepted"),
        ("f(3)\nassert len(calls) == 2", "no-answer", "runtime-error"),
        ("f(3) # three", "accepted", "accepted"),
        ("f(3)\nwhile True: pass", "no-answer", "cpu-limit"),
    ],
)
def test_an_input_prediction(executor: Executor, problems: Problems, text: str, literal: str, official: str) -> None:
    assert judged(executor, problems, "input", "literal", text) == [literal]
    assert judged(executor, problems, "input", "official", text) == [official]


@pytest.mark.parametrize(
    ("text", "literal", "official"),
    [
        ("[3, 1]", "accepted", "accepted"),
        ("[3, True]", "accepted", "accepted"),
        ("(3, 1)", "wrong-answer", "wrong-answer"),
        ("[3] + [1]", "no-answer", "accepted"),
        ("f(2 + 1)", "no-answer", "accepted"),
        ("f(3)", "no-answer", "no-answer"),
        ("[3, 1", "no-answer", "no-answer"),
        ("", "no-answer", "no-answer"),
        ("__import__('os')._exit(0)", "no-answer", "early-exit"),
    ],
)
def test_an_output_prediction(executor: Executor, problems: Problems, text: str, literal: str, official: str) -> None:
    assert judged(executor, problems, "output", "literal", text) == [literal]
    assert judged(executor, problems, "output", "official", text) == [official]


def test_the_expected_output_never_enters_the_jail(executor: Executor, problems: Problems) -> None:
    look = "f([o for o in __import__('gc').get_objects() if o == [3, 1]][0])"
    assert judged(executor, problems, "input", "official", look) == ["runtime-error"]


def test_lists_leave_out_what_the_harness_leaves_out(executor: Executor, problems: Problems) -> None:
    run = CruxEval(problems, {"sample_0": ["3", "f(3)", "f(4)"]}, "input", "official", executor)
    predictions = list(run.predictions())
    assert score_lists(predictions, "official") == {"sample_0": [True, False]}
    assert score_lists(predictions, "literal") == {"sample_0": [False, True, False]}
    assert not disagreements(predictions, {"sample_0": [True, False]}, problems, "input")
    assert [each.text for each, _ in disagreements(predictions, {"sample_0": [False, False]}, problems, "input")] == ["f(3)"]
    none_right = list(CruxEval(problems, {"sample_0": ["3", "f(4)"]}, "input", "official", executor).predictions())
    assert score_lists(none_right, "official") == {"sample_0": [False, False]}


def test_an_expected_output_that_is_an_expression_is_evaluated_in_the_jail(executor: Executor, tmp_path: Path) -> None:
    path = tmp_path / "problems.jsonl"
    path.write_text(json.dumps({**PROBLEM, "code": "def f(x):\n    return x * 2", "output": "float('inf')"}) + "\n")
    problems = Problems([path], ("code", "input", "output"))
    assert judged(executor, problems, "input", "official", "f(float('inf'))", "f(1)") == ["accepted", "wrong-answer"]
    path.write_text(json.dumps({**PROBLEM, "output": "no expression"}) + "\n")
    with pytest.raises(UsageError, match=r"at \$\.output"):
        judged(executor, Problems([path], ()), "output", "literal", "1")


def test_percentages_are_those_of_the_harness() -> None:
    scores = {"a": [True] * 10, "b": [False] * 10, "c": [True] + [False] * 9}
    assert percent_at_k(scores, 1) == pytest.approx(100 * (1 + 0 + 0.1) / 3)
    assert percent_at_k(scores, 5) == pytest.approx(100 * (1 + 0 + 0.5) / 3)


def test_the_same_run_is_found_complete_and_another_is_refused(executor: Executor, problems: Problems, tmp_path: Path) -> None:
    generations, output = tmp_path / "generations.json", tmp_path / "scored.json"
    generations.write_text(json.dumps({"sample_0": ["f(3)", "f(4)"]}))

    def run(mode: Mode = "input") -> Any:
        return grade_cruxeval(list(problems.paths), generations, output, executor, mode=mode)

    first = run()
    assert (first.pass_at_1, first.already_done) == (50.0, False)
    written = output.read_bytes()
    again = run()
    assert (again.pass_at_1, again.already_done, output.read_bytes()) == (50.0, True, written)
    assert json.loads(written)["raw_scored_generations"] == {"sample_0": [True, False]}
    with pytest.raises(UsageError, match="mode"):
        run("output")
