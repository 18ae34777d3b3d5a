"""Tests over standard input and output, and over calls: APPS, TACO, LiveCodeBench, and what RL stacks use.

A sample's `code` is a whole program (tests give it text), or holds the function that the tests name, on its own or as a
method of a class `Solution`. A sample brings its own tests or names a problem.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal

from reexec.engine.commands import AnyExecutor, CommandExecutor
from reexec.engine.commands.toolchain import Toolchain, toolchain_named
from reexec.engine.errors import UsageError
from reexec.engine.judging.compare import compare
from reexec.engine.program import Call, Command, Program, Script, Stdin
from reexec.runners.rows.text import quoted

from .code import code_in_language, code_of
from .io_arguments import Signature, arguments_of, expected_of, signature_of
from .io_sets import BadTestsError, IoSet, read_tests
from .lifting.tree import PYTHON
from .official_rules import apps_returns, integer_keys, livecodebench_returns
from .plan import NOT_RUN, Plan, Result, Run, Test
from .problems import Problems, id_of
from .task import BadSampleError, Task
from .text_rules import TextRule, joined, text_difference

Score = Literal["all", "fraction", "first-failure"]
PYTHON_NAME, BY_ROW = "python", "row"


class IoTests(Task):
    name = "tests"
    policy = "contest"
    _version = ""
    """Of the compiler or run time of another language."""

    def __init__(
        self,
        problems: Problems,
        executor: AnyExecutor,
        *,
        language: str = "python",
        score: Score = "all",
        compare: TextRule = "lines",
        first: int | None = None,
    ) -> None:
        """`language`: a toolchain's name or file; `row`: each sample says it in its member `language`. Any but python needs a
        CommandExecutor. `first`: only so many tests of each set."""
        super().__init__(problems, executor)
        self._toolchain = _toolchain(language)
        if language not in (PYTHON_NAME, BY_ROW) and isinstance(executor, CommandExecutor):
            self._version = executor.require(language)
        self.language, self.score, self.first = language, score, first
        self.text_rule: TextRule = compare
        self._sets: dict[str, IoSet] = {}
        self._stdins: dict[str, list[Stdin]] = {}

    def settings(self) -> dict[str, Any]:
        more = {"version": self._version} if self._version else {}
        return {"language": self.language, "score": self.score, "compare": self.text_rule, "first": self.first, **more}

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
            names = "it names no problem" if given is None else f"no problem has the task_id {given!r}"
            raise BadSampleError(f"{names} and the sample has no tests of its own, at $.task_id")
        return key

    def plan(self, row: dict[str, Any], key: str) -> Plan:
        tests, stdins = self._tests(row, key)
        toolchain = self._toolchain_of(row)
        code = code_of(row, "", tests.function) if toolchain is None else code_in_language(row, toolchain.names)
        if not code.text:
            return Plan(verdict="no-answer", detail=code.reason)
        if toolchain is not None:
            if tests.function:
                raise BadSampleError(
                    f"tests that call {tests.function!r} are for Python: a program in {toolchain.language} is judged by tests "
                    "over standard input, without fn_name, at $.fn_name"
                )
            named = self.language if self.language.endswith(".toml") else toolchain.language
            cases = self._scripts(Command(code.text, named), tests, stdins)
        else:
            cases = self._calls(code.text, tests) if tests.function else self._scripts(Script(code.text), tests, stdins)
        count = len(cases)  # all of them are judged out here
        return Plan(cases, stop_at_failure=self.score == "first-failure", lifted=count, assertions=count)

    def _toolchain_of(self, row: dict[str, Any]) -> Toolchain | None:
        """None for Python, which the engine runs itself."""
        if self.language != BY_ROW:
            return self._toolchain
        named = row.get("language", PYTHON_NAME)
        try:
            if not isinstance(named, str) or named.endswith(".toml"):
                raise UsageError("expected the name of a language")
            found = _toolchain(named)
            if found is not None and isinstance(self.executor, CommandExecutor):
                self.executor.require(found.language)
        except UsageError as error:
            raise BadSampleError(f"{error}, at $.language") from None
        return found

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

    def _scripts(self, program: Script, tests: IoSet, stdins: list[Stdin]) -> list[Test]:
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
            expected, decide = self._expected(given, wanted, signature)
            cases.append(
                Test(
                    f"test {number}",
                    (Run(program, Call(tuple(args))),),
                    decide,
                    expected=functools.partial(quoted, expected),
                )
            )
        return cases

    def _expected(self, given: Any, wanted: Any, signature: Signature) -> tuple[Any, Any]:
        """What a call should return, and the rule. Beside arguments that are values an expected text is a value too."""
        if self.text_rule == "apps":
            return wanted, _official_rule(apps_returns, wanted)
        expected = expected_of(wanted, signature)
        if self.text_rule == "livecodebench":
            return expected, _official_rule(livecodebench_returns, expected)
        also = [integer_keys(expected)]
        if isinstance(given, list) and isinstance(wanted, str):
            also.append(wanted)
        return expected, _value_rule(expected, also, may_be_wrapped=not isinstance(wanted, str))

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


def _toolchain(language: str) -> Toolchain | None:
    """None for Python, and where each row says its language. Raises UsageError."""
    if language == BY_ROW:
        return None
    found = toolchain_named(language)
    return None if found.language == PYTHON_NAME else found


def _official_rule(returns: Callable[[Any, Any], bool], expected: Any) -> Any:
    def decide(values: Sequence[Any]) -> str:
        if returns(values[0], expected):
            return ""
        found = compare(values[0], expected, PYTHON)
        return f"{found.path}: {found.reason or 'equal, but for the official rule'}"

    return decide


def _value_rule(expected: Any, also: Sequence[Any] = (), *, may_be_wrapped: bool = True) -> Any:
    """Equality, with what JSON cannot say given up: a tuple at the top is a list, and so is one within a list. `also`: what is
    right as well. `may_be_wrapped`: the value may stand in one more list."""

    def decide(values: Sequence[Any]) -> str:
        actual = values[0]
        forms = [list(actual) if isinstance(actual, tuple) else actual]
        if isinstance(forms[0], list) and any(isinstance(each, tuple) for each in forms[0]):
            forms.append([list(each) if isinstance(each, tuple) else each for each in forms[0]])
        first = compare(forms[0], expected, PYTHON)
        wrapped = isinstance(expected, list) and len(expected) == 1 and may_be_wrapped  # as APPS wraps most values
        for form in forms:
            if compare(form, expected, PYTHON).equal or (wrapped and compare(form, expected[0], PYTHON).equal):
                return ""
            if any(compare(form, each, PYTHON).equal for each in also):
                return ""
        return f"{first.path}: {first.reason}"

    return decide
