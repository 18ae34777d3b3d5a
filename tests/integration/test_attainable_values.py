"""What no result can equal is refused at every door with its path; what a program can return is accepted to the last level."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from reexec.engine.errors import UsageError
from reexec.engine.executor import Executor
from reexec.engine.program import Check, Program
from reexec.runners.rewards.core import Reward
from tests.support.helpers import Row, reexec
from tests.support.service import service

SAME = Program("def f(x):\n    return x", "f")
NEST = Program(
    "def f(levels):\n    value = []\n    for _ in range(levels - 1):\n        value = [value]\n    return value", "f"
)


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor("codeio", workers=1) as found:
        yield found


def test_a_check_under_the_policys_rule_is_refused_where_it_is_handed_over(executor: Executor) -> None:
    with pytest.raises(UsageError, match=r"\$: an object of type set"):
        executor.check(SAME, [1], {1})
    with pytest.raises(UsageError, match=r"\$\.a: an object of type bytes"):
        list(executor.check_many([Check(SAME, [1], 1), Check(SAME, [2], {"a": b""})]))
    assert executor.check(SAME, [(1, 2)], (1, 2)).accepted
    assert executor.check(SAME, [{1, 2}], {1, 2}, rule="python-literal").accepted


@pytest.mark.parametrize("rule", ["codeio", "python-literal"])
def test_the_last_level_of_results_arguments_and_expected_values_is_the_same(executor: Executor, rule: str) -> None:
    assert executor.check(NEST, [201], nested(201), rule=rule).accepted
    assert executor.check(SAME, [nested(201)], nested(201), rule=rule).accepted
    assert executor.check(SAME, {"x": nested(201)}, nested(201), rule=rule).accepted
    for levels in (202, 203, 204):
        verdict = executor.check(NEST, [levels], [], rule=rule)
        assert verdict.word == "bad-result"
        assert verdict.outcome is not None
        assert "nested deeper than 200" in verdict.outcome.detail
        with pytest.raises(UsageError, match="nested deeper than 200"):
            executor.check(SAME, [nested(levels)], [], rule=rule)
        with pytest.raises(UsageError, match="nested deeper than 200"):
            executor.check(SAME, [1], nested(levels), rule=rule)


def test_arguments_of_the_last_level_are_watched(executor: Executor) -> None:
    changes = Program("def f(x):\n    while x:\n        x = x[0]\n    x.append(1)", "f")
    for program, changed in ((changes, True), (SAME, False)):
        assert executor.submit(program, [nested(201)], watch_arguments=True).result().arguments_changed is changed


def test_verify_rejects_the_row_and_says_why(tmp_path: Path) -> None:
    source = "def f(x):\n    return x"
    outputs = [1, nested(201), nested(202)]
    pairs = [{"input": {"x": n}, "output": output} for n, output in enumerate(outputs)]
    functions = tmp_path / "functions.jsonl"
    functions.write_text(json.dumps({"refcode": source, "funcname": "f", "ios": pairs}) + "\n")
    answers: list[Row] = []
    for ioid, output in enumerate(outputs):
        answers.append({"itemid": 0, "ioid": ioid, "io_pred": "i", "output": json.dumps({"input": {"x": 1}})})
        answers.append({"itemid": 0, "ioid": ioid, "io_pred": "o", "output": json.dumps({"output": output})})
    responses = tmp_path / "responses.jsonl"
    responses.write_text("".join(json.dumps(row) + "\n" for row in answers))
    done = reexec("verify", responses, "-f", functions, "-o", tmp_path / "verified.jsonl")
    assert done.code == 1, done.err
    kept = [json.loads(line) for line in (tmp_path / "verified.jsonl").read_text().splitlines()]
    assert [(row["ioid"], row["io_pred"], row["verdict"]) for row in kept] == [
        (0, "i", "accepted"),
        (0, "o", "accepted"),
        (1, "i", "wrong-answer"),
        (1, "o", "accepted"),
    ]
    rejects = [json.loads(line) for line in (tmp_path / "verified.rejects.jsonl").read_text().splitlines()]
    assert [reject["line"] for reject in rejects] == [5, 6]
    assert all("nested deeper than 200" in reject["reason"] for reject in rejects)


def test_the_command_and_a_reward_refuse_it(tmp_path: Path) -> None:
    file = tmp_path / "f.py"
    file.write_text("def main_solution(x):\n    return x\n")
    done = reexec("call", file, "-i", '{"x": 1}', "--expect", json.dumps(nested(202)))
    assert (done.code, "nested deeper than 200" in done.one_line()) == (2, True)
    truth = {"refcode": SAME.source, "funcname": "f", "io_pred": "i", "output": {1, 2}}
    score = Reward(workers=1).score('{"input": {"x": 1}}', truth)
    assert (score.reward, score.missing) == (None, "row")
    assert "an object of type set" in score.detail


def test_the_service_refuses_it(tmp_path: Path) -> None:
    with service(tmp_path, "--workers", "1") as served:
        asked: dict[str, Any] = {
            "program": SAME.to_json(),
            "call": {"args": [1], "kwargs": {}},
            "expected": {"!": "set", "v": [1]},
        }
        answer = httpx.post(f"{served.url}/v1/check", json=asked, timeout=60)
        assert answer.status_code == 400
        assert "an object of type set" in answer.json()["error"]["message"]
        both = {"checks": [asked, {**asked, "expected": 1}]}
        refused, accepted = httpx.post(f"{served.url}/v1/checks", json=both, timeout=60).json()["verdicts"]
        assert refused["error"]["code"] == "bad-request"
        assert accepted["word"] == "accepted"
