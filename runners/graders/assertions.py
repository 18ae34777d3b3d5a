"""Tasks whose tests are assertions: lifted where possible, run as they are where not. HumanEval and MBPP share this."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from reexec.engine.commands import AnyExecutor
from reexec.engine.errors import UsageError
from reexec.engine.program import Call, Program

from .apart import Asked, Dialogue, proven_apart
from .lifting import Lifted, LiftedCheck, Tree, joined_source, judge_tree, lift_all, written
from .lifting.rewrite import free_names, parse_quietly
from .plan import Plan, Run, Test, inside
from .problems import Problems
from .task import BadSampleError, Task

Unlifted = Literal["run", "refuse"]
type TestTexts = tuple[str, str, str, str | None]


@dataclass(frozen=True, slots=True)
class AssertionTest:
    """A problem's test: its text, and what lifting made of it."""

    setup: str
    body: str
    lifted: Lifted
    apart: tuple[Asked, ...] | None = None
    """Where it is not lifted and is judged apart from solutions (apart.py): what it asked the problem's own."""


def prepared(executor: AnyExecutor, problems: Iterable[TestTexts]) -> dict[str, AssertionTest]:
    """The tests of problems by key: `(key, setup, body, own solution or None)` each."""
    texts = {key: (setup, body, canonical) for key, setup, body, canonical in problems}
    lifted = {key: found for found, key in lift_all(executor, ((joined_source(*text[:2]), key) for key, text in texts.items()))}

    def dialogues() -> Iterator[tuple[str, Dialogue]]:
        for key, (setup, body, canonical) in texts.items():
            if lifted[key].refused and canonical is not None:
                dialogue = dialogue_of(canonical, setup, body)
                if dialogue is not None:
                    yield key, dialogue

    apart = proven_apart(executor, dialogues())
    return {key: AssertionTest(*text[:2], lifted[key], apart.get(key)) for key, text in texts.items()}


def dialogue_of(solution: str, setup: str, body: str, likely: tuple[Asked, ...] = ()) -> Dialogue | None:
    """None where the test is no Python."""
    test = joined_source(setup, body)
    try:
        return Dialogue(solution, test, tuple(free_names(parse_quietly(test))), likely)
    except SyntaxError:
        return None


class AssertionTask(Task):
    """A task whose problems have such tests. `unlifted`: what becomes of a test that would have to run beside its solution."""

    def __init__(self, problems: Problems, executor: AnyExecutor, *, unlifted: Unlifted = "run") -> None:
        super().__init__(problems, executor)
        if unlifted not in ("run", "refuse"):
            raise UsageError(f'unlifted is {unlifted!r}; it must be "run" or "refuse"')
        self.unlifted = unlifted
        self._tests: dict[str, AssertionTest] = {}

    def settings(self) -> dict[str, Any]:
        return {} if self.unlifted == "run" else {"unlifted": self.unlifted}

    def planned(self, source: str, key: str) -> Plan:
        """Raises BadSampleError where the test is refused."""
        test = self._tests[key]
        if self.unlifted == "refuse" and test.lifted.refused and test.apart is None:
            raise BadSampleError(f"the problem's test would run beside the solution ({test.lifted.refused}), which is refused")
        return plan_assertions(source, test)


def plan_assertions(source: str, test: AssertionTest) -> Plan:
    lifted = test.lifted
    dialogue = None if test.apart is None else dialogue_of(source, test.setup, test.body, test.apart)
    if dialogue is not None:
        count = max(1, lifted.assertions)
        return Plan([dialogue.as_test()], lifted=count, assertions=count, facts={"apart": lifted.refused})
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
