"""0 done, 1 rows were rejected or a call is not accepted, 2 the caller's mistake; 130 is in test_interrupts.py."""

import json
from pathlib import Path

import pytest

from tests.support.helpers import FUNCTIONS, function_row, reexec, response, write_rows

PROGRAM = "def main_solution(n):\n    return n + 1\n"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


def test_a_call_that_meets_the_expectation_is_0_and_one_that_does_not_is_1(program: Path) -> None:
    good = reexec("call", program, "--input", '{"n": 1}', "--expect", "2")
    bad = reexec("call", program, "--input", "[1]", "--expect", "3")
    assert (good.code, json.loads(good.out)["verdict"]) == (0, "accepted")
    assert (bad.code, json.loads(bad.out)["verdict"]) == (1, "wrong-answer")
    assert json.loads(bad.out)["difference"]["path"] == "$"


def test_without_an_expectation_an_exception_is_a_result_and_0(program: Path) -> None:
    done = reexec("call", program, "--entry", "no_such_function")
    assert done.code == 0
    assert json.loads(done.out)["outcome"]["kind"] == "exception"


def test_a_run_with_rejects_is_1_and_without_is_0(tmp_path: Path) -> None:
    functions = write_rows(tmp_path / "f.jsonl", [function_row("def f(n):\n    return n\n", ({"n": 1}, 1))])
    good = write_rows(tmp_path / "good.jsonl", [response(0, 0, 1)])
    mixed = write_rows(tmp_path / "mixed.jsonl", [response(0, 0, 1), "junk"])
    assert reexec("verify", good, "-f", functions, "-o", tmp_path / "1.jsonl").code == 0
    assert reexec("verify", mixed, "-f", functions, "-o", tmp_path / "2.jsonl").code == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("verify",), "missing argument"),
        (("nonsense",), "no such command"),
        (("verify", "--bad"), "no such option"),
        (("call", "{program}", "--input", "{{"), "--input: not json"),
        (("call", "{program}", "--input", "3"), "--input"),
        (("call", "{program}", "--expect", "nope"), "--expect: not json"),
        (("call", f"{FUNCTIONS}#999"), "not #999"),
        (("call", str(FUNCTIONS)), "say which function"),
        (("call", "/nonexistent/x.py"), "cannot be read"),
        (("call", "{program}", "--set", "limits.cpu=1"), "at $.limits.cpu"),
        (("call", "{program}", "--policy", "codeioo"), "codeio"),
        (("policy", "show", "nope"), "presets are"),
        (("audit", "{program}", "-o", "x.jsonl", "--shard", "2/2"), "--shard 2/2"),
        (("audit", "{program}", "-o", "x.jsonl", "--limit", "0"), "--limit 0"),
        (("audit", "{program}", "-o", "x.jsonl", "--workers", "0"), "--workers 0"),
        (("audit", "{program}", "-o", "x.jsonl", "--workers", "two"), "--workers"),
    ],
)
def test_the_callers_mistake_is_2_and_one_line(arguments: tuple[str, ...], says: str, program: Path, tmp_path: Path) -> None:
    done = reexec(*(word.replace("{program}", str(program)) for word in arguments), cwd=tmp_path)
    assert done.code == 2
    assert says in done.one_line().lower()


def test_an_isolation_that_this_host_cannot_give_is_3(program: Path) -> None:
    done = reexec("call", program, "--input", "[1]", "--set", "isolation.lowest=nsjail+cgroup")
    if done.code == 0:
        assert json.loads(done.out)["isolation"] == "nsjail+cgroup"
    else:
        assert done.code == 3
        assert "isolation" in done.one_line()
