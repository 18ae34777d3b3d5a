"""The metric `code_eval` of the library `evaluate`, with programs in our sandbox: same arguments, same form of the results.

`FOLDER` is what `evaluate.load` takes; `code_eval.py` in it is the metric, which calls `evaluate_candidates`. A candidate is
a program by contract, and nothing is searched in it. What the original asserts in the candidate's own process is judged out
here, where it can be lifted: see docs/graders.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from reexec.engine.errors import EngineError, UsageError
from reexec.policies.layers import load_policy
from reexec.runners.graders.assertions import AssertionTest, ProblemTest, plan_assertions
from reexec.runners.graders.flow import Attempt, run_attempts
from reexec.runners.graders.lifting import joined_source, lift_all
from reexec.runners.graders.pass_at_k import pass_at_k
from reexec.runners.graders.plan import LIMITS_ON_TIME
from reexec.runners.rewards.executors import executor_for
from reexec.runners.rewards.plans import outcome_of

FOLDER = str(Path(__file__).parent)
TIMEOUT_S = 3.0

Entry = tuple[int, dict[str, Any]]


def evaluate_candidates(
    predictions: Sequence[Sequence[str]],
    references: Sequence[str],
    k: Iterable[int] = (1, 10, 100),
    timeout: float = TIMEOUT_S,
    workers: int | None = None,
) -> tuple[dict[str, float], dict[int, list[Entry]]]:
    """({"pass@1": ...}, {problem: [(number of the candidate, {"task_id", "passed", "result", "completion_id"}), ...]})

    `predictions[i]` are the candidates for the test `references[i]`. `timeout` is what a candidate may use: seconds of
    processor time, and as many asleep. pass@k is given for every k of which all problems have as many candidates. Raises
    EngineError where the engine failed on one: a mean without it would be another number.
    """
    if len(predictions) != len(references):
        raise UsageError(f"{len(predictions)} lists of candidates and {len(references)} tests")
    settings = [f"limits.cpu_s={float(timeout)}", f"limits.idle_s={float(timeout)}"]
    executor = executor_for(load_policy("grade", settings=settings, environment=os.environ), workers)
    lifted = {test: found for found, test in lift_all(executor, ((joined_source("", text), text) for text in set(references)))}
    attempts = []
    for at, (candidates, test) in enumerate(zip(predictions, references, strict=True)):
        for number, candidate in enumerate(candidates):
            plan = plan_assertions(candidate, AssertionTest(ProblemTest("", test), lifted[test]))
            plan.stop_at_failure = True
            attempts.append(Attempt(plan, (at, number)))
    results: dict[int, list[Entry]] = {}
    lost = []
    for attempt in run_attempts(executor, attempts):
        at, number = attempt.tag
        word, reward, detail = outcome_of(attempt.plan, attempt.finished_results(), "all")
        if reward is None:
            lost.append(detail)
        entry = {"task_id": at, "passed": reward == 1.0, "result": _said(word, detail), "completion_id": number}
        results.setdefault(at, []).append((number, entry))
    if lost:
        raise EngineError(f"the engine failed on {len(lost)} of {len(attempts)} candidates: {lost[0]}", stage="code_eval")
    tallies = [(len(entries), sum(entry["passed"] for _, entry in entries)) for entries in results.values()]
    found = {}
    for size in k:
        if tallies and all(total >= size for total, _ in tallies):
            found[f"pass@{size}"] = sum(pass_at_k(total, right, size) for total, right in tallies) / len(tallies)
    return found, results


def _said(word: str, detail: str) -> str:
    if word == "accepted":
        return "passed"
    return "timed out" if word in LIMITS_ON_TIME else f"failed: {detail or word}"
