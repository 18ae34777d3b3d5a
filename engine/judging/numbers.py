"""Whether two numbers are equal under a rule, and if not, why.

Owns the arithmetic. Values are exactly of the types bool, int, float or complex; who calls has made sure. Doubles and
integers that doubles hold are judged in doubles, as CodeI/O does; larger integers exactly, so that nothing
overflows.
"""

from math import copysign, isfinite
from typing import Final

from reexec.policies.comparison import ComparisonRule

type Real = int | float
type Number = int | float | complex

_EXACT: Final = 2**53
"""Integers up to this magnitude are doubles without loss."""

_DIFFERENT: Final = "another number"


def number_difference(actual: Number, expected: Number, rule: ComparisonRule) -> str:
    """Empty where the numbers are equal, otherwise the reason in a few words."""
    if rule.numbers == "same-type" and type(actual) is not type(expected):
        return "a number of another type"
    if rule.bools == "distinct" and (type(actual) is bool) is not (type(expected) is bool):
        return "only one of the two is a bool"
    if isinstance(actual, complex) or isinstance(expected, complex):
        return _complex_difference(actual, expected, rule)
    return _real_difference(actual, expected, rule)


def _real_difference(actual: Real, expected: Real, rule: ComparisonRule) -> str:
    if actual == expected:  # exact in Python for an integer of any size against a float
        if actual == 0 and rule.signed_zero and _negative(actual) is not _negative(expected):
            return "the sign of zero"
        return ""
    if actual != actual or expected != expected:
        return "" if actual != actual and expected != expected else "only one of the two is NaN"
    if type(actual) is not float and type(expected) is not float:
        return _DIFFERENT
    if rule.numbers != "close":
        return _DIFFERENT
    if not (_finite(actual) and _finite(expected)):
        return "infinity on one side or with another sign"
    if not _close(actual, expected, rule):
        return "outside the tolerance"
    if rule.same_integer_part and int(actual) != int(expected):
        return "another integer part"
    return ""


def _complex_difference(actual: Number, expected: Number, rule: ComparisonRule) -> str:
    if type(actual) is not type(expected) and rule.numbers != "equal":
        return "only one of the two is complex"
    real = _real_difference(actual.real, expected.real, rule)
    return real or _real_difference(actual.imag, expected.imag, rule)


def _negative(zero: Real) -> bool:
    return copysign(1.0, zero) < 0


def _finite(number: Real) -> bool:
    return type(number) is not float or isfinite(number)


def _close(actual: Real, expected: Real, rule: ComparisonRule) -> bool:
    if _is_double(actual) and _is_double(expected):
        a, e = float(actual), float(expected)
        base = abs(e) if rule.relative_to == "expected" else max(abs(a), abs(e))
        # The difference of two doubles may overflow to infinity; the tolerance cannot, so the answer stands.
        return abs(a - e) <= max(rule.rtol * base, rule.atol)
    return _close_exactly(actual, expected, rule)


def _is_double(number: Real) -> bool:
    return type(number) is float or -_EXACT <= number <= _EXACT


def _close_exactly(actual: Real, expected: Real, rule: ComparisonRule) -> bool:
    """The same test in integers, all brought to one denominator. A huge integer costs time linear in its digits."""
    a, a_parts = actual.as_integer_ratio()
    e, e_parts = expected.as_integer_ratio()
    a, e = a * e_parts, e * a_parts
    parts = a_parts * e_parts
    distance = abs(a - e)
    base = abs(e) if rule.relative_to == "expected" else max(abs(a), abs(e))
    rtol, rtol_parts = rule.rtol.as_integer_ratio()
    atol, atol_parts = rule.atol.as_integer_ratio()
    return distance * rtol_parts <= rtol * base or distance * atol_parts <= atol * parts
