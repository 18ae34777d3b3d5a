"""When EvalPlus counts a value as right: equality, a tolerance for floats, and rules of single tasks.

Its tolerance (numpy's `allclose` with rtol 1e-7) applies where the problem names one, and where the expected value is a
float or a sequence of floats; then 1e-6, and for all later inputs of the same list as well. Only values of the same type
are close. Single tasks: any value, an alternative reading of the task, the elements without order, the root of a polynomial.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

from reexec.engine.judging.compare import compare

from .lifting.tree import PYTHON

RTOL: Final = 1e-7
FLOAT_ATOL: Final = 1e-6
NOT_NONE: Final = frozenset(("check_str", "text_match_three", "text_starta_endb"))
"""MBPP+ tasks where only it counts whether something is returned."""
_AS_SETS: Final = frozenset((
    "similar_elements", "find_char_long", "common_in_nested_lists", "extract_singly",
    "larg_nnum", "intersection_array", "find_dissimilar", "Diff",
))  # fmt: skip


def tolerances(expected: Sequence[Any], atol: float) -> list[float]:
    """The absolute tolerance of each input of a list."""
    found = []
    for value in expected:
        if atol == 0 and _is_floats(value):
            atol = FLOAT_ATOL
        found.append(atol)
    return found


def difference(family: str, entry: str, args: Sequence[Any], actual: Any, expected: Any, atol: float) -> str:
    """Why a returned value is wrong, "" where it is right. Never raises."""
    try:
        return _difference(family, entry, args, actual, expected, atol)
    except Exception as error:  # in EvalPlus an exception while comparing is a failure as well
        return f"comparing raises {type(error).__name__}"


def _difference(family: str, entry: str, args: Sequence[Any], actual: Any, expected: Any, atol: float) -> str:
    if family == "humaneval" and entry == "find_zero":
        return "" if abs(_polynomial(args[0], actual)) <= atol else "not a root of the polynomial"
    if family == "mbpp" and entry in _AS_SETS:
        reason = "" if set(actual) == set(expected) else "other elements"
    else:
        comparison = compare(actual, expected, PYTHON)
        reason = "" if comparison.equal else f"{comparison.path}: {comparison.reason}"
    if not reason or (family == "mbpp" and _accepted_otherwise(entry, args, actual, atol)):
        return ""
    if atol != 0 and type(actual) is type(expected) and _all_close(actual, expected, atol):
        return ""
    return reason


def _accepted_otherwise(entry: str, args: Sequence[Any], actual: Any, atol: float) -> bool:
    """Readings of a task that EvalPlus accepts beside the canonical one."""
    match entry:
        case "are_equivalent":
            return True
        case "sum_div":
            return bool(actual == 0)
        case "surface_Area":
            edge, height = args
            slant = math.sqrt((edge / 2) ** 2 + height**2)
            return bool(abs(actual - round(edge**2 + 2 * edge * slant)) <= atol)
        case "digit_distance_nums":
            width = max(len(str(each)) for each in args)
            pairs = zip(*(str(each).zfill(width) for each in args), strict=True)
            return bool(actual == sum(abs(int(a) - int(b)) for a, b in pairs))
    return False


def _polynomial(coefficients: Sequence[float], x: float) -> float:
    return sum(factor * math.pow(x, power) for power, factor in enumerate(coefficients))


def _is_floats(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(each, float) for each in value)
    return isinstance(value, float)


def _all_close(actual: Any, expected: Any, atol: float) -> bool:
    if isinstance(expected, list | tuple):
        return (
            isinstance(actual, list | tuple)
            and len(actual) == len(expected)
            and all(_all_close(a, e, atol) for a, e in zip(actual, expected, strict=True))
        )
    if not isinstance(actual, int | float | complex) or not isinstance(expected, int | float | complex):
        return False
    if actual == expected:
        return True
    return bool(math.isfinite(abs(expected)) and abs(actual - expected) <= atol + RTOL * abs(expected))
