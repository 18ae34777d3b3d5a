"""CRUXEval: predict the output of `f(input)`, or an input that gives the output.

Two readings of a prediction. `literal`: it must be a literal (an output) or a call of `f` with literal arguments (an
input); nothing of a prediction is ever evaluated. `official`: as the benchmark's own harness, which runs

    code
    assert OUTPUT == PREDICTION

so that a prediction may be any expression. It is evaluated in the jail without the expected value, and compared here. The
harness leaves some predictions out of its lists (an input without `f(`, an output that repeats the call), and a list
without a right one is all wrong; pass@k follows from the lists, in percent.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from reexec.engine.errors import UsageError
from reexec.engine.executor import Executor
from reexec.engine.judging.compare import compare
from reexec.engine.outcome import Outcome
from reexec.engine.program import Call, Program

from .cruxeval_official import official_program
from .lifting.rewrite import parse_quietly
from .lifting.tree import PYTHON
from .pass_at_k import pass_at_k
from .problems import Problems

Mode = Literal["input", "output"]
Semantics = Literal["literal", "official"]

_MOST_CHARACTERS: Final = 200_000


@dataclass(slots=True)
class Prediction:
    """One text of one problem, and what came of it. `left_out`: the harness's lists lack it."""

    problem: str
    index: int
    text: str
    word: str = ""
    detail: str = ""
    left_out: bool = False

    @property
    def right(self) -> bool:
        return self.word == "accepted"


def literal(text: str) -> Any:
    """The value of a Python literal. Raises ValueError for all else; evaluates nothing."""
    if len(text) > _MOST_CHARACTERS:
        raise ValueError("too long for a literal")
    if not text.strip():
        raise ValueError("empty")
    try:
        return value_of(parse_quietly(f"({text.strip()}\n)").body[0])
    except (SyntaxError, IndexError):
        raise ValueError("not a Python literal") from None


def value_of(node: ast.AST) -> Any:
    """The value of a literal's syntax tree. Raises ValueError."""
    if isinstance(node, ast.Expr):
        node = node.value
    if not isinstance(node, ast.expr):
        raise ValueError("not an expression")
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError, MemoryError):
        raise ValueError("not a Python literal") from None


def literal_call(text: str) -> Call:
    """The arguments of `f(...)` where all of them are literals. Raises ValueError."""
    if len(text) > _MOST_CHARACTERS:
        raise ValueError("too long for a call")
    try:
        body = parse_quietly(text.strip()).body
    except SyntaxError:
        raise ValueError("not Python") from None
    match body:
        case [ast.Expr(value=ast.Call(func=ast.Name(id="f"), args=args, keywords=keywords))]:
            if any(keyword.arg is None for keyword in keywords):
                raise ValueError("arguments that are no literals")
            return Call(tuple(value_of(each) for each in args), {str(each.arg): value_of(each.value) for each in keywords})
    raise ValueError("not one call of f")


def left_out(problem: dict[str, Any], text: str, mode: Mode) -> bool:
    """Whether the harness passes the prediction over."""
    return "f(" not in text if mode == "input" else f"f({problem['input']})" in text


class CruxEval:
    """One run over all predictions. `generations` maps a problem's id to its texts."""

    def __init__(
        self, problems: Problems, generations: dict[str, list[str]], mode: Mode, semantics: Semantics, executor: Executor
    ) -> None:
        self.problems, self.generations = problems, generations
        self.mode: Mode = mode
        self.semantics: Semantics = semantics
        self.executor = executor
        self._expected: dict[str, Any] = {}
        for key in generations:
            if problems.key_of(key) is None:
                raise UsageError(f"no problem has the id {key!r}, at $.{key}")

    def expected(self, key: str) -> Any:
        if key not in self._expected:
            problem = self.problems[key]
            try:
                self._expected[key] = literal(problem["output"])
            except ValueError:  # an expression: its value, from a jail of its own
                self._expected[key] = self._value_of(key, problem["code"], problem["output"])
        return self._expected[key]

    def _value_of(self, key: str, code: str, expression: str) -> Any:
        evaluation = official_program(code, "0", expression)
        if evaluation is None or evaluation.composed:
            raise UsageError(f"problem {key}: expected a Python expression, at $.output")
        outcome = self.executor.submit(evaluation.program, Call()).result()
        if not outcome.ok:
            raise UsageError(f"problem {key}: the expected output has no value ({outcome.describe()}), at $.output")
        return outcome.value

    def predictions(self) -> Iterator[Prediction]:
        """All predictions, judged, in the order of the generations."""
        for outcome, (prediction, judge) in self.executor.run_many(self._items()):
            if judge is not None:
                judge(prediction, outcome)
            yield prediction

    def _items(self) -> Iterator[tuple[Program | None, Any, Any]]:
        for name, texts in self.generations.items():
            key = self.problems.key_of(name)
            assert key is not None
            first: dict[str, Prediction] = {}
            for index, text in enumerate(texts):
                prediction = Prediction(name, index, text)
                same = first.setdefault(text, prediction)
                if same is not prediction:  # outcomes come in order: by then it is judged
                    yield None, (), (prediction, _judge_as(same))
                    continue
                prepare = self._official if self.semantics == "official" else self._literal
                program, call, judge = prepare(prediction, key)
                yield program, call, (prediction, judge)

    def _literal(self, prediction: Prediction, key: str) -> tuple[Program | None, Any, Any]:
        problem, expected = self.problems[key], self.expected(key)
        try:
            if self.mode == "input":
                call = literal_call(prediction.text)
                return Program(problem["code"], "f"), call, _judge_value(expected)
            given = literal(prediction.text)
        except ValueError as error:
            prediction.word, prediction.detail = "no-answer", str(error)
            return None, (), None
        _compared(prediction, given, expected)
        return None, (), None

    def _official(self, prediction: Prediction, key: str) -> tuple[Program | None, Any, Any]:
        problem, expected = self.problems[key], self.expected(key)
        if left_out(problem, prediction.text, self.mode):
            prediction.left_out = True
            prediction.word, prediction.detail = "no-answer", "left out by the harness"
            return None, (), None
        evaluation = official_program(problem["code"], problem["output"], prediction.text)
        if evaluation is None:
            prediction.word, prediction.detail = "no-answer", "not Python"
            return None, (), None
        return evaluation.program, Call(), _judge_composed(expected) if evaluation.composed else _judge_value(expected)


def _compared(prediction: Prediction, actual: Any, expected: Any) -> None:
    comparison = compare(actual, expected, PYTHON)
    prediction.word = "accepted" if comparison.equal else "wrong-answer"
    prediction.detail = "" if comparison.equal else f"{comparison.path}: {comparison.reason}"


def _judge_as(same: Prediction) -> Any:
    def judge(prediction: Prediction, _outcome: Outcome | None) -> None:
        prediction.word, prediction.detail, prediction.left_out = same.word, same.detail, same.left_out

    return judge


def _judge_value(expected: Any) -> Any:
    def judge(prediction: Prediction, outcome: Outcome) -> None:
        if outcome.ok:
            _compared(prediction, outcome.value, expected)
        else:
            prediction.word = "runtime-error" if outcome.kind == "exception" else outcome.kind
            prediction.detail = outcome.describe()

    return judge


def _judge_composed(expected: Any) -> Any:
    def judge(prediction: Prediction, outcome: Outcome) -> None:
        if outcome.ok:
            value, if_equal, if_not = outcome.value
            holds = if_equal if compare(value, expected, PYTHON).equal else if_not
            prediction.word = "accepted" if holds is True else "wrong-answer"
        else:
            _judge_value(expected)(prediction, outcome)

    return judge


def score_lists(predictions: list[Prediction], semantics: Semantics) -> dict[str, list[bool]]:
    """Right or wrong by problem; in the harness's own form where its semantics were asked for."""
    by_problem: dict[str, list[Prediction]] = {}
    for each in predictions:
        by_problem.setdefault(each.problem, []).append(each)
    scores: dict[str, list[bool]] = {}
    for name, group in by_problem.items():
        kept = [each.right for each in group if not (semantics == "official" and each.left_out)]
        scores[name] = kept if any(kept) else [False] * len(group)
    return scores


def percent_at_k(scores: dict[str, list[bool]], k: int) -> float:
    """The harness's figure: the mean over problems, in percent; a problem with fewer than k wrong ones counts as solved."""
    each = [pass_at_k(len(flags), flags.count(True), k) for flags in scores.values()]
    return 100 * sum(each) / len(each) if each else 0.0


def disagreements(
    predictions: list[Prediction], scores: dict[str, list[bool]], problems: Problems, mode: Mode
) -> list[tuple[Prediction, bool]]:
    """Predictions that official score lists judge differently, with the official judgement."""
    by_problem: dict[str, list[Prediction]] = {}
    for each in predictions:
        by_problem.setdefault(each.problem, []).append(each)
    found: list[tuple[Prediction, bool]] = []
    for name, group in by_problem.items():
        official = scores.get(name)
        if official is None:
            continue
        if len(official) != len(group):
            key = problems.key_of(name)
            assert key is not None
            group = [each for each in group if not left_out(problems[key], each.text, mode)]
        if len(official) != len(group):
            raise UsageError(f"{len(official)} official scores for {len(group)} predictions, at $.{name}")
        found.extend((each, flag) for each, flag in zip(group, official, strict=True) if each.right is not flag)
    return found
