"""The value that a response predicts, as a pair's program and rule take it: read from the text, and what makes it no answer.

`verify` and the rewards both judge what stands here, so that a training signal and a verdict on file cannot differ.
"""

from dataclasses import dataclass
from typing import Any, cast

from reexec.engine.program import Program
from reexec.engine.quick import quick
from reexec.policies.comparison import ComparisonRule

from ..answers import Likely, as_compared, extract_answer
from .arguments import by_name
from .functions import why_not_sendable


@dataclass(frozen=True, slots=True)
class Predicted:
    """`fault` says why there is no answer, in words fit for feedback; `value` is what was predicted where it is empty."""

    value: Any
    style: str
    fault: str = ""


_predicted = quick(Predicted)


def read_predicted(
    text: str,
    program: Program,
    io_pred: str,
    rule: ComparisonRule,
    line: bytes | None = None,
    likely: Likely | None = None,
) -> Predicted:
    """The answer in `text`. With `io_pred` "i" it is the arguments of a call of `program`, by name; with "o" its output.

    `line` is what the text stands in, where there is such a line. `likely`: see `extract_answer`. Never raises on any text.
    """
    answer = extract_answer(text, "output" if io_pred == "o" else "input", likely)
    if answer.style != "json":
        answer = as_compared(answer, rule, io_pred)
    value = answer.value
    if not answer.found:
        return Predicted(value, answer.style, answer.reason)
    if io_pred == "o":
        return _predicted(value, answer.style, "")
    if isinstance(value, list):
        named = by_name(program.source, program.entry, value)
        value = value if named is None else named
    where = text.encode("utf-8", "surrogatepass") if line is None else line
    fault = _why_not_arguments(value) or why_not_sendable(where, cast(dict[str, Any], value))
    return Predicted(value, answer.style, fault)


def _why_not_arguments(value: Any) -> str:
    if not isinstance(value, dict):
        return "the input must be an object that holds the arguments by name"
    if not all(isinstance(key, str) for key in value):
        return "the names of the arguments must be texts"
    return ""
