"""`code_eval` as the library `evaluate` loads it, by path and as lm-evaluation-harness asks for it by name."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reexec import EngineError, UsageError
from reexec.engine.jail import levels
from reexec.rewards import shutdown
from reexec.rewards.code_eval import FOLDER, evaluate_candidates

ADD = ["def add(a, b): return a * b", "def add(a, b): return a + b", "def add(a, b):\n    while True: pass"]
TEST = "assert add(2, 3) == 5"
HARNESS = """
import json, sys
import evaluate
metric = evaluate.load(sys.argv[1])
given = json.loads(sys.argv[2])
print(json.dumps(metric.compute(**given)))
"""
"""The calls of lm-evaluation-harness 0.4.13 (lm_eval/tasks/humaneval/utils.py): load, then compute with references,
predictions and k, of which it takes the first result."""


def computed(name: str, folder: Path, **given: Any) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", HARNESS, name, json.dumps(given)],
        cwd=folder, capture_output=True, text=True, timeout=200, check=False,
        env={**os.environ, "HF_HOME": str(folder / "home"), "HF_HUB_OFFLINE": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_library_loads_and_computes_it(tmp_path: Path) -> None:
    found, results = computed(FOLDER, tmp_path, predictions=[ADD], references=[TEST], k=[1, 2, 5], timeout=1.0)
    assert found == {"pass@1": pytest.approx(1 / 3), "pass@2": pytest.approx(2 / 3)}
    assert [(number, entry["passed"]) for number, entry in results["0"]] == [(0, False), (1, True), (2, False)]
    assert results["0"][1][1] == {"task_id": 0, "passed": True, "result": "passed", "completion_id": 1}
    assert results["0"][2][1]["result"] == "timed out"


def test_the_harness_finds_it_by_name_in_its_working_folder(tmp_path: Path) -> None:
    (tmp_path / "code_eval").symlink_to(FOLDER)
    found, _ = computed("code_eval", tmp_path, references=[TEST], predictions=[[ADD[0]]], k=[1])
    assert found == {"pass@1": 0.0}


def test_problems_have_their_own_tests_and_numbers_of_candidates() -> None:
    check = "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(0.5) == 1\n\ncheck(double)"
    found, results = evaluate_candidates(
        [["def double(n):\n    return 2 * n\n", "def double(n):\n    return n + 2\n"], [ADD[1]], []],
        [check, TEST, TEST],
        [1, 2],
    )
    assert found == {"pass@1": 0.75}
    assert [[entry["passed"] for _, entry in results[at]] for at in results] == [[True, False], [True]]


def test_candidates_that_cheat_do_not_pass() -> None:
    cheats = [
        "import os\nos._exit(0)", "import sys\nsys.exit(0)", "", "def add(a, b):\n", "\x00",
        "class All:\n    def __eq__(self, other): return True\ndef add(a, b): return All()",
        "import builtins\nbuiltins.AssertionError = None\ndef add(a, b): return 0",
        "def add(a, b): return 0\nraise SystemExit",
    ]  # fmt: skip
    found, _ = evaluate_candidates([cheats], [TEST], [1])
    assert found == {"pass@1": 0.0}


def test_a_test_that_cannot_be_lifted_runs_beside_the_candidate() -> None:
    test = "class Node:\n    pass\nassert isinstance(make(Node), Node)"
    found, _ = evaluate_candidates([["def make(kind): return kind()", "def make(kind): return None"]], [test], [1])
    assert found == {"pass@1": 0.5}


def test_a_failure_of_the_engine_is_no_failed_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    shutdown()
    monkeypatch.setattr(levels, "candidates", lambda policy, only=None: [])
    with pytest.raises(EngineError, match="cannot give the isolation"):
        evaluate_candidates([ADD[:1]], [TEST], [1])
    shutdown()


def test_lists_of_different_lengths_are_the_callers_mistake() -> None:
    with pytest.raises(UsageError, match="1 lists of candidates and 2 tests"):
        evaluate_candidates([ADD], [TEST, TEST])
