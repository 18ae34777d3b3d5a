"""EvalPlus (HumanEval+ and MBPP+): solutions judged on the benchmark's own inputs and on many more.

A problem has inputs and a canonical solution but no expected values: these are what the canonical solution returns, run
twice in the jail under different hash seeds, addresses and random seeds. Inputs where the two differ, or where it raises,
prove nothing and are left out. Proven values are kept in the user's cache folder, by content.

`base_status` and `plus_status` are `pass`, `fail`, or `timeout` where the program did not get through its own module.
"""

import functools
from collections.abc import Sequence
from typing import Any, Final

from reexec.engine.errors import UsageError
from reexec.engine.program import Call, Program
from reexec.runners.rows.text import quoted

from .code import code_of
from .evalplus_inputs import restored
from .evalplus_rules import NOT_NONE, difference, tolerances
from .plan import LIMITS_ON_TIME, NOT_RUN, Plan, Result, Run, Test, inside
from .proven import ProvenValues
from .task import Task, first_failure

GROUPS: Final = ("base", "plus")
_ABSENT: Final = "reexec asks whether the module loads"


class EvalPlus(Task):
    name = "evalplus"
    needs = ("base_input",)
    policy = "evalplus"

    def prepare(self) -> None:
        for key, problem in self.problems:
            for name in ("entry_point", "prompt"):
                if not isinstance(problem.get(name), str):
                    raise UsageError(
                        f"{self.problems.name}: problem {key} has no {name!r}, at $.{name} "
                        "(a further --problems FILE, such as HumanEval's own, can add it)"
                    )
        self._arguments: dict[str, dict[str, list[list[Any]]]] = {
            key: {group: [restored(key, args) for args in problem.get(f"{group}_input") or []] for group in GROUPS}
            for key, problem in self.problems
        }
        wanted = ((key, self._runs(self.canonical(key) or "", key)) for key, _ in self.problems)
        self._expected = ProvenValues(self.executor, "evalplus").of(wanted)
        self.unproven = sum(value is None for values in self._expected.values() for value in values)

    def canonical(self, key: str) -> str | None:
        problem = self.problems[key]
        body = problem.get("canonical_solution", problem.get("reference"))
        return problem["prompt"] + body if isinstance(body, str) else None

    def plan(self, row: dict[str, Any], key: str) -> Plan:
        problem = self.problems[key]
        entry = problem["entry_point"]
        code = code_of(row, problem["prompt"], entry)
        if not code.text:
            return Plan(verdict="no-answer", detail=code.reason)
        family = key.partition("/")[0].lower()
        runs, expected = self._runs(code.text, key), self._expected[key]
        tests: list[Test] = []
        at = 0
        for group in GROUPS:
            count = len(self._arguments[key][group])
            proven = expected[at : at + count]
            # A tolerance that an expected float switches on stays on for the inputs behind it.
            limits = tolerances([each[0] if each else None for each in proven], float(problem.get("atol") or 0))
            for number in range(count):
                value = proven[number]
                if value is None:
                    continue
                args = self._arguments[key][group][number]
                decide = _decide(family, entry, args, value[0], limits[number])
                shown = functools.partial(quoted, value[0])
                tests.append(Test(f"{group} {number}", (runs[at + number],), decide, group, shown))
            at += count
        return Plan(
            tests, stop_at_failure=True, lifted=len(tests), assertions=len(tests), facts={"key": key, "source": code.text}
        )

    def _runs(self, source: str, key: str) -> list[Run]:
        entry = self.problems[key]["entry_point"]
        every = [args for group in GROUPS for args in self._arguments[key][group]]
        if entry in NOT_NONE:
            return [Run(inside("unit", "is_given"), Call((source, entry, args))) for args in every]
        program = Program(source, entry)
        return [Run(program, Call(tuple(args))) for args in every]

    def members(self, plan: Plan, results: Sequence[Result]) -> dict[str, Any]:
        if plan.verdict:
            return {"passed": False, "verdict": plan.verdict, "base_status": "fail", "plus_status": "fail"}
        found: dict[str, Any] = {"passed": True, "verdict": first_failure(results)}
        for group in GROUPS:
            own = [
                (test, result) for test, result in zip(plan.tests, results, strict=True)
                if test.group == group and result.word != NOT_RUN
            ]  # fmt: skip
            failing = [(test, result) for test, result in own if not result.passed]
            status = "pass"
            if failing:
                status = "timeout" if self._never_starts(plan.facts["source"], failing[0][1]) else "fail"
            found[f"{group}_status"] = status
            arguments = self._arguments[plan.facts["key"]][group]
            found[f"{group}_fail_tests"] = [arguments[int(test.name.split()[1])] for test, _ in failing]
        found["passed"] = found["base_status"] == found["plus_status"] == "pass"
        return found

    def _never_starts(self, source: str, result: Result) -> bool:
        """Whether a limit on time ended the program's module and not a call: asked by a name that no module defines."""
        if result.word not in LIMITS_ON_TIME:
            return False
        return self.executor.submit(Program(source, _ABSENT), ()).result().kind in LIMITS_ON_TIME

    def note(self, counts: dict[str, Any], members: dict[str, Any]) -> None:
        counts["base_passed"] = counts.get("base_passed", 0) + (members["base_status"] == "pass")

    def summary(self, counts: dict[str, Any]) -> dict[str, Any]:
        return {"base_passed": counts.get("base_passed", 0), "unproven_inputs": self.unproven}


def _decide(family: str, entry: str, args: list[Any], expected: Any, atol: float) -> Any:
    return lambda values: difference(family, entry, args, values[0], expected, atol)
