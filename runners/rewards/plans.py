"""A completion and its truth as a plan: what has to run, and what the results come to."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from reexec.engine.errors import EngineError, ReexecError, UsageError
from reexec.engine.executor import Executor
from reexec.engine.folding import fold_expected
from reexec.engine.judging.attainable import require_attainable
from reexec.engine.judging.compare import Comparison, compare
from reexec.engine.program import Call
from reexec.policies.comparison import ComparisonRule

from ..graders.assertions import AssertionTask, Unlifted
from ..graders.blocks import is_python
from ..graders.cruxeval import literal
from ..graders.cruxeval_answers import read_prediction
from ..graders.cruxeval_official import official_program
from ..graders.io_tests import IoTests, Score
from ..graders.lifting.tree import PYTHON
from ..graders.plan import NOT_RUN, Plan, Result, Run, Test
from ..graders.problems import Problems
from ..graders.registry import task_named
from ..graders.task import BadSampleError, Task
from ..graders.text_rules import TextRule
from ..records.predicted import read_predicted
from .truth import BadTruthError, Crux, Pair, Problem

Grade = Literal["all", "fraction"]
MOST_PROBLEMS = 4096
"""Problems that stay prepared, by process."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What decides a problem's score beside its row; the settings of `Reward` of these names."""

    grade: Grade = "all"
    unlifted: Unlifted = "run"
    compare: TextRule = "lines"


def plan_pair(text: str, pair: Pair, rule: ComparisonRule) -> Plan:
    """An output prediction is settled here; an input prediction needs one call. Raises BadTruthError where no value can be the
    pair's output."""
    try:
        output = fold_expected(pair.output)
        require_attainable(output, rule)
    except UsageError as error:
        raise BadTruthError(f"{error}, in $.output") from None
    found = read_predicted(text, pair.program, pair.io_pred, rule)
    if found.fault:
        return Plan(verdict="no-answer", detail=found.fault)
    if pair.io_pred == "o":
        comparison = compare(found.value, output, rule)
        return Plan(verdict="accepted" if comparison.equal else "wrong-answer", detail=_why(comparison))
    run = Run(pair.program, Call.of(found.value))
    return Plan([Test("the predicted input", (run,), _returns(output, rule))])


def plan_crux(text: str, problem: Crux) -> Plan:
    """As plan_pair, by CRUXEval's own form of answers and Python's equality. Raises BadTruthError."""
    try:
        found = read_prediction(text, problem.mode)
    except ValueError as error:
        return Plan(verdict="no-answer", detail=str(error))
    try:
        expected = literal(problem.output)
    except ValueError:  # an expression: its value, from a jail of its own
        return _crux_by_expression(found, problem)
    if problem.mode == "output":
        comparison = compare(found, expected, PYTHON)
        return Plan(verdict="accepted" if comparison.equal else "wrong-answer", detail=_why(comparison))
    return Plan([Test("the predicted input", (Run(problem.program, found),), _returns(expected, PYTHON))])


def _crux_by_expression(found: Any, problem: Crux) -> Plan:
    evaluation = official_program(problem.program.source, "0", problem.output)
    if evaluation is None or evaluation.composed:
        raise BadTruthError("expected a Python expression, at $.output")
    runs = [Run(evaluation.program)]
    if problem.mode == "input":
        runs.append(Run(problem.program, found))

    def decide(values: Sequence[Any]) -> str:
        return _why(compare(values[1] if problem.mode == "input" else found, values[0], PYTHON))

    return Plan([Test(f"the predicted {problem.mode}", tuple(runs), decide)])


def _returns(expected: Any, rule: ComparisonRule) -> Callable[[Sequence[Any]], str]:
    return lambda values: _why(compare(values[0], expected, rule))


def _why(comparison: Comparison) -> str:
    return "" if comparison.equal else f"{comparison.path}: {comparison.reason or 'another value'}"


class Prepared:
    """Problems that a task of one executor has made ready, found again by their content."""

    def __init__(self, executor: Executor, choices: Choices) -> None:
        self.executor, self._choices = executor, choices
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[Task, str] | BadTruthError] = OrderedDict()

    def prepare(self, problems: Iterable[Problem]) -> None:
        """Makes ready what is new among them, all of a kind at once. Raises EngineError."""
        with self._lock:
            new = {problem.digest: problem for problem in problems if problem.digest not in self._known}
        while new:
            batch: dict[tuple[str, str], Problem] = {}
            for problem in new.values():
                batch.setdefault((problem.task, problem.key), problem)
            for task_name in {problem.task for problem in batch.values()}:
                self._add(task_name, [problem for problem in batch.values() if problem.task == task_name])
            for problem in batch.values():
                del new[problem.digest]

    def _add(self, task_name: str, problems: list[Problem]) -> None:
        found: tuple[Task, dict[str, str]] | BadTruthError
        rows = {problem.key: problem.row for problem in problems}
        try:
            task = self._task(task_name, Problems.of_rows(rows))
            task.prepare()
            found = (task, {problem.digest: problem.key for problem in problems})
        except EngineError:
            raise
        except (ReexecError, ValueError, TypeError, LookupError, AttributeError) as error:
            if len(problems) > 1:  # one of them is at fault: the others must not suffer
                for problem in problems:
                    self._add(task_name, [problem])
                return
            said = error if isinstance(error, ReexecError) else f"{type(error).__name__}: {error}"
            found = BadTruthError(f"a problem of {task_name} that cannot be used: {said}")
        with self._lock:
            for problem in problems:
                known = found if isinstance(found, BadTruthError) else (found[0], found[1][problem.digest])
                self._known[problem.digest] = known
            while len(self._known) > MOST_PROBLEMS + len(problems):
                self._known.popitem(last=False)

    def _task(self, name: str, problems: Problems) -> Task:
        if name == IoTests.name:
            score: Score = "first-failure" if self._choices.grade == "all" else "fraction"
            return IoTests(problems, self.executor, score=score, compare=self._choices.compare)
        kind = task_named(name)
        if issubclass(kind, AssertionTask):
            return kind(problems, self.executor, unlifted=self._choices.unlifted)
        return kind(problems, self.executor)

    def plan(self, text: str, problem: Problem) -> Plan:
        """Raises BadTruthError."""
        with self._lock:
            known = self._known.get(problem.digest)
        if known is None:  # pushed out by others in the meantime
            self.prepare([problem])
            return self.plan(text, problem)
        if isinstance(known, BadTruthError):
            raise known
        task, key = known
        try:
            plan = task.plan(_sample(text, problem), key)
        except BadSampleError as error:
            raise BadTruthError(str(error)) from None
        if not plan.tests and not plan.verdict:
            raise BadTruthError(f"a problem of {problem.task} without a single test that can be judged")
        plan.stop_at_failure = self._choices.grade == "all"  # the first failure settles it
        return plan


def _sample(text: str, problem: Problem) -> dict[str, str]:
    """The completion as a sample of the grader: an answer with code in it, or, as base models give it, what continues the
    problem's own prompt."""
    prompt = problem.row.get("prompt")
    if problem.task == "humaneval" and prompt and "```" not in text and text[:1].isspace() and is_python(prompt + text):
        return {"completion": text}
    return {"response": text}


def outcome_of(plan: Plan, results: Sequence[Result], grade: Grade) -> tuple[str, float | None, str]:
    """(verdict, share of what was right or None where the engine failed, a line for a person)

    A wrong answer stays one where the engine failed on another test; only an answer that may be right is left open.
    """
    if plan.verdict:
        return plan.verdict, float(plan.verdict == "accepted"), plan.detail
    ran = [result for result in results if result.word != NOT_RUN]
    wrong = next((result for result in ran if result.word not in ("accepted", "engine-error")), None)
    lost = next((result for result in ran if result.word == "engine-error"), None)
    if lost is not None and (wrong is None or grade == "fraction"):
        return "engine-error", None, lost.detail
    if wrong is None:
        return "accepted", 1.0, ""
    share = sum(result.passed for result in ran) / len(results) if grade == "fraction" else 0.0
    return wrong.word, share, wrong.detail
