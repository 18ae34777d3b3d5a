"""Tests over standard input and output, and over calls: APPS, TACO, LiveCodeBench, and what RL stacks use.

A sample's `code` is a whole program (tests give it text), or holds the function that the tests name, on its own or as a
method of a class `Solution`. A sample brings its own tests or names a problem.
"""

import functools
from collections.abc import Sequence
from typing import Any, Literal

from reexec.engine.errors import UsageError
from reexec.engine.executor import Executor
from reexec.engine.judging.compare import compare
from reexec.engine.program import Call, Program, Script, Stdin
from reexec.runners.rows.text import quoted

from .code import code_of
from .io_arguments import arguments_of, expected_of, signature_of
from .io_sets import BadTestsError, IoSet, read_tests
from .lifting.tree import PYTHON
from .plan import NOT_RUN, Plan, Result, Run, Test
from .problems import Problems, id_of
from .task import BadSampleError, Task
from .text_rules import TextRule, joined, text_difference

Score = Literal["all", "fraction", "first-failure"]


class IoTests(Task):
    name = "tests"
    policy = "contest"

    def __init__(
        self,
        problems: Problems,
        executor: Executor,
        *,
        language: str = "python",
        score: Score = "all",
        compare: TextRule = "lines",
        first: int | None = None,
    ) -> None:
        """`first`: only so many tests of each set."""
        super().__init__(problems, executor)
        if language != "python":
            raise UsageError(f"--language {language}: only python is graded here")
        self.language, self.score, self.first = language, score, first
        self.text_rule: TextRule = compare
        self._sets: dict[str, IoSet] = {}
        self._stdins: dict[str, list[Stdin]] = {}

    def settings(self) -> dict[str, Any]:
        return {"language": self.language, "score": self.score, "compare": self.text_rule, "first": self.first}

    def key_for(self, row: dict[str, Any]) -> str:
        given = id_of(row)
        key = self.problems.key_of(given) if given is not None else None
        if key is None and not len(self.problems):
            return ""
        if key is None:
            try:
                if read_tests(row) is not None:
                    return ""
            except BadTestsError as error:
                raise BadSampleError(str(error)) from None
            raise BadSampleError(f"no problem has the task_id {given!r} and the sample has no tests, at $.task_id")
        return key

    def plan(self, row: dict[str, Any], key: str) -> Plan:
        tests, stdins = self._tests(row, key)
        code = code_of(row, "", tests.function)
        if not code.text:
            return Plan(verdict="no-answer", detail=code.reason)
        cases = self._calls(code.text, tests) if tests.function else self._scripts(code.text, tests, stdins)
        count = len(cases)  # all of them are judged out here
        return Plan(cases, stop_at_failure=self.score == "first-failure", lifted=count, assertions=count)

    def _tests(self, row: dict[str, Any], key: str) -> tuple[IoSet, list[Stdin]]:
        if key in self._sets and "input_output" not in row:
            return self._sets[key], self._stdins[key]
        try:
            own = read_tests(row)
            found = own or (read_tests(self.problems[key]) if key else None)
        except BadTestsError as error:
            raise BadSampleError(str(error)) from None
        if found is None:
            raise BadSampleError("neither the sample nor its problem has tests, at $.input_output")
        if self.first is not None:
            found = IoSet(found.inputs[: self.first], found.outputs[: self.first], found.function)
        stdins = [] if found.function else [Stdin.of(joined(text)) for text in found.inputs]
        if own is None:
            self._sets[key], self._stdins[key] = found, stdins
        return found, stdins

    def _scripts(self, code: str, tests: IoSet, stdins: list[Stdin]) -> list[Test]:
        program = Script(code)
        return [
            Test(
                f"test {number}",
                (Run(program, stdin),),
                self._text_rule(joined(expected)),
                expected=functools.partial(joined, expected),
            )
            for number, (stdin, expected) in enumerate(zip(stdins, tests.outputs, strict=True), 1)
        ]

    def _text_rule(self, expected: str) -> Any:
        return lambda values: text_difference(values[0], expected, self.text_rule)

    def _calls(self, code: str, tests: IoSet) -> list[Test]:
        signature = signature_of(code, tests.function)
        entry = f"Solution.{tests.function}" if signature.method else tests.function
        program = Program(code, entry)
        cases: list[Test] = []
        for number, (given, wanted) in enumerate(zip(tests.inputs, tests.outputs, strict=True), 1):
            try:
                args = arguments_of(given, signature)
            except ValueError as error:
                raise BadSampleError(f"input {number} of the tests is neither JSON nor a literal ({error})") from None
            expected = expected_of(wanted, signature)
            cases.append(
                Test(
                    f"test {number}",
                    (Run(program, Call(tuple(args))),),
                    _value_rule(expected),
                    expected=functools.partial(quoted, expected),
                )
            )
        return cases

    def members(self, plan: Plan, results: Sequence[Result]) -> dict[str, Any]:
        found = super().members(plan, results)
        words = [result.word for result in results if result.word != NOT_RUN]
        right = sum(word == "accepted" for word in words)
        share = right / len(plan.tests) if plan.tests else 0.0
        score = share if self.score == "fraction" else float(found["passed"])
        return {**found, "results": words, "score": round(score, 6)}

    def note(self, counts: dict[str, Any], members: dict[str, Any]) -> None:
        counts["score"] = counts.get("score", 0.0) + members["score"]
        counts["scored"] = counts.get("scored", 0) + (members["verdict"] != "engine-error")

    def summary(self, counts: dict[str, Any]) -> dict[str, Any]:
        return {"mean_score": round(counts.get("score", 0.0) / (counts.get("scored") or 1), 6)}


def _value_rule(expected: Any) -> Any:
    """Equality, with what JSON cannot say given up: a tuple at the top is a list, and so is one within a list."""

    def decide(values: Sequence[Any]) -> str:
        actual = values[0]
        forms = [list(actual) if isinstance(actual, tuple) else actual]
        if isinstance(forms[0], list) and any(isinstance(each, tuple) for each in forms[0]):
            forms.append([list(each) if isinstance(each, tuple) else each for each in forms[0]])
        first = compare(forms[0], expected, PYTHON)
        wrapped = isinstance(expected, list) and expected  # APPS wraps most values in one more list
        for form in forms:
            if compare(form, expected, PYTHON).equal or (wrapped and compare(form, expected[0], PYTHON).equal):
                return ""
        return f"{first.path}: {first.reason}"

    return decide
