"""Submissions of problem packages through the executor: the word of each, and whether it is what its folder's name says."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from reexec.engine.commands import AnyExecutor, CommandExecutor
from reexec.engine.errors import IsolationUnavailableError, UsageError
from reexec.engine.program import Command, Script, Stdin

from ..plan import NOT_RUN, Plan, Result, Run, Test
from ..problems import Problems
from ..task import BadSampleError, Task
from .checkers import NOT_JUDGED, Checkers
from .folder import Package, PackageTest
from .sources import PYTHON
from .tokens import token_difference

COMPILE_ERROR: Final = "compile-error"
"""Of labels alone: graded rows say `runtime-error`, with the compiler's message."""
_FAILED: Final = ("runtime-error", "memory-limit", "early-exit", "process-limit", "denied", "output-limit", "bad-result")
LABELS: Final[dict[str, tuple[str, ...]]] = {
    "accepted": ("accepted",),
    "wrong_answer": ("wrong-answer", "output-limit"),
    "time_limit_exceeded": ("cpu-limit", "wall-limit"),
    "run_time_error": _FAILED,
    "compiler_error": (COMPILE_ERROR,),
    "compile_error": (COMPILE_ERROR,),
    "rejected": ("wrong-answer", "cpu-limit", "wall-limit", COMPILE_ERROR, *_FAILED),
}
"""The words that a submission in a folder of that name may end with. Other folders say nothing that is checked."""
EXPECTED: Final[dict[str, str]] = {
    "CORRECT": "accepted", "WRONG-ANSWER": "wrong_answer", "NO-OUTPUT": "wrong_answer", "TIMELIMIT": "time_limit_exceeded",
    "RUN-ERROR": "run_time_error", "OUTPUT-LIMIT": "wrong_answer",
    "ACCEPTED": "accepted", "WRONG_ANSWER": "wrong_answer", "TIME_LIMIT_EXCEEDED": "time_limit_exceeded",
    "RUN_TIME_ERROR": "run_time_error", "COMPILER-ERROR": "compiler_error", "COMPILE_ERROR": "compiler_error",
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

    def __init__(self, problems: Problems, executor: AnyExecutor) -> None:
        super().__init__(problems, executor)
        self._packages: dict[str, Package] = {key: row["package"] for key, row in problems}
        self._stdins: dict[tuple[str, str], Stdin] = {}
        self._checkers = Checkers(executor)
        self._refused: dict[str, str] = {}

    def plan(self, row: dict[str, Any], key: str) -> Plan:
        package = self._packages[key]
        why = package.refused or row.get("fault") or self._checker_refusal(key, package)
        if why:
            raise BadSampleError(f"{row.get('submission')}: {why}")
        program = self._program(row)
        tests = [
            Test(test.name, (Run(program, self._stdin(key, test)),), self._rule(package, test), expected=_answer_of(test))
            for test in package.tests
        ]
        facts = {"limit": package.time_limit_s, "label": row["label"], "expected": row.get("expected_results") or []}
        return Plan(tests, stop_at_failure=True, lifted=len(tests), assertions=len(tests), facts=facts)

    def _program(self, row: dict[str, Any]) -> Script:
        language = row.get("language", PYTHON)
        if language == PYTHON:
            return Script(row["code"])
        try:
            if not isinstance(self.executor, CommandExecutor):
                raise UsageError(f"a program in {language} needs an executor of other languages")
            self.executor.require(language)
        except (UsageError, IsolationUnavailableError) as error:
            raise BadSampleError(f"{row.get('submission')}: {error}") from None
        return Command(row["code"], language)

    def _checker_refusal(self, key: str, package: Package) -> str:
        if key not in self._refused:
            try:
                self._refused[key] = self._checkers.refusal(package) if package.checker else ""
            except (UsageError, IsolationUnavailableError) as error:
                self._refused[key] = f"its output validator: {error}"
        return self._refused[key]

    def _stdin(self, key: str, test: PackageTest) -> Stdin:
        found = self._stdins.get((key, test.name))
        if found is None:
            found = self._stdins[key, test.name] = Stdin(test.input.read_bytes())
        return found

    def _rule(self, package: Package, test: PackageTest) -> Callable[[Sequence[Any]], str]:
        if package.checker:
            return lambda values: self._checkers.check(package, test, values[0])
        flags = package.rules[test.flags]
        return lambda values: token_difference(values[0], _answer_of(test)(), flags)

    def members(self, plan: Plan, results: Sequence[Result]) -> dict[str, Any]:
        words = [_word(result, plan.facts["limit"]) for result in results]
        word = next((each for each in words if each not in ("accepted", NOT_RUN)), "accepted")
        labels = [EXPECTED[each] for each in plan.facts["expected"] if each in EXPECTED] or [plan.facts["label"]]
        known = [LABELS[label] for label in labels if label in LABELS]
        told = COMPILE_ERROR if any(map(_failed_to_compile, results)) else word
        as_labelled = any(told in words for words in known) if known and word != "engine-error" else None
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


def _failed_to_compile(result: Result) -> bool:
    raised = result.outcome.exception if result.outcome is not None else None
    return raised is not None and raised.type == "CompileError"
