"""What a completion is judged by, in the forms that data sets keep it.

    a row of `reexec export --to rl`     or its `ground_truth`: JSON text of program, recorded call and output
    {"inputs": ..., "outputs": ...}      tests over standard input or, with `fn_name`, calls; and the other forms of io_sets
    {"prompt", "test", "entry_point"}    a problem of HumanEval
    {"test_list"}                        of MBPP
    {"base_input", "plus_input", ...}    of EvalPlus
    {"code", "input", "output", "mode"}  of CRUXEval; `mode` says what is predicted, "input" or "output"

Each as an object or as JSON text. Truths come from the user's data, never from a model.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from reexec.engine.errors import UsageError
from reexec.engine.program import Program

from ..graders.cruxeval import Mode
from ..rows.text import BadRowError, canonical, kind_of, parse_row

_CODEIO = ("refcode", "funcname", "output")
_CRUXEVAL = ("code", "input", "output")
_MODES: dict[Any, Mode] = {"i": "input", "o": "output"}
_TESTS = (
    "input_output", "test_cases", "tests", "public_test_cases", "private_test_cases", "public_tests", "private_tests",
    "generated_tests",
)  # fmt: skip
_SMALL_CHARACTERS = 1 << 16
_WITHIN = ("ground_truth", "reward_model", "label", "answer", "info")
"""Members of a row that may hold its truth, the likeliest first."""


class BadTruthError(ValueError):
    """A row that nothing can be judged by; the message says why and where."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A CodeI/O pair. With `io_pred` "i" an answer is right if the program, called with it, returns `output`."""

    program: Program
    io_pred: str
    output: Any


@dataclass(frozen=True, slots=True)
class Crux:
    """A problem of CRUXEval. `output` is the text of what `program` returns; it may be any expression."""

    program: Program
    mode: Mode
    output: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem of one of the graders: `task` is the grader's name, `row` the problem as its files have it."""

    task: str
    row: dict[str, Any]
    digest: str

    @property
    def key(self) -> str:
        """The id that the problem has among others. EvalPlus has rules of its own for some ids."""
        given = self.row.get("task_id")
        return str(given) if isinstance(given, str | int) else self.digest


Truth = Pair | Crux | Problem


def read_truth(given: Any) -> Truth:
    """The truth of a row, or of the text or object that stands in one. Raises BadTruthError."""
    if isinstance(given, str):
        return _of_small_text(given) if len(given) <= _SMALL_CHARACTERS else _of_text(given)
    if isinstance(given, list | tuple):
        return _problem("tests", {"tests": list(given)})
    if not isinstance(given, Mapping):
        raise BadTruthError(f"there is nothing to judge by: expected an object or JSON text, got {kind_of(given)}")
    return _of_object(dict(given))


def _of_text(text: str) -> Truth:
    head = text.lstrip()[:1]
    if head == "[":
        return _problem("tests", {"tests": text})
    if head != "{":
        raise BadTruthError("the ground truth is not JSON of an object, at $")
    try:
        return _of_object(parse_row(text.encode("utf-8", "surrogatepass")))
    except BadRowError as error:
        raise BadTruthError(f"the ground truth: {error}") from None


_of_small_text = lru_cache(maxsize=1024)(_of_text)


def _of_object(row: dict[str, Any]) -> Truth:
    if row.get("io_pred") is not None and "refcode" in row:
        return _pair(row)
    if isinstance(row.get("inputs"), list) and isinstance(row.get("outputs"), list):
        return _problem("tests", {"input_output": row})
    if row.get("base_input") is not None:
        return _problem("evalplus", row)
    if row.get("test_list") is not None:
        return _problem("mbpp", row)
    if isinstance(row.get("test"), str) and isinstance(row.get("entry_point"), str):
        prompt = row.get("prompt")  # one in chat form is not what a completion continues
        return _problem("humaneval", {**row, "prompt": prompt if isinstance(prompt, str) else ""})
    if any(row.get(name) is not None for name in _TESTS):
        return _problem("tests", row)
    for name in _WITHIN:
        if isinstance(row.get(name), Mapping) or (isinstance(row.get(name), str) and row[name].lstrip()[:1] in ("{", "[")):
            return read_truth(row[name])
    if all(isinstance(row.get(name), str) for name in _CRUXEVAL):
        return _crux(row)
    known = ", ".join(sorted(map(str, row))[:12]) or "nothing"
    raise BadTruthError(f"there is nothing to judge by: no ground_truth, tests or problem among {known}, at $")


def _pair(row: dict[str, Any]) -> Pair:
    if row["io_pred"] not in ("i", "o"):
        raise BadTruthError('io_pred must be "i" or "o", at $.io_pred')
    for name in _CODEIO:
        if name not in row:
            raise BadTruthError(f"the truth of a prediction has no {name!r}, at $.{name}")
    try:
        program = Program(row["refcode"], row["funcname"])
    except UsageError as error:
        raise BadTruthError(f"{error}, at $.refcode") from None
    return Pair(program, row["io_pred"], row["output"])


def _crux(row: dict[str, Any]) -> Crux:
    mode = row.get("mode", _MODES.get(row.get("io_pred")))
    if mode not in ("input", "output"):
        raise BadTruthError('a problem of CRUXEval must say what is predicted, "input" or "output", at $.mode')
    try:
        return Crux(Program(row["code"], "f"), mode, row["output"])
    except UsageError as error:
        raise BadTruthError(f"{error}, at $.code") from None


def _problem(task: str, row: dict[str, Any]) -> Problem:
    row = {name: value for name, value in row.items() if value is not None}
    return Problem(task, row, hashlib.blake2b(canonical(row), digest_size=16, salt=task.encode()).hexdigest())
