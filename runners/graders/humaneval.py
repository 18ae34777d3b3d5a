"""HumanEval: `task_id, prompt, entry_point, test`. The test is a function `check(candidate)`.

LeetCode sets in this form have `Solution().method` as the entry point, and `completion` for the problem's own solution.
"""

from typing import Any

from .assertions import AssertionTask, ProblemTest, given_by, prepared
from .code import code_of
from .plan import Plan


class HumanEval(AssertionTask):
    name = "humaneval"
    needs = ("prompt", "entry_point", "test")

    def prepare(self) -> None:
        self._tests = prepared(self.executor, ((key, self._text(key, problem)) for key, problem in self.problems))

    def _text(self, key: str, problem: dict[str, Any]) -> ProblemTest:
        entry = problem["entry_point"]
        return ProblemTest("", f"{problem['test']}\ncheck({entry})", self.canonical(key), given_by(problem["prompt"], entry))

    def plan(self, row: dict[str, Any], key: str) -> Plan:
        problem = self.problems[key]
        code = code_of(row, problem["prompt"], problem["entry_point"].replace("()", ""))
        if not code.text:
            return Plan(verdict="no-answer", detail=code.reason)
        return self.planned(code.text, key)

    def canonical(self, key: str) -> str | None:
        problem = self.problems[key]
        body = problem.get("canonical_solution")
        if isinstance(body, str):
            return str(problem["prompt"] + body)
        body = problem.get("completion")
        return f"{problem['prompt']}\n{body}" if isinstance(body, str) else None
