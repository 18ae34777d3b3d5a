"""HumanEval: `task_id, prompt, entry_point, test`. The test is a function `check(candidate)`."""

from typing import Any

from .assertions import AssertionTask, prepared
from .code import code_of
from .plan import Plan


class HumanEval(AssertionTask):
    name = "humaneval"
    needs = ("prompt", "entry_point", "test")

    def prepare(self) -> None:
        self._tests = prepared(
            self.executor,
            (
                (key, "", f"{problem['test']}\ncheck({problem['entry_point']})", self.canonical(key))
                for key, problem in self.problems
            ),
        )

    def plan(self, row: dict[str, Any], key: str) -> Plan:
        problem = self.problems[key]
        code = code_of(row, problem["prompt"], problem["entry_point"])
        if not code.text:
            return Plan(verdict="no-answer", detail=code.reason)
        return self.planned(code.text, key)

    def canonical(self, key: str) -> str | None:
        problem = self.problems[key]
        body = problem.get("canonical_solution")
        return problem["prompt"] + body if isinstance(body, str) else None
