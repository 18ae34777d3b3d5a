"""`reexec grade` from files to files: rows, side file, summary, rejects, interruption and explanation."""

import json
from pathlib import Path
from typing import Any

import pytest

from reexec import Executor, Policy
from reexec.runners.graders.problems import Problems
from reexec.runners.graders.registry import task_named
from reexec.runners.graders.stage import grade
from tests.support.helpers import read_rows, reexec, write_rows

HUMANEVAL = {
    "task_id": "HumanEval/900",
    "prompt": "def inc(n):\n",
    "entry_point": "inc",
    "canonical_solution": "    return n + 1\n",
    "test": "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(-1) == 0\n",
}
MBPP = {
    "task_id": 901,
    "text": "Add one.",
    "code": "def inc(n):\n    return n + 1",
    "test_setup_code": "",
    "test_list": ["assert inc(1) == 2", "assert inc(-1) == 0"],
    "challenge_test_list": [],
}
PLUS = {
    "task_id": "Mbpp/902",
    "prompt": '"""Add one."""',
    "entry_point": "inc",
    "canonical_solution": "\ndef inc(n):\n    return n + 1\n",
    "base_input": [[1], [2]],
    "plus_input": [[-1], [10**30]],
    "atol": 0,
    "contract": "",
}
RIGHT, WRONG, LOOP = "def inc(n):\n    return n + 1\n", "def inc(n):\n    return 2\n", "while True:\n    pass\n"


def run(
    tmp_path: Path, task: str, problems: list[dict[str, Any]], samples: list[Any], *more: str
) -> tuple[Any, list[Any], list[Any]]:
    arguments: list[str | Path] = ["grade", task, "--samples", write_rows(tmp_path / "samples.jsonl", samples)]
    if problems:
        arguments += ["--problems", write_rows(tmp_path / "problems.jsonl", problems)]
    done = reexec(*arguments, "-o", tmp_path / "out.jsonl", "--json", "--set", "limits.cpu_s=1", *more)
    assert done.out, done.err
    return done, read_rows(tmp_path / "out.jsonl"), read_rows(tmp_path / "out.tests.jsonl")


def test_humaneval(tmp_path: Path) -> None:
    samples = [
        {"task_id": "HumanEval/900", "completion": "    return n + 1\n", "model": "a"},
        {"task_id": "HumanEval/900", "solution": WRONG},
        {"task_id": 900, "response": f"Sure:\n```python\n{RIGHT}```"},
        {"task_id": "HumanEval/900", "response": "I do not know."},
        {"task_id": "HumanEval/1", "solution": RIGHT},
        {"solution": RIGHT},
        "no JSON",
    ]
    done, rows, tests = run(tmp_path, "humaneval", [HUMANEVAL], samples)
    assert [(row["passed"], row["verdict"]) for row in rows] == [
        (True, "accepted"), (False, "wrong-answer"), (True, "accepted"), (False, "no-answer"),
    ]  # fmt: skip
    assert rows[0]["model"] == "a"
    assert [test["verdict"] for test in tests[1]["tests"]] == ["accepted", "wrong-answer"]
    summary = done.summary
    assert (summary["command"], summary["task"], summary["rows"], summary["passed"]) == ("grade", "humaneval", 4, 2)
    assert (summary["pass_at_1"], summary["lifted"], summary["rejected"], summary["engine_errors"]) == (0.5, 1.0, 3, 0)
    assert summary["isolation"]
    assert min(summary["wall_s"], summary["rows_per_s"]) > 0
    reasons = [row["reason"] for row in read_rows(tmp_path / "out.rejects.jsonl")]
    assert [reason.rpartition("at ")[2] for reason in reasons[:2]] == ["$.task_id", "$.task_id"]
    assert done.code == 1


def test_mbpp(tmp_path: Path) -> None:
    samples = [{"task_id": 901, "solution": RIGHT}, {"task_id": "901", "completion": WRONG}, {"task_id": 901, "code": LOOP}]
    done, rows, _ = run(tmp_path, "mbpp", [MBPP], samples)
    assert [row["verdict"] for row in rows] == ["accepted", "wrong-answer", "cpu-limit"]
    assert done.summary["pass_at_1"] == pytest.approx(1 / 3, abs=1e-6)
    assert done.code == 0


def test_evalplus(tmp_path: Path) -> None:
    half = "def inc(n):\n    return n + 1 if n > 0 else None\n"
    loops = "def inc(n):\n    while True: pass\n"
    samples = [{"task_id": "Mbpp/902", "solution": text} for text in (RIGHT, half, WRONG, LOOP, loops)]
    done, rows, _ = run(tmp_path, "evalplus", [PLUS], samples)
    assert [(row["base_status"], row["plus_status"], row["passed"]) for row in rows] == [
        ("pass", "pass", True), ("pass", "fail", False), ("fail", "fail", False),
        ("timeout", "timeout", False), ("fail", "fail", False),
    ]  # fmt: skip
    assert (rows[1]["plus_fail_tests"], rows[2]["base_fail_tests"]) == ([[-1]], [[2]])
    assert done.summary["unproven_inputs"] == 0


def test_inputs_whose_value_no_run_proves_are_left_out(tmp_path: Path) -> None:
    changing = {
        **PLUS,
        "canonical_solution": "\ndef inc(n):\n    return n + 1 if n < 5 else list({str(i) for i in range(n % 50)})\n",
    }
    changing["plus_input"] = [[-1], [30]]
    done, rows, _ = run(tmp_path, "evalplus", [changing], [{"task_id": "Mbpp/902", "solution": RIGHT}])
    assert (rows[0]["passed"], done.summary["unproven_inputs"]) == (True, 1)


def test_tests_of_a_problem_and_of_the_sample(tmp_path: Path) -> None:
    problem = {"task_id": "p", "input_output": {"inputs": ["1\n", "2\n", "3\n"], "outputs": ["2\n", "4\n", "6\n"]}}
    calls = {"inputs": [[1], [2]], "outputs": [[2], 4], "fn_name": "twice"}
    method = "class Solution:\n    def twice(self, n):\n        return 2 * n\n"
    samples = [
        {"task_id": "p", "code": "print(2 * int(input()))"},
        {"task_id": "p", "code": "print(2)"},
        {"code": "def twice(n):\n    return 2 * n\n", "input_output": json.dumps(calls)},
        {"code": method, "input_output": calls},
        {"task_id": "p", "code": "import sys\nsys.exit(1)"},
    ]
    done, rows, _ = run(tmp_path, "tests", [problem], samples, "--score", "fraction")
    assert [(row["verdict"], row["score"]) for row in rows] == [
        ("accepted", 1.0), ("wrong-answer", 0.333333), ("accepted", 1.0), ("accepted", 1.0), ("runtime-error", 0.0),
    ]  # fmt: skip
    assert rows[1]["results"] == ["accepted", "wrong-answer", "wrong-answer"]
    assert done.summary["mean_score"] == pytest.approx((3 + 1 / 3) / 5, abs=1e-5)
    _, rows, _ = run(tmp_path, "tests", [problem], samples[1:2], "--score", "first-failure", "--overwrite")
    assert (rows[0]["results"], rows[0]["score"]) == (["accepted", "wrong-answer"], 0.0)


def test_inputs_of_many_megabytes_are_read(tmp_path: Path) -> None:
    tests = {"inputs": ["7" * (10 << 20)], "outputs": [str(10 << 20)]}
    samples = [{"code": text, "input_output": tests} for text in ("print(len(input()))", "print(10485760)")]
    _, rows, _ = run(tmp_path, "tests", [], samples)
    assert [row["verdict"] for row in rows] == ["accepted", "accepted"]


def test_an_interrupted_run_ends_in_the_same_bytes(tmp_path: Path) -> None:
    problems = Problems([write_rows(tmp_path / "problems.jsonl", [MBPP])], ("test_list",))
    samples = write_rows(
        tmp_path / "samples.jsonl", [{"task_id": 901, "solution": text, "n": n} for n, text in enumerate([RIGHT, WRONG] * 30)]
    )

    class Stop(Exception):
        pass

    with Executor(Policy.preset("grade"), workers=1) as executor:
        task = task_named("mbpp")(problems, executor)
        whole = grade(task, samples, tmp_path / "whole.jsonl", executor)
        told: list[str] = []

        def stop(word: str) -> None:
            told.append(word)
            if len(told) == 17:
                raise Stop

        with pytest.raises(Stop):
            grade(task, samples, tmp_path / "parts.jsonl", executor, on_row=stop)
        parts = grade(task, samples, tmp_path / "parts.jsonl", executor)
    assert parts.resumed_rows >= 16
    assert (parts.rows, parts.passed, parts.estimates) == (whole.rows, whole.passed, whole.estimates)
    for suffix in ("jsonl", "tests.jsonl"):
        assert (tmp_path / f"parts.{suffix}").read_bytes() == (tmp_path / f"whole.{suffix}").read_bytes()


def test_explain_shows_the_first_failing_test(tmp_path: Path) -> None:
    run(tmp_path, "mbpp", [MBPP], [{"task_id": 901, "solution": WRONG}])
    done = reexec("explain", tmp_path / "out.jsonl", ":1")
    assert done.code == 0, done.err
    for text in ("wrong-answer", "assertion 2", "inc(-1)", "== 0", "def inc"):
        assert text in done.out


def test_a_problem_that_lacks_a_member_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    problem = {name: value for name, value in PLUS.items() if name != "entry_point"}
    arguments: list[str | Path] = [
        "--problems",
        write_rows(tmp_path / "p.jsonl", [problem]),
        "--samples",
        write_rows(tmp_path / "s.jsonl", []),
    ]
    done = reexec("grade", "evalplus", *arguments, "-o", tmp_path / "o.jsonl")
    assert done.code == 2
    assert "at $.entry_point" in done.one_line()
    assert not (tmp_path / "o.jsonl").exists()
