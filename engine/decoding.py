"""Turns an answer into an Outcome, in the thread that waits for it. The payload was written beside hostile code: it is
measured before it is decoded, decoded by JSON's own reader and nothing else, and whatever does not fit is `bad-result`."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate
from typing import Any, cast

from .outcome import KINDS, Outcome, OutcomeKind, RaisedException, Usage
from .pool.answer import KILLED, Answer
from .protocol import claim, frames, values
from .quick import quick

_DIGITS = re.compile(rb"[0-9]*+")
_EXACT_DIGITS = 4300  # what int() reads under any setting of the interpreter
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)  # one without an end is passed over once
_STEPS = bytes(1 if chr(byte) in "[{" else 255 for byte in range(256))
_NO_BRACKETS = bytes(byte for byte in range(256) if chr(byte) not in "[]{}")
_JSON_LEVELS = values.MAX_DEPTH + 1
"""Of brackets, in a value of MAX_DEPTH."""
_MAX_LEVELS = 3 * values.MAX_DEPTH + 8
"""Levels of JSON that a value of MAX_DEPTH may take: a tagged dict has three for one."""
_SHORT = 4096  # a payload below this cannot hold anything worth measuring
_MAX_TEXT = 4000
_outcome, _usage = quick(Outcome), quick(Usage)
_KILLED = RaisedException("SIGKILL", "the process was ended by SIGKILL")


class UnreadableError(Exception):
    """A claim that does not fit; the message is the reason."""


def _big_int(text: str) -> int:
    """int() without the interpreter's limit on digits, which is the process's to set, not ours."""
    if len(text) <= 4000:
        return int(text)
    half = len(text) // 2
    sign = -1 if text[0] == "-" else 1
    high, low = text[:half], text[half:]
    return _big_int(high) * int(10 ** len(low)) + sign * _big_int(low)


_exact = json.JSONDecoder(strict=False)
_scan: Callable[[str, int], tuple[Any, int]] = _exact.scan_once  # type: ignore[attr-defined]
_decode_built = json.JSONDecoder(strict=False, object_hook=values.built).decode
_decode_big = json.JSONDecoder(strict=False, parse_int=_big_int).decode


def _decode_exact(text: str) -> Any:
    """As the decoder's `decode`, which looks for white space at both ends first: nobody writes it there."""
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        return _exact.decode(text)
    return value if end == len(text) else _exact.decode(text)


def is_deeper(text: bytes, levels: int) -> bool:
    """Whether brackets of a JSON text are nested deeper than so many levels. Linear, whatever the text."""
    brackets = _STRING.sub(b"", text).translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(memoryview(brackets).cast("b")), default=0) > levels


def has_digits(text: bytes, count: int) -> bool:
    """Whether so many digits stand in a row. Looks at every `count`th byte, since no row of them fits between two looks."""
    for at in range(count - 1, len(text), count):
        if 48 <= text[at] <= 57:
            before = text[at - count + 1 : at][::-1]
            if _row(before, 0) + _row(text, at) >= count:
                return True
    return False


def _row(text: bytes, start: int) -> int:
    match = _DIGITS.match(text, start)
    return match.end() - start if match else 0


def _marks(text: bytes) -> int:
    """At least as many as a value has items, and at most twice as many."""
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def _read_tagged(payload: bytes) -> Any:
    """The Python value of a claim's tagged JSON text. Raises UnreadableError and values.Refused."""
    brackets = payload.count(b"[") + payload.count(b"{")
    is_long = len(payload) > _SHORT and (_marks(payload) > 2 * values.MAX_NODES or has_digits(payload, _EXACT_DIGITS))
    if not is_long and (brackets <= _JSON_LEVELS or not is_deeper(payload, _JSON_LEVELS)):
        try:
            return _decode_built(payload.decode("ascii"))
        except (ValueError, RecursionError, values.UnusualTag):
            pass
    return values.untag(read_json(payload, _MAX_LEVELS))


def read_json(payload: bytes, levels: int = _JSON_LEVELS) -> Any:
    """The value of a claim's JSON text. Raises UnreadableError."""
    decode: Callable[[str], Any] = _decode_exact
    if len(payload) > _JSON_LEVELS and payload.count(b"[") + payload.count(b"{") > _JSON_LEVELS and is_deeper(payload, levels):
        raise UnreadableError(f"nested deeper than {values.MAX_DEPTH}")
    if len(payload) > _SHORT:
        bare = payload
        if _marks(payload) > 2 * values.MAX_NODES or has_digits(payload, values.MAX_DIGITS + 1):
            bare = _STRING.sub(b'""', payload)  # in a text, digits are no integer and commas no items
        if _marks(bare) > 2 * values.MAX_NODES:
            raise UnreadableError(f"more than {values.MAX_NODES} items")
        if has_digits(payload, _EXACT_DIGITS):
            if has_digits(bare, values.MAX_DIGITS + 1):
                raise UnreadableError(f"an integer of more than {values.MAX_DIGITS} digits")
            decode = _decode_big
    try:
        return decode(payload.decode("ascii"))
    except RecursionError:
        raise UnreadableError(f"nested deeper than {values.MAX_DEPTH}") from None
    except ValueError:
        raise UnreadableError("the program wrote into the result channel") from None


def read_outcome(answer: Answer, options: int = 0, max_bytes: int = 1 << 62) -> Outcome:
    """The Outcome of an answer to a check with these options of its frame. Total: any answer gives one."""
    outcome = _read(answer, options, max_bytes)
    if options & frames.SCRIPT and outcome.kind == "early-exit" and outcome.exit_status is not None:
        outcome = replace(outcome, kind="value", value=outcome.exit_status, detail="")  # leaving is how a script ends
    if answer.stdout or answer.stderr:
        stdout, stderr = (text.decode("utf-8", "replace") for text in (answer.stdout, answer.stderr))
        outcome = replace(outcome, stdout=stdout, stderr=stderr)
    if answer.attempts > 1 or answer.disagreed_with is not None:
        outcome = replace(outcome, attempts=answer.attempts, disagreed_with=answer.disagreed_with)
    return outcome


def _read(answer: Answer, options: int, max_bytes: int) -> Outcome:
    kind, payload, note = answer.kind, answer.payload, answer.note
    usage = _usage(answer.cpu_us / 1e6, answer.wall_us / 1e6, answer.peak_kib * 1024)
    changed = bool(answer.flags & claim.ARGUMENTS_CHANGED) if options & frames.WATCH_ARGUMENTS else None
    python_values = options & frames.PYTHON_VALUES
    try:
        if kind == "value":
            if len(payload) > max_bytes:
                return Outcome("output-limit", None, None, "", usage)
            value = _read_tagged(payload) if python_values else read_json(payload)
            return _outcome("value", value, None, "", usage, changed, _sources(note) if note else ())
        if kind == KILLED:
            return Outcome("exception", None, _KILLED, "", usage)
        if kind not in KINDS:
            raise UnreadableError("the program wrote into the result channel")
        return _other(cast(OutcomeKind, kind), read_json(payload), usage, _sources(note))
    except values.Refused as refusal:
        return Outcome("bad-result", None, None, f"{refusal.path}: {refusal.reason}", usage)
    except UnreadableError as error:
        return Outcome("bad-result", None, None, f"$: {error}", usage)
    except Exception:  # a hostile claim must never end the thread that reads it
        return Outcome("bad-result", None, None, "$: a broken claim", usage)


def _other(kind: OutcomeKind, report: Any, usage: Usage, sources: tuple[str, ...]) -> Outcome:
    if not isinstance(report, dict):
        raise UnreadableError("a broken claim")
    exception, detail, status = None, "", None
    if kind == "exception":
        exception = RaisedException(
            type=_text(report.get("type")) or "Exception",
            message=_text(report.get("message")),
            lines=_lines(report.get("lines")),
            missing_module=_text(report.get("module")) or None,
        )
    elif kind == "early-exit":
        code = report.get("code")
        status = code if type(code) is int else None
        detail = f"the program exited with code {'?' if status is None else status}"
    elif kind == "bad-result":
        detail = f"{_text(report.get('path')) or '$'}: {_text(report.get('reason'))}"
    else:
        detail = _text(report.get("reason"))
    return Outcome(kind, None, exception, detail, usage, None, sources, exit_status=status)


def _text(value: Any) -> str:
    return value[:_MAX_TEXT] if type(value) is str else ""


def _lines(value: Any) -> tuple[tuple[int, str], ...]:
    if type(value) is not list:
        return ()
    pairs = [line for line in value[:50] if type(line) is list and len(line) == 2]
    return tuple((line[0], line[1][:100]) for line in pairs if type(line[0]) is int and type(line[1]) is str)


def _sources(note: bytes) -> tuple[str, ...]:
    if not note:
        return ()
    try:
        names = json.loads(note)
    except (ValueError, RecursionError):
        return ()
    return tuple(name[:40] for name in names[:20] if type(name) is str) if type(names) is list else ()
