"""Our own problems over standard input, with solutions in five languages, graded as labelled. `languages/` has them."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reexec.engine.commands.probe import survey
from tests.conftest import lacking
from tests.support.helpers import read_rows, reexec, write_rows

FOLDER = Path(__file__).parent / "languages"
TREE = tomllib.loads((FOLDER / "problems.toml").read_text(encoding="utf-8"))
PROBLEMS: list[dict[str, Any]] = TREE["problem"]
BEHAVIOURS: list[dict[str, Any]] = tomllib.loads((FOLDER / "behaviours.toml").read_text(encoding="utf-8"))["behaviour"]
NEEDED = ("c", "cpp", "bash", "javascript", "python")
WHERE_PRESENT = ("go", "java", "rust")
LANGUAGES = NEEDED + WHERE_PRESENT
MORE = tomllib.loads((FOLDER / "go_java_rust.toml").read_text(encoding="utf-8"))
TEMPLATES = TREE["templates"] | MORE["templates"]
for each in PROBLEMS:
    more = MORE["problem"][each["id"]]
    each["wrong"] |= more.pop("wrong")
    each |= more
for each in BEHAVIOURS:
    each |= MORE["behaviour"][each["name"]]
LIMITS = (
    "limits.cpu_s=1",
    "limits.idle_s=1",
    "limits.memory_bytes=134217728",
    "limits.capture_bytes=1048576",
    "limits.confirm=false",
)


def present(language: str) -> None:
    for toolchain, found, missing in survey():
        if toolchain.language == language and found is None:
            if language in WHERE_PRESENT:
                pytest.skip(missing)
            lacking(missing)


def solution(problem: dict[str, Any], language: str) -> str:
    return str(TEMPLATES[language]).replace("{}", problem[language])


def wrong(problem: dict[str, Any], language: str) -> str:
    old, new = problem["wrong"][language]
    assert problem[language].count(old) == 1, (problem["id"], language)
    return str(TEMPLATES[language]).replace("{}", problem[language].replace(old, new))


def cases_of(problem: dict[str, Any]) -> dict[str, list[str]]:
    return {"inputs": [test[0] for test in problem["tests"]], "outputs": [test[1] for test in problem["tests"]]}


def graded(tmp_path: Path, samples: list[dict[str, Any]], language: str, *more: str) -> list[dict[str, Any]]:
    problems = [{"task_id": problem["id"], "input_output": cases_of(problem)} for problem in PROBLEMS]
    limits = LIMITS + (("limits.cpu_s=2", "limits.idle_s=2") if language in WHERE_PRESENT else ())
    settings = [word for setting in limits for word in ("--set", setting)]
    done = reexec(
        "grade", "tests", "--problems", write_rows(tmp_path / "problems.jsonl", problems),
        "--samples", write_rows(tmp_path / "samples.jsonl", samples), "-o", tmp_path / "out.jsonl", "--json",
        "--language", language, *settings, *more, timeout=550,
    )  # fmt: skip
    assert done.code == 0, done.err
    rows = read_rows(tmp_path / "out.jsonl")
    assert json.loads(done.out.splitlines()[-1])["rows"] == len(samples)
    return rows


def labelled(language: str) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
    for problem in PROBLEMS:
        yield {"task_id": problem["id"], "kind": "right", "code": solution(problem, language)}, ("accepted",)
        yield {"task_id": problem["id"], "kind": "wrong", "code": wrong(problem, language)}, ("wrong-answer",)
    for behaviour in BEHAVIOURS:
        yield {"task_id": "sum", "kind": behaviour["name"], "code": behaviour[language]}, tuple(behaviour["words"])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_solution_is_graded_as_labelled(tmp_path: Path, language: str) -> None:
    if language != "python":
        present(language)
    samples, labels = zip(*labelled(language), strict=True)
    rows = graded(tmp_path, list(samples), language)
    sides = {side["line"]: side for side in read_rows(tmp_path / "out.tests.jsonl")}
    unlike = [
        (row["task_id"], row["kind"], row["verdict"], words, sides[number]["tests"])
        for number, (row, words) in enumerate(zip(rows, labels, strict=True), 1)
        if row["verdict"] not in words
    ]
    assert not unlike, unlike


def test_there_are_twenty_problems_and_each_has_every_language() -> None:
    assert len(PROBLEMS) >= 20
    assert all(language in problem and language in problem["wrong"] for problem in PROBLEMS for language in LANGUAGES)
    assert all(language in behaviour for behaviour in BEHAVIOURS for language in LANGUAGES)


def test_each_row_may_say_its_language_and_hold_its_code_in_prose(tmp_path: Path) -> None:
    present("c")
    problem = PROBLEMS[0]
    answer = f"First an idea:\n```python\nprint(1)\n```\nand then\n```C\n{solution(problem, 'c')}\n```\nDone."
    samples: list[dict[str, Any]] = [
        {"task_id": "sum", "language": "c", "response": answer},
        {"task_id": "sum", "language": "Bash", "code": solution(problem, "bash")},
        {"task_id": "sum", "code": solution(problem, "python")},
        {"task_id": "sum", "language": "python3", "code": solution(problem, "python")},
        {"task_id": "sum", "language": "c", "response": "I do not know."},
    ]
    rows = graded(tmp_path, samples, "row")
    assert [row["verdict"] for row in rows] == ["accepted", "accepted", "accepted", "accepted", "runtime-error"]


def test_a_language_that_nobody_knows_is_a_usage_error_and_in_a_row_a_reject(tmp_path: Path) -> None:
    samples = write_rows(
        tmp_path / "samples.jsonl", [{"code": "x", "language": "cobol", "input_output": cases_of(PROBLEMS[0])}]
    )
    refused = reexec("grade", "tests", "--samples", samples, "-o", tmp_path / "out.jsonl", "--language", "cobol")
    assert refused.code == 2
    assert "no language 'cobol'" in refused.err
    reexec("grade", "tests", "--samples", samples, "-o", tmp_path / "out.jsonl", "--language", "row")
    (reject,) = read_rows(tmp_path / "out.rejects.jsonl")
    assert "$.language" in json.dumps(reject)


def test_a_compile_failure_is_one_word_with_the_compilers_message(tmp_path: Path) -> None:
    present("c")
    graded(tmp_path, [{"task_id": "sum", "code": "int main(void) { return nothing_of_that_name; }"}], "c")
    (side,) = read_rows(tmp_path / "out.tests.jsonl")
    assert {test["verdict"] for test in side["tests"]} == {"runtime-error"}
    assert all("CompileError" in test["detail"] and "nothing_of_that_name" in test["detail"] for test in side["tests"])


def test_tests_that_call_a_function_say_that_they_are_for_python(tmp_path: Path) -> None:
    present("c")
    sample = {"code": "int f(int n) { return n; }", "input_output": {"fn_name": "f", "inputs": [[1]], "outputs": [1]}}
    done = reexec(
        "grade", "tests", "--language", "c", "--samples", write_rows(tmp_path / "samples.jsonl", [sample]),
        "-o", tmp_path / "out.jsonl", "--json",
    )  # fmt: skip
    assert done.code == 2  # no row could be graded
    (reject,) = read_rows(tmp_path / "out.rejects.jsonl")
    assert "tests that call 'f' are for Python: a program in c is judged by tests over standard input" in reject["reason"]
