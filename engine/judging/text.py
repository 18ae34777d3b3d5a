"""What a program printed against what it should have printed.

Owns lines, words and the reading of a word as a number. White space is that of ASCII: what else counts as white space
depends on the interpreter's Unicode tables.
"""

import re
from math import isinf
from typing import Final

from reexec.policies.comparison import ComparisonRule

from .keys import Budget
from .numbers import Real, number_difference

_SPACE: Final = " \t\r\f\v"
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?P<point>\.[0-9]*)?|(?P<bare>\.[0-9]+))(?P<power>[eE][+-]?[0-9]{1,5})?")
_MAX_DIGITS: Final = 600
"""Words longer than this are no numbers: below the lowest limit on digits that an interpreter can be set to."""


def text_difference(actual: str, expected: str, rule: ComparisonRule, budget: Budget) -> str:
    """Empty where the texts are equal, otherwise the first line (counted from 1) and why.

    Raises `CannotJudgeError` where `budget` is exceeded.
    """
    actual_lines, expected_lines = _lines(actual), _lines(expected)
    budget.take(len(expected_lines))
    for index, (a, e) in enumerate(zip(actual_lines, expected_lines, strict=False), 1):
        if a == e:
            continue
        reason = _line_difference(a, e, rule, budget) if rule.token_numbers else "another text"
        if reason:
            return f"line {index}: {reason}"
    if len(actual_lines) != len(expected_lines):
        return f"{len(actual_lines)} lines, expected {len(expected_lines)}"
    return ""


def _lines(text: str) -> list[str]:
    lines = [line.rstrip(_SPACE) for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _line_difference(actual: str, expected: str, rule: ComparisonRule, budget: Budget) -> str:
    actual_words, expected_words = _words(actual), _words(expected)
    budget.take(len(expected_words))
    if len(actual_words) != len(expected_words):
        return f"{len(actual_words)} words, expected {len(expected_words)}"
    for index, (a, e) in enumerate(zip(actual_words, expected_words, strict=True), 1):
        if a == e:
            continue
        a_number, e_number = _number(a), _number(e)
        if a_number is None or e_number is None:
            return f"word {index}: another text"
        reason = number_difference(a_number, e_number, rule)
        if reason:
            return f"word {index}: {reason}"
    return ""


def _words(line: str) -> list[str]:
    for space in "\t\r\f\v":
        line = line.replace(space, " ")
    return [word for word in line.split(" ") if word]


def _number(word: str) -> Real | None:
    found = _NUMBER.fullmatch(word) if len(word) <= _MAX_DIGITS else None
    if found is None:
        return None
    if found["point"] is None and found["bare"] is None and found["power"] is None:
        return int(word)
    number = float(word)
    return None if isinf(number) else number
