"""The door: `extract_answer` finds the predicted value in what a model wrote.

Owns the order of readings (JSON first, Python second) and the short way for the usual response. The short way must
agree with `scan.last_object` to the letter; `tests/property/test_answers_properties.py` holds both to one slow model.
"""

import json
from dataclasses import dataclass
from typing import Any, Final, Literal

from .literal import MAX_DEPTH
from .scalars import MAX_DIGITS, read_integer
from .scan import last_object


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found in a response.

    `value` is the predicted value where `found`, else None. `style`: "json" where the object is JSON (raw newlines and
    tabs in strings, NaN and the infinities allowed), "python" where it needed Python's spelling, "none" where nothing
    was found. `span`: text[span[0]:span[1]] is the object, also of a refused one; (0, 0) where there is none.
    `reason`: why there is no answer, in a few words fit for feedback; "" where there is one.
    """

    found: bool
    value: Any
    style: Literal["json", "python", "none"]
    span: tuple[int, int]
    reason: str


class _TooLongError(ValueError):
    """A number over the limit; the scan will say so in its own words."""


def _bounded_int(token: str) -> int:
    if len(token) > MAX_DIGITS and len(token.lstrip("-")) > MAX_DIGITS:
        raise _TooLongError
    return read_integer(token)


def _bounded_float(token: str) -> float:
    if len(token) > MAX_DIGITS and len(token.lstrip("-")) > MAX_DIGITS:
        raise _TooLongError
    return float(token)


_DECODER: Final = json.JSONDecoder(strict=False)
_BOUNDED_DECODER: Final = json.JSONDecoder(strict=False, parse_int=_bounded_int, parse_float=_bounded_float)


def extract_answer(text: str, key: Literal["output", "input"]) -> Answer:
    """The value of `key` in the last complete object of `text` that has it at its top level.

    The object may stand anywhere: in a fence of any kind, an unclosed one, or none, amid prose with braces. One that
    stands by itself goes before one inside another object. It may be JSON or a Python literal (single quotes, True,
    None, tuples, sets, trailing commas). An object that is not complete does not count; an earlier complete one then
    does.

    The object so chosen is the answer even if it is refused: a number in it with more than MAX_DIGITS digits, or a
    member of more than MAX_DEPTH levels of brackets, makes it no answer, with that reason. No earlier object takes its
    place, since the last is what the model settled on. Never raises on any text; takes time linear in its length.
    """
    return _from_the_end(text, key) or _by_scan(text, key)


def _from_the_end(text: str, key: str) -> Answer | None:
    """The answer where it can be read off the end of the text: the usual case, in a few microseconds. None: no telling.

    It must be what the scan would take. The last key in double quotes comes first in its object, the object is JSON,
    and no brace closes after it: no later object, and none around it. What is left is an earlier object that begins
    before it and ends amid it, seeing this object's brace within a string. Out of a double-quoted string it would come
    at the quote before the key, and a bare word there ends it; out of a single-quoted one only at an apostrophe.
    """
    at = text.rfind(f'"{key}"')
    start = text.rfind("{", 0, at) if at > 0 else -1
    if start < 0 or (start + 1 != at and not text[start + 1 : at].isspace()):
        return None
    # In fewer characters than MAX_DIGITS no number is too long, and the decoder may use its own, faster int().
    decoder = _DECODER if len(text) - start <= MAX_DIGITS else _BOUNDED_DECODER
    try:
        value, end = decoder.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    if text.find("}", end) >= 0 or (text.find("'", start, end) >= 0 and text.find("{", 0, start) >= 0):
        return None
    if text.count("{", start, end) + text.count("[", start, end) > MAX_DEPTH:
        return None
    return Answer(True, value[key], "json", (start, end), "")


def _by_scan(text: str, key: str) -> Answer:
    found, fault = last_object(text, key)
    if found is None:
        return Answer(False, None, "none", (0, 0), fault)
    span = (found.start, found.end)
    if found.refusal:
        return Answer(False, None, "none", span, found.refusal)
    try:
        # JSON and Python differ on some strings ("\/", escaped surrogate pairs): what is JSON is read as JSON.
        value, _ = _BOUNDED_DECODER.raw_decode(text, found.start)
    except (ValueError, RecursionError):
        return Answer(True, found.value[key], "python", span, "")
    return Answer(True, value[key], "json", span, "")
