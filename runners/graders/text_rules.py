"""When printed text counts as right.

`lines`: the same lines without white space at their ends and around the whole; where a line differs, the same words, or
equal ones as exact decimal numbers (`1.0` is `1`). `tokens`: the same words, however they are spread over lines. `numbers`:
as `lines`, with a tolerance of 1e-6 for words that are numbers. `apps`, `livecodebench`: as those checkers themselves.
"""

from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal

from reexec.engine.judging.compare import compare
from reexec.engine.rendering import render
from reexec.policies.comparison import ComparisonRule

from .official_rules import apps_prints, livecodebench_prints

TextRule = Literal["lines", "tokens", "numbers", "apps", "livecodebench"]
_NUMBERS: Final = ComparisonRule.preset("text").model_copy(update={"token_numbers": True})
_MOST_DIGITS: Final = 600


def joined(text: Any) -> str:
    """Data sets keep text as one string or as a list of lines."""
    if isinstance(text, list):
        return "\n".join(map(_text, text))
    return _text(text)


def _text(value: Any) -> str:
    try:
        return str(value)
    except ValueError:  # an integer of more digits than the interpreter writes
        return render(value)


def text_difference(actual: str, expected: str, rule: TextRule) -> str:
    """Where the two differ, "" where they do not. Never raises."""
    if rule == "apps":
        return "" if apps_prints(actual, expected) else f"printed {actual[:60]!r}, expected {expected[:60]!r}"
    if rule == "livecodebench":
        return "" if livecodebench_prints(actual, expected) else f"printed {actual[:60]!r}, expected {expected[:60]!r}"
    if rule == "tokens":
        return _words(actual.split(), expected.split())
    actual_lines = [line.strip() for line in actual.strip().split("\n")]
    expected_lines = [line.strip() for line in expected.strip().split("\n")]
    if rule == "numbers":
        comparison = compare("\n".join(actual_lines), "\n".join(expected_lines), _NUMBERS)
        return "" if comparison.equal else comparison.reason
    if len(actual_lines) != len(expected_lines):
        return f"{len(actual_lines)} lines, expected {len(expected_lines)}"
    for number, (a, e) in enumerate(zip(actual_lines, expected_lines, strict=True), 1):
        if a != e and not _same_numbers(a, e):
            return f"line {number}: {a[:60]!r}, expected {e[:60]!r}"
    return ""


def _words(actual: list[str], expected: list[str]) -> str:
    for number, (a, e) in enumerate(zip(actual, expected, strict=False), 1):
        if a != e:
            return f"word {number}: {a[:60]!r}, expected {e[:60]!r}"
    return "" if len(actual) == len(expected) else f"{len(actual)} words, expected {len(expected)}"


def _may_be_number(word: str) -> bool:
    """Whether `Decimal` may read it: it takes digits of every script, and underlines between them, which are another text."""
    return len(word) <= _MOST_DIGITS and word.isascii() and "_" not in word


def _same_numbers(actual: str, expected: str) -> bool:
    a, e = actual.split(), expected.split()
    if len(a) != len(e):
        return False
    for one, other in zip(a, e, strict=True):
        if one == other:
            continue
        if not (_may_be_number(one) and _may_be_number(other)):
            return False
        try:
            if Decimal(one) != Decimal(other):
                return False
        except InvalidOperation:
            return False
    return True
