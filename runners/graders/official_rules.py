"""When the checkers of APPS and of LiveCodeBench themselves count an answer as right, their slips included.

For scores that must be the tool's own: `--compare apps` and `--compare livecodebench`. What differs from the other rules, and
which of the two is right, stands in docs/decisions/0130-official-rules-by-name.md.
"""

import math
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from reexec.engine.judging.compare import compare

from .lifting.tree import PYTHON

_RELATIVE, _ABSOLUTE = 1e-5, 1e-8  # numpy's allclose, unless told otherwise
_ROUNDED_DIGITS: Final = 3


def apps_prints(actual: str, expected: str) -> bool:
    """Equal text, or equal lines without empty ones, or one close number a line, or the same sets of words, in whatever order
    and number the lines and the words come, also with numbers rounded to three digits."""
    lines = actual.splitlines()
    wanted = expected.strip()
    if "\n".join(lines).strip() == wanted or "\n".join(line.strip() for line in lines).strip() == wanted:
        return True
    wanted_lines = [line.strip() for line in expected.split("\n") if line]
    filled = [line for line in lines if line]
    if wanted_lines in (lines, filled) or _close_numbers(filled, wanted_lines):
        return True
    words = [line.split() for line in filled]
    words = [each for each in words if each]
    wanted_words = [line.split() for line in wanted_lines]
    if _sets(words) == _sets(wanted_words):
        return True
    try:
        return _sets(_rounded(words)) == _sets(_rounded(wanted_words))
    except (ValueError, OverflowError):
        return False


def apps_returns(actual: Any, expected: Any) -> bool:
    """The expected value or its first element; a tuple counts as a list, tuples within a list only against that element."""
    expected = _apps_expected(expected)
    found = list(actual) if isinstance(actual, tuple) else actual
    if _equal(found, expected):
        return True
    if not isinstance(expected, list) or not expected:
        return False
    if _equal(found, expected[0]):
        return True
    if not (isinstance(found, list) and found and isinstance(found[0], tuple)):
        return False
    try:
        return _equal([list(each) for each in found], expected[0])
    except TypeError:  # an element that is no sequence
        return False


def livecodebench_prints(actual: str, expected: str) -> bool:
    """The same lines without white space at their ends; a line that differs must be numbers alone, and equal as such."""
    lines, wanted = ([line.strip() for line in text.strip().split("\n")] for text in (actual, expected))
    if len(lines) != len(wanted):
        return False
    return all(a == e or _same_decimals(a, e) for a, e in zip(lines, wanted, strict=True))


def livecodebench_returns(actual: Any, expected: Any) -> bool:
    """Equality; a tuple counts as a list, one within a list does not."""
    return _equal(list(actual) if isinstance(actual, tuple) else actual, expected)


def integer_keys(value: Any) -> Any:
    """A dict whose keys are integers in text, as JSON has made them, with integers; all else as it is."""
    if not isinstance(value, dict):
        return value
    try:
        return {int(key): each for key, each in value.items()}
    except (ValueError, TypeError):
        return value


def _apps_expected(expected: Any) -> Any:
    if isinstance(expected, dict):
        keyed = integer_keys(expected)
        return expected if keyed is expected else [keyed]
    if isinstance(expected, list) and expected and isinstance(expected[0], dict):
        keyed = integer_keys(expected[0])
        return expected if keyed is expected[0] else [keyed]
    return expected


def _equal(actual: Any, expected: Any) -> bool:
    return compare(actual, expected, PYTHON).equal


def _sets(lines: Sequence[Sequence[Any]]) -> set[frozenset[Any]]:
    return {frozenset(words) for words in lines}


def _rounded(lines: Sequence[Sequence[str]]) -> list[list[float]]:
    return [[round(float(word), _ROUNDED_DIGITS) for word in words] for words in lines]


def _close_numbers(lines: Sequence[str], wanted: Sequence[str]) -> bool:
    if len(lines) != len(wanted):
        return False
    try:
        return all(_close(float(a), float(e)) for a, e in zip(lines, wanted, strict=True))
    except ValueError:
        return False


def _close(actual: float, expected: float) -> bool:
    if actual == expected:
        return True
    return math.isfinite(expected) and abs(actual - expected) <= _ABSOLUTE + _RELATIVE * abs(expected)


def _same_decimals(actual: str, expected: str) -> bool:
    found, wanted = actual.split(), expected.split()
    if len(found) != len(wanted):
        return False
    try:
        numbers = [(Decimal(a), Decimal(e)) for a, e in zip(found, wanted, strict=True)]
        return all(a == e for a, e in numbers)
    except InvalidOperation:
        return False
