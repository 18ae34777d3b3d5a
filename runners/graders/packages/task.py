"""Submissions of problem packages through the executor: the word of each, and whether it is what its folder's name says."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from reexec.engine.executor import Executor
from reexec.engine.program import Call, Script, Stdin

from ..plan import NOT_RUN, Plan, Result, Run, Test, inside
from ..problems import Problems
from ..task import BadSampleError, Task
from .folder import Package, PackageTest
from .tokens import token_difference

RIGHT, WRONG = 42, 43
NOT_JUDGED: Final = "the checker failed: "
CHECKER_SCRATCH_BYTES: Final = 64 << 20
_FAILED: Final = ("runtime-error", "memory-limit", "early-exit", "process-limit", "denied", "output-limit", "bad-result")
LABELS: Final[dict[str, tuple[str, ...]]] = {
    "accepted": ("accepted",),
    "wrong_answer": ("wrong-answer", "output-limit"),
    "time_limit_exceeded": ("cpu-limit", "wall-limit"),
    "run_time_error": _FAILED,
    "rejected": ("wrong-answer", "cpu-limit", "wall-limit", *_FAILED),
}
"""The words that a submission in a folder of that name may end with. Other folders say nothing that is checked."""
EXPECTED: Final[dict[str, str]] = {
    "CORRECT": "accepted", "WRONG-ANSWER": "wrong_answer", "NO-OUTPUT": "wrong_answer", "TIMELIMIT": "time_limit_exceeded",
    "RUN-ERROR": "run_time_error", "OUTPUT-LIMIT": "wrong_answer",
    "ACCEPTED": "accepted", "WRONG_ANSWER": "wrong_answer", "TIME_LIMIT_EXCEEDED": "time_limit_exceeded",
    "RUN_TIME_ERROR": "run_time_error",
}  # fmt: skip
"""DOMjudge's words for the same, in a comment `@EXPECTED_RESULTS@: ...` of a submission."""


def problems_of(packages: list[Package]) -> Problems:
    """The packages by name, as a task takes its problems."""
    found = Problems.of_rows({each.name: {"package": each} for each in packages})
    found.paths = tuple(each.folder for each in packages)
    return found


class PackageTask(Task):
    name = "package"
    policy = "contest"

    def __init__(self, problems: Problems, executor: Executor) -> None:
        super().__init__(problems, executor)
        self._packages: dict[str, Package] = {key: row["package"] for key, row in problems}
        self._stdins: dict[tuple[str, str], Stdin] = {}
        self._checkers: Executor | None = None

    def plan(self, row: dict[str, Any], key: str) -> Plan:
        package = self._packages[key]
        why = package.refused or row.get("fault")
        if why:
            raise BadSampleError(f"{row.get('submission')}: {why}")
        program = Script(row["code"])
        tests = [
            Test(test.name, (Run(program, self._stdin(key, test)),), self._rule(package, test), expected=_answer_of(test))
            for test in package.tests
        ]
        facts = {"limit": package.time_limit_s, "label": row["label"], "expected": row.get("expected_results") or []}
        return Plan(tests, stop_at_failure=True, lifted=len(tests), assertions=len(tests), facts=facts)

    def _stdin(self, key: str, test: PackageTest) -> Stdin:
        found = self._stdins.get((key, test.name))
        if found is None:
            found = self._stdins[key, test.name] = Stdin(test.input.read_bytes())
        return found

    def _rule(self, package: Package, test: PackageTest) -> Callable[[Sequence[Any]], str]:
        if package.checker:
            return lambda values: self._checked(package, test, values[0])
        flags = package.rules[test.flags]
        return lambda values: token_difference(values[0], _answer_of(test)(), flags)

    def _checked(self, package: Package, test: PackageTest, output: str) -> str:
        """What the package's own checker says. It runs in a jail of its own, apart from every submission, and it alone is given
        the answer."""
        given = (package.checker, list(test.flags), test.input.read_bytes(), test.answer.read_bytes(), output)
        outcome = self._checker().submit(inside("checker", "check"), Call(given)).result()
        status, said = outcome.value if outcome.ok else (None, outcome.describe())
        if status == RIGHT:
            return ""
        return (said or "the checker says so") if status == WRONG else f"{NOT_JUDGED}{said or f'exit status {status}'}"

    def _checker(self) -> Executor:
        if self._checkers is None:
            own = self.executor
            limits = own.policy.limits.model_copy(update={"scratch_bytes": CHECKER_SCRATCH_BYTES})
            policy = own.policy.model_copy(update={"name": "checker", "limits": limits, "prelude": ()})
            self._checkers = Executor(policy, workers=1, python=own.interpreter.executable)
        return self._checkers

    def members(self, plan: Plan, results: Sequence[Result]) -> dict[str, Any]:
        words = [_word(result, plan.facts["limit"]) for result in results]
        word = next((each for each in words if each not in ("accepted", NOT_RUN)), "accepted")
        labels = [EXPECTED[each] for each in plan.facts["expected"] if each in EXPECTED] or [plan.facts["label"]]
        known = [LABELS[label] for label in labels if label in LABELS]
        as_labelled = any(word in words for words in known) if known and word != "engine-error" else None
        return {"passed": word == "accepted", "verdict": word, "as_labelled": as_labelled}

    def note(self, counts: dict[str, Any], members: dict[str, Any]) -> None:
        name = {True: "as_labelled", False: "otherwise", None: "without_label"}[members["as_labelled"]]
        counts[name] = counts.get(name, 0) + 1

    def summary(self, counts: dict[str, Any]) -> dict[str, Any]:
        return {name: counts.get(name, 0) for name in ("as_labelled", "otherwise", "without_label")}


def _answer_of(test: PackageTest) -> Callable[[], str]:
    return lambda: test.answer.read_text(encoding="utf-8", errors="replace")


def _word(result: Result, limit_s: float | None) -> str:
    if result.word == "wrong-answer" and result.detail.startswith(NOT_JUDGED):
        return "engine-error"
    used = result.outcome.usage.cpu_s if result.outcome is not None else 0.0
    if limit_s is not None and used > limit_s and result.word in ("accepted", "wrong-answer"):
        return "cpu-limit"
    return result.word
