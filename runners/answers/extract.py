"""The door: `extract_answer` finds the predicted value in what a model wrote.

Owns the order of readings (JSON first, Python second) and the short way for the usual response. The short way must
agree with `scan.last_object` to the letter; `tests/property/test_answers_properties.py` holds both to one slow model.
"""

import json
import re
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from reexec.engine.folding import fold_json
from reexec.engine.protocol.values import Refused
from reexec.engine.quick import quick
from reexec.policies.comparison import ComparisonRule

from .budget import EXHAUSTED, Budget
from .literal import MAX_DEPTH, Found
from .scalars import BARE, MARK, MAX_DIGITS, RUN, STRING, TOKEN, TUPLES, TYPOGRAPHIC, read_integer
from .scan import Scan, last_object
from .thinking import has_marks
from .views import VIEWS

Style = Literal["json", "python", "javascript", "typographic", "latex", "escaped", "none"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found in a response.

    `value` is the predicted value where `found`, else None. `style` says how the object is written:

        json         JSON; raw newlines and tabs in strings, NaN and the infinities are allowed
        python       with Python's spelling: quotes, words, tuples, sets, constructors, trailing commas, comments
        javascript   with keys that stand without quotes, and the rest as in JSON or Python
        typographic  with typographic quotes, full-width punctuation, blanks that are none in JSON, or quoted in Markdown
        latex        with braces as LaTeX wants them
        escaped      in a JSON string, or with HTML entities
        none         there is no answer

    `span`: text[span[0]:span[1]] is the object, also of a refused one; (0, 0) where there is none. `reason`: why there is
    no answer, in a few words fit for feedback; "" where there is one.
    """

    found: bool
    value: Any
    style: Style
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


_LEVELS: Final = 3
"""How often a text is turned back that was written in a string in a string, and so on."""
_QUOTED_LINE: Final = re.compile(r"\n[ \t]*+>")
_DECODER: Final = json.JSONDecoder(strict=False)
_BOUNDED_DECODER: Final = json.JSONDecoder(strict=False, parse_int=_bounded_int, parse_float=_bounded_float)


@dataclass(frozen=True, slots=True)
class Likely:
    """An object that many texts hold: where the answer is this very text, `value` stands for what would be read from it."""

    text: str
    """`{"output": 8}` as JSON, of at most MAX_DIGITS characters."""
    value: Any


def extract_answer(text: str, key: Literal["output", "input"], likely: Likely | None = None) -> Answer:
    """The value of `key` in the last complete object of `text` that has it at its top level.

    The object may stand anywhere: in a fence of any kind, an unclosed one, or none, amid prose with braces, in another
    object. It may be JSON or a Python literal (single quotes, True, None, tuples, sets, trailing commas), and written as
    `Answer.style` lists. What a model thinks between marks such as `<think>` and `</think>` does not count, and where the
    thinking has no end nothing does.

    The object so chosen is the answer even if it is refused: a number in it with more than MAX_DIGITS digits, a
    member of more than MAX_DEPTH levels of brackets, or keys made to collide make it no answer, with that reason. Neither
    does an earlier object take its place where it is complete and cannot be read, since the last is what the model settled
    on; but one that is cut off does not count. Never raises on any text; takes time linear in its length.

    `likely` saves reading what is known already, and changes no answer.
    """
    return _from_the_end(text, key, likely) or _by_scan(text, key, Budget(len(text)))


def as_compared(answer: Answer, rule: ComparisonRule, io_pred: str) -> Answer:
    """The answer as the rule compares it and the function gets it: under a rule for JSON values what JSON makes of it, tuples
    as lists and keys as text. An input (`io_pred` "i") that JSON cannot say is no answer; an output stays as it is, for it
    equals nothing that was recorded, and the feedback shows it."""
    if not answer.found or answer.style == "json" or rule.values != "json":
        return answer
    try:
        return replace(answer, value=fold_json(answer.value))
    except Refused as refusal:
        if io_pred == "o":
            return answer
        return Answer(False, None, "none", answer.span, f"JSON cannot say it: {refusal.path} is {refusal.reason}")


_OTHER_QUOTES: Final = re.compile("[\u2018-\u201f\u00ab\u00bb\uff02\uff07\uff5b\uff5d]")
_ESCAPED: Final = re.compile("\\\\[{\"']")
_ENTITY: Final = re.compile("&[#a-z]")


_QUOTED: Final = {"output": '"output"', "input": '"input"'}


def _is_odd(text: str) -> bool:
    """Whether there may be comments, other quotes and braces, or texts that are written down in another way. Each is looked for
    by itself, because one pattern for all of them takes ten times as long."""
    return (
        "#" in text
        or ("/" in text and ("//" in text or "/*" in text))
        or ("\\" in text and _ESCAPED.search(text) is not None)
        or ("&" in text and _ENTITY.search(text) is not None)
        or (not text.isascii() and _OTHER_QUOTES.search(text) is not None)
    )


def _from_the_end(text: str, key: str, likely: Likely | None = None) -> Answer | None:
    """The answer where it can be read off the end of the text: the usual case, in a few microseconds. None: no telling.

    It must be what the scan would take. The last key in double quotes comes first in its object, the object is JSON,
    and no brace closes after it: no later object, and none around it. What is left is an earlier object that begins
    before it and ends amid it, seeing this object's brace within a string. Out of a double-quoted string it would come
    at the quote before the key, and a bare word there ends it; out of a single-quoted one only at an apostrophe.
    """
    at = text.rfind(_QUOTED[key])
    start = text.rfind("{", 0, at) if at > 0 else -1
    if start < 0 or (start + 1 != at and not text[start + 1 : at].isspace()):
        return None
    # In fewer characters than MAX_DIGITS no number is too long, and the decoder may use its own, faster int().
    decoder = _DECODER if len(text) - start <= MAX_DIGITS else _BOUNDED_DECODER
    if text[start - 1 : start] == "\\" or _is_odd(text) or has_marks(text):
        return None
    if likely is not None and text.startswith(likely.text, start):
        value, end = likely.value, start + len(likely.text)
    else:
        try:
            found, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            return None
        value = found[key]
    if text.find("}", end) >= 0 or (text.find("'", start, end) >= 0 and text.find("{", 0, start) >= 0):
        return None
    if text.count("{", start, end) + text.count("[", start, end) > MAX_DEPTH:
        return None
    return _answered(True, value, "json", (start, end), "")


_answered = quick(Answer)


def _by_scan(text: str, key: str, budget: Budget, levels: int = _LEVELS) -> Answer:
    scan = last_object(text, key, budget)
    return (levels and _from_a_view(text, key, scan, budget, levels - 1)) or _answer(text, key, scan)


def _answer(text: str, key: str, scan: Scan) -> Answer:
    found = scan.found
    if found is None:
        return Answer(False, None, "none", (0, 0), scan.fault)
    span = (found.start, found.end)
    if found.refusal:
        return Answer(False, None, "none", span, found.refusal)
    if found.style:
        return Answer(True, found.value[key], found.style, span, "")
    if text[found.start] == "{":
        try:
            # JSON and Python differ on some strings ("\/", escaped surrogate pairs): what is JSON is read as JSON.
            value, end = _BOUNDED_DECODER.raw_decode(text, found.start)
            if end == found.end:
                return Answer(True, value[key], "json", span, "")
        except (ValueError, RecursionError):
            pass
    return Answer(True, found.value[key], _style_of(text, found), span, "")


def _style_of(text: str, found: Found) -> Style:
    """How an object is written that is not JSON."""
    if text[found.start] not in "{\uff5b":
        return "escaped"
    position = found.start
    if text[position - 1 : position] == "\\":
        return "latex"
    if (span := text[position : found.end]).isascii() and "\\" not in span and ">" not in span:
        style: Style = "python"  # what the other styles need has no such characters
    else:
        style = _style_by_tokens(text, position, found.end)
    return "javascript" if style == "python" and found.has_bare_keys else style


def _style_by_tokens(text: str, position: int, end: int) -> Style:
    style: Style = "python"
    while position < end and (token := TOKEN.match(text, position)):
        blank, mark = token[0][: token.start(token.lastindex or 0) - token.start()], token[MARK] or ""
        if "\\" in blank or mark[:1] == "\\":
            return "latex"
        plain = token.lastindex in (STRING, BARE) or token[0].isascii()
        if token.lastindex == TYPOGRAPHIC or not (plain and blank.isascii()) or _QUOTED_LINE.search(blank):
            style = "typographic"
        position = token.end()
        if mark == "," and (run := RUN.match(text, position) or TUPLES.match(text, position)):
            position = run.end()
    return style


def _from_a_view(text: str, key: str, scan: Scan, budget: Budget, levels: int) -> Answer | None:
    """The answer where the last object of the text is written in a string or with entities."""
    if scan.unfinished:
        return None
    behind = scan.found.end if scan.found else 0
    for view in VIEWS:
        at = view.last_key(text, key)
        begin = scan.free_stretch(at) if at >= behind else None
        if begin is None:
            continue
        turned = view.of(text, begin, budget)
        if turned is None:
            return Answer(False, None, "none", (0, 0), EXHAUSTED)
        answer = _by_scan(turned.text, key, budget, levels)
        if answer.found or answer.span[1]:
            span = (turned.place(answer.span[0]), turned.place(answer.span[1]))
            return Answer(answer.found, answer.value, "escaped" if answer.found else "none", span, answer.reason)
    return None
