"""MBPP: `task_id, text, code, test_list, test_setup_code`. The tests are assertions about functions by name.

The set-up code may build objects from the solution's own classes, so it runs after the solution.
"""

from typing import Any

from .assertions import AssertionTask, ProblemTest, prepared
from .code import code_of
from .lifting.rewrite import free_names, parse_quietly
from .plan import Plan


class Mbpp(AssertionTask):
    name = "mbpp"
    needs = ("test_list",)

    def prepare(self) -> None:
        texts = ((key, ProblemTest(_setup(problem), _body(problem), self.canonical(key))) for key, problem in self.problems)
        self._tests = prepared(self.executor, texts)

    def plan(self, row: dict[str, Any], key: str) -> Plan:
        code = code_of(row, "", self._entry(key))
        if not code.text:
            return Plan(verdict="no-answer", detail=code.reason)
        return self.planned(code.text, key)

    def _entry(self, key: str) -> str:
        test = self._tests[key]
        if test.lifted.checks:
            return test.lifted.checks[0].calls[0][0]
        try:
            names = free_names(parse_quietly(test.text.body))
        except SyntaxError:
            return ""
        return names[0] if names else ""

    def canonical(self, key: str) -> str | None:
        code = self.problems[key].get("code")
        return code if isinstance(code, str) else None


def _setup(problem: dict[str, Any]) -> str:
    """Imports of the sanitized set, and the full set's code; rows that were put together may have both."""
    found = (problem.get(name) or "" for name in ("test_imports", "test_setup_code"))
    return "\n".join(part for each in found for part in (each if isinstance(each, list) else [str(each)]) if part)


def _body(problem: dict[str, Any]) -> str:
    return "\n".join(problem["test_list"])
