"""Tasks whose tests are assertions: lifted where possible, run as they are where not. HumanEval and MBPP share this."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reexec.engine.program import Call, Program

from .lifting import Lifted, LiftedCheck, Tree, judge_tree, written
from .plan import Plan, Run, Test, inside


@dataclass(frozen=True, slots=True)
class AssertionTest:
    """A problem's test: its text, and what lifting made of it."""

    setup: str
    body: str
    lifted: Lifted


def plan_assertions(source: str, test: AssertionTest) -> Plan:
    lifted = test.lifted
    if lifted.refused:
        run = Run(inside("asserts", "run"), Call((source, test.setup, test.body)))
        name = "the whole test, asserted inside the jail"
        return Plan([Test(name, (run,), _ended)], assertions=max(1, lifted.assertions), facts={"why": lifted.refused})
    programs: dict[str, Program] = {}
    tests: list[Test] = []
    for number, check in enumerate(lifted.checks, 1):
        runs = []
        for function, call in check.calls:
            program = programs.get(function)
            if program is None:
                program = programs[function] = Program(source, function)
            runs.append(Run(program, call))
        tests.append(Test(f"assertion {number}", tuple(runs), _decide_by(check.tree), expected=_written(check)))
    return Plan(tests, stop_at_limit=True, lifted=len(tests), assertions=len(tests))


def _ended(values: Sequence[Any]) -> str:
    return "" if values[0] is True else "the test did not come to its end"


def _decide_by(tree: Tree) -> Any:
    return lambda values: judge_tree(tree, values)


def _written(check: LiftedCheck) -> Any:
    return lambda: written(check.tree, [f"{name}(...)" for name, _ in check.calls])
