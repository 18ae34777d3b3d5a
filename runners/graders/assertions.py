"""Tasks whose tests are assertions: lifted where possible, run as they are where not. HumanEval and MBPP share this."""

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from reexec.engine.commands import AnyExecutor
from reexec.engine.errors import UsageError
from reexec.engine.program import Call, Program

from .apart import Apart, Dialogue, proven_apart
from .flow import Attempt, run_attempts
from .lifting import Lifted, LiftedCheck, Tree, joined_source, judge_tree, lift_all, written
from .lifting.rewrite import free_names, modules_used, parse_quietly
from .plan import Plan, Run, Test, inside
from .problems import Problems
from .task import BadSampleError, Task

Unlifted = Literal["run", "refuse"]
NOT_PLAIN: Final = "the problem's own solution returns what is no plain data"


@dataclass(frozen=True, slots=True)
class ProblemTest:
    """A problem's test as its files have it."""

    setup: str
    body: str
    canonical: str | None = None
    """The problem's own solution."""
    given: str = ""
    """What the prompt defines beside the function that is asked for: the test's, whatever a solution makes of it."""


@dataclass(frozen=True, slots=True)
class AssertionTest:
    """A problem's test: its text, and what lifting made of it."""

    text: ProblemTest
    lifted: Lifted
    apart: Apart | None = None
    """Where it is not lifted and is judged apart from solutions (apart.py)."""


def prepared(executor: AnyExecutor, problems: Iterable[tuple[str, ProblemTest]]) -> dict[str, AssertionTest]:
    """The tests of problems by key."""
    texts = {key: _with_modules(text) for key, text in problems}
    sources = ((joined_source(text.setup, text.body), key) for key, text in texts.items())
    lifted = {key: found for found, key in lift_all(executor, sources, given=lambda key: texts[key].given)}
    doubtful = _failing(executor, ((text.canonical, lifted[key], key) for key, text in texts.items()))

    def dialogues() -> Iterator[tuple[str, Dialogue]]:
        for key, text in texts.items():
            if (lifted[key].refused or key in doubtful) and text.canonical is not None:
                dialogue = dialogue_of(text.canonical, text)
                if dialogue is not None:
                    yield key, dialogue

    apart = proven_apart(executor, dialogues())
    return {key: AssertionTest(text, lifted[key], apart.get(key)) for key, text in texts.items()}


def _failing(executor: AnyExecutor, problems: Iterable[tuple[str | None, Lifted, str]]) -> set[str]:
    """The problems whose own solution does not pass the first lifted assertion: mostly, it returns what is no plain data."""
    plans = ((Plan(_lifted_tests(own, found.checks[:1])), key) for own, found, key in problems if own and found.checks)
    attempts = run_attempts(executor, (Attempt(plan, key) for plan, key in plans))
    return {str(each.tag) for each in attempts if not each.finished_results()[0].passed}


def dialogue_of(solution: str, text: ProblemTest, apart: Apart | None = None) -> Dialogue | None:
    """None where the test is no Python."""
    test = joined_source(text.setup, text.body)
    apart = apart or Apart(())
    try:
        return Dialogue(solution, test, tuple(free_names(parse_quietly(test))), text.given, apart.likely, apart.objects)
    except SyntaxError:
        return None


def given_by(prompt: str, entry: str) -> str:
    """What a prompt in code defines and imports, without the function that is asked for and others that have no body yet."""
    try:
        body = parse_quietly(prompt).body
    except SyntaxError:
        return ""
    asked = entry.partition(".")[0].removesuffix("()")
    kept = [node for node in body if getattr(node, "name", "") != asked and not _is_empty(node)]
    return "".join(f"{ast.unparse(node)}\n" for node in kept)


def _with_modules(text: ProblemTest) -> ProblemTest:
    """With the standard modules that a test uses and imports nowhere, unless the problem's own solution defines the name."""
    try:
        used = modules_used(parse_quietly(joined_source(text.setup, text.body)))
        defined = {getattr(node, "name", "") for node in parse_quietly(text.canonical or "").body}
    except SyntaxError:
        return text
    imports = "".join(f"import {name}\n" for name in used if name not in defined)
    return replace(text, given=f"{imports}{text.given}") if imports else text


def _is_empty(node: ast.stmt) -> bool:
    match node:
        case ast.FunctionDef(body=body) | ast.AsyncFunctionDef(body=body) | ast.ClassDef(body=body):
            return all(
                isinstance(each, ast.Pass) or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
                for each in body
            )
    return isinstance(node, ast.Expr)


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
    dialogue = None if test.apart is None else dialogue_of(source, test.text, test.apart)
    if dialogue is not None:
        count = max(1, lifted.assertions)
        return Plan([dialogue.as_test()], lifted=count, assertions=count, facts={"apart": lifted.refused or NOT_PLAIN})
    if lifted.refused:
        run = Run(inside("asserts", "run"), Call((source, test.text.setup, test.text.body, test.text.given)))
        name = "the whole test, asserted inside the jail"
        return Plan([Test(name, (run,), _ended)], assertions=max(1, lifted.assertions), facts={"why": lifted.refused})
    tests = _lifted_tests(source, lifted.checks)
    return Plan(tests, stop_at_limit=True, lifted=len(tests), assertions=len(tests))


def _lifted_tests(source: str, checks: Sequence[LiftedCheck]) -> list[Test]:
    programs: dict[tuple[str, bool], Program] = {}
    tests: list[Test] = []
    for number, check in enumerate(checks, 1):
        runs = []
        for at, (function, call) in enumerate(check.calls):
            listed = at in check.iterated
            program = programs.get((function, listed))
            if program is None:
                program = programs[function, listed] = _listing(source, function) if listed else Program(source, function)
            runs.append(Run(program, call))
        tests.append(Test(f"assertion {number}", tuple(runs), _decide_by(check.tree), expected=_written(check)))
    return tests


_LISTING: Final = """

pass

def {name}(*args, **kwargs):
    import builtins as b
    made = {target}(*args, **kwargs)
    plain = b.list, b.tuple, b.dict, b.set, b.frozenset, b.str, b.bytes, b.int, b.float, b.complex, b.type(None)
    return made if b.isinstance(made, plain) else [*made]
"""


def _listing(source: str, function: str) -> Program:
    """The function, with a list for what is no plain value but can be gone through, such as a generator. It is a part of the
    solution, and can say no more than the solution can. `pass` ends a text that is no whole program."""
    owner, _, own = function.rpartition(".")
    name = f"__listed_{own}__"
    return Program(source + _LISTING.format(name=name, target=f"{owner}().{own}" if owner else own), name)


def _ended(values: Sequence[Any]) -> str:
    return "" if values[0] is True else "the test did not come to its end"


def _decide_by(tree: Tree) -> Any:
    return lambda values: judge_tree(tree, values)


def _written(check: LiftedCheck) -> Any:
    return lambda: written(check.tree, [f"{name}(...)" for name, _ in check.calls])
