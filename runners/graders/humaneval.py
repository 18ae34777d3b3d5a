"""HumanEval: `task_id, prompt, entry_point, test`. The test is a function `check(candidate)`."""

from typing import Any

from .assertions import AssertionTest, plan_assertions
from .code import code_of
from .lifting import joined_source, lift_all
from .plan import Plan
from .task import Task


class HumanEval(Task):
    name = "humaneval"
    needs = ("prompt", "entry_point", "test")

    def prepare(self) -> None:
        def texts() -> Any:
            for key, problem in self.problems:
                yield joined_source("", f"{problem['test']}\ncheck({problem['entry_point']})"), key

        self._tests: dict[str, AssertionTest] = {}
        for lifted, key in lift_all(self.executor, texts()):
            problem = self.problems[key]
            self._tests[key] = AssertionTest("", f"{problem['test']}\ncheck({problem['entry_point']})", lifted)

    def plan(self, row: dict[str, Any], key: str) -> Plan:
        problem = self.problems[key]
        code = code_of(row, problem["prompt"], problem["entry_point"])
        if not code.text:
            return Plan(verdict="no-answer", detail=code.reason)
        return plan_assertions(code.text, self._tests[key])

    def canonical(self, key: str) -> str | None:
        problem = self.problems[key]
        body = problem.get("canonical_solution")
        return problem["prompt"] + body if isinstance(body, str) else None
