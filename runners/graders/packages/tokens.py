"""When printed text is right by the format's own output validator: the same words, or numbers within a tolerance.

Without `case_sensitive`, letters of either case are the same. With `space_change_sensitive`, white space must be the same too.
With a tolerance, a word of the answer that is a finite number is compared as a number: its difference must be within the
absolute or within the relative tolerance. Everything else is compared as text.
"""

import math
import re
import shlex
from dataclasses import dataclass

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?0[xX][0-9a-fA-F]+")
_WORDS = re.compile(r"\S+|\s+")
_MOST_DIGITS = 4000


class BadFlagsError(ValueError):
    """Flags that the output validator does not know."""


@dataclass(frozen=True, slots=True)
class Flags:
    case_sensitive: bool = False
    space_change_sensitive: bool = False
    absolute: float | None = None
    relative: float | None = None


def read_flags(flags: tuple[str, ...]) -> Flags:
    """Raises BadFlagsError."""
    words = list(flags)
    found: dict[str, float | bool] = {}
    while words:
        name = words.pop(0)
        if name in ("case_sensitive", "space_change_sensitive"):
            found[name] = True
            continue
        if name not in ("float_tolerance", "float_absolute_tolerance", "float_relative_tolerance"):
            raise BadFlagsError(f"the output validator has no flag {name!r}")
        value = _number(words.pop(0)) if words else None
        if value is None:
            raise BadFlagsError(f"{name} needs a number")
        if name != "float_relative_tolerance":
            found["absolute"] = value
        if name != "float_absolute_tolerance":
            found["relative"] = value
    return Flags(**found)  # type: ignore[arg-type]


def split_flags(given: object) -> tuple[str, ...]:
    """Flags as the files have them: one text, or a list."""
    if isinstance(given, str):
        return tuple(shlex.split(given))
    return tuple(map(str, given)) if isinstance(given, list) else ()


def token_difference(actual: str, expected: str, flags: Flags) -> str:
    """Where the two differ, "" where they do not. Never raises."""
    if flags.space_change_sensitive:
        got, wanted = _WORDS.findall(actual), _WORDS.findall(expected)
    else:
        got, wanted = actual.split(), expected.split()
    for number, (a, e) in enumerate(zip(got, wanted, strict=False), 1):
        if not _same(a, e, flags):
            return f"word {number}: {a[:60]!r}, expected {e[:60]!r}"
    if len(got) < len(wanted):
        return f"the output ends after {len(got)} words, expected {wanted[len(got)][:60]!r}"
    return f"more output than expected: {got[len(wanted)][:60]!r}" if len(got) > len(wanted) else ""


def _same(a: str, e: str, flags: Flags) -> bool:
    if e.isspace() or a.isspace():
        return a == e
    if flags.absolute is not None or flags.relative is not None:
        wanted = _number(e)
        if wanted is not None:
            found = _number(a)
            if found is None:
                return False
            off = abs(wanted - found)
            within = flags.absolute is not None and off <= flags.absolute
            return within or (flags.relative is not None and off <= flags.relative * abs(wanted))
    return a == e if flags.case_sensitive else a.lower() == e.lower()


def _number(text: str) -> float | None:
    if len(text) > _MOST_DIGITS or not _NUMBER.fullmatch(text):
        return None
    value = float(int(text, 16)) if "x" in text.lower() else float(text)
    return value if math.isfinite(value) else None
