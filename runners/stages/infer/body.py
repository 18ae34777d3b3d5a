"""What the body of a response says, without I/O: a completion, an error of the server's, or neither.

Servers differ in how they say the same thing. Here is the one place that knows their ways: words for the end of a reply, errors
inside a response of status 200, the member that holds the server's own words.
"""

import html
import json
import re
from dataclasses import dataclass
from typing import Any

from ...records.content import plain, text_of, thinking_of

# Finish reasons by what they mean, in lower case. Absent, null and the empty text mean that the server does not say; a reply
# that came whole has ended then.
_NATURAL = {"", "none", "null", "stop", "stopped", "eos", "eos_token", "end", "end_turn", "end_of_turn", "stop_sequence",
            "finish_reason_stop", "complete", "completed", "done", "finished", "finish", "normal", "stop_token", "stop_str",
            "eos_found", "/s"}  # fmt: skip
_CUT = {"length", "max_tokens", "max_token", "max_length", "model_length", "max_output_tokens", "token_limit",
        "length_limit", "max_new_tokens", "finish_reason_max_tokens", "model_context_window_exceeded"}  # fmt: skip
_FILTERED = {"content_filter", "content_filtered", "safety", "prohibited_content", "blocklist", "recitation", "sensitive"}

# Statuses of errors that say what they are by a word instead of a number.
_CODES = {
    "rate_limit": 429, "rate_limit_exceeded": 429, "rate_limit_error": 429, "too_many_requests": 429, "throttled": 429,
    "throttling": 429,
    "resource_exhausted": 429, "insufficient_quota": 429, "overloaded": 529, "overloaded_error": 529, "unavailable": 503,
    "service_unavailable": 503, "timeout": 504, "timeout_error": 504, "deadline_exceeded": 504, "invalid_api_key": 401,
    "authentication_error": 401, "unauthenticated": 401, "unauthorized": 401, "insufficient_credits": 402,
    "billing_error": 402, "permission_denied": 403, "permission_error": 403, "forbidden": 403, "model_not_found": 404,
    "not_found": 404, "not_found_error": 404, "context_length_exceeded": 400, "invalid_request_error": 400,
    "invalid_argument": 400, "bad_request": 400, "badrequesterror": 400, "string_above_max_length": 400,
    "content_policy_violation": 400, "content_filter": 400, "request_too_large": 413,
}  # fmt: skip
_SAID_IN = ("message", "msg", "detail", "error", "error_message", "error_msg", "error_description", "description", "reason",
            "title", "errors", "details")  # fmt: skip
_HUMP = re.compile("([a-z])([A-Z])")
_TAG = re.compile(r"<[^<>]{0,500}>")
_DEEPEST = 8


def finish_word(said: Any) -> str:
    """`stop`, `length` and `content_filter` for all that mean the same; other words as they are."""
    word = said if isinstance(said, str) else ""
    low = _HUMP.sub(r"\1_\2", word.strip().strip("<|>")).replace("-", "_").replace(" ", "_").lower()
    for known, plainly in ((_NATURAL, "stop"), (_CUT, "length"), (_FILTERED, "content_filter")):
        if low in known:
            return plainly
    return "stop" if low in ("im_end", "eot_id", "endoftext", "end_of_text", "end_of_sentence", "eom_id") else word


@dataclass(frozen=True, slots=True)
class ServerError:
    """An error that a body holds, whatever the status of the response."""

    said: str
    """The server's own words."""
    kind: str = ""
    """Its own name for the error, such as insufficient_quota."""
    code: int | None = None
    """The HTTP status that it is by its own code; None where it has none."""


@dataclass(frozen=True, slots=True)
class Completion:
    text: str
    reasoning: str
    refusal: str
    finish_reason: str
    served_finish_reason: str
    """As the server spells it."""
    model: str | None
    prompt_tokens: int | None
    completion_tokens: int | None


class MalformedError(ValueError):
    """The body is neither a completion nor an error."""


class NoChoicesError(ValueError):
    """A completion without a choice."""


def read_body(body: bytes) -> Completion | ServerError:
    """Of a response of status 200. Raises MalformedError, NoChoicesError."""
    try:
        data = json.loads(body, strict=False)  # some servers leave control characters in texts as they are
    except (ValueError, RecursionError) as fault:
        raise MalformedError(f"{type(fault).__name__}: {fault}") from None
    try:
        error = _error_in(data)
        if error is not None:
            return error
        choices, usage = data["choices"], data.get("usage")
        if not choices:
            raise NoChoicesError(json.dumps(more) if (more := _besides(data)) else "")
        choice = choices[0]
        message = choice.get("message")
        error = _error_of(choice.get("error"), None)
        if error is not None:
            return error
        completion = _completion(
            data, choice, message if message is not None else choice["message"], usage if isinstance(usage, dict) else {}
        )
        if isinstance(choice.get("finish_reason"), str) and choice["finish_reason"].lower() == "error":
            return ServerError(completion.text.strip() or "the reply ended by an error of the server")
        return completion
    except KeyError as fault:
        raise MalformedError(f"it has no {fault}") from None
    except (TypeError, AttributeError, IndexError) as fault:
        raise MalformedError(f"{type(fault).__name__}: {fault}") from None


def _besides(data: dict[str, Any]) -> dict[str, Any]:
    """What a body without choices says besides; there the server's words are, in a member of its own."""
    usual = ("choices", "id", "object", "created", "model", "usage")
    return {name: value for name, value in data.items() if name not in usual and value not in (None, "", [], {})}


def _completion(data: Any, choice: Any, message: Any, usage: Any) -> Completion:
    content = message.get("content")
    thoughts = (message.get(name) for name in ("reasoning_content", "reasoning", "thinking", "reasoning_details"))
    said = choice.get("finish_reason")
    if isinstance(said, dict):  # SGLang's {"type": "length", "length": 16}
        said = said.get("type")
    completion_tokens = _count(usage.get("completion_tokens"))
    model = data.get("model")
    return Completion(
        text=text_of(content),
        reasoning=next((plain(thought) for thought in thoughts if plain(thought)), "") or thinking_of(content),
        refusal=_refusal(message, content),
        finish_reason=finish_word(said),
        served_finish_reason=said if isinstance(said, str) else "",
        model=model if isinstance(model, str) else None,
        prompt_tokens=_count(usage.get("prompt_tokens")),
        completion_tokens=completion_tokens,
    )


def _refusal(message: Any, content: Any) -> str:
    found = message.get("refusal")
    if isinstance(found, str) and found.strip():
        return found
    if isinstance(content, list):
        parts = (part.get("refusal") for part in content if isinstance(part, dict))
        return "".join(part for part in parts if isinstance(part, str))
    return ""


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


# -- errors ---------------------------------------------------------------------------------------------------


def read_error(body: bytes, status: int) -> ServerError:
    """What the body of a response of another status says."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        text = body.decode("utf-8", "replace")
        text = html.unescape(_TAG.sub(" ", text)) if "<" in text else text
        return ServerError(" ".join(text.split()), code=status)
    found = _error_in(data)
    if found is None:
        return ServerError(_words(data) or json.dumps(data, ensure_ascii=False), _kind(data), status)
    return ServerError(found.said, found.kind, status)


def _error_in(data: Any) -> ServerError | None:
    """The error of a whole body: `{"error": ...}`, a list of one, vLLM's older `{"object": "error", ...}`, and bodies without
    a completion that only have words."""
    if isinstance(data, list) and len(data) == 1:
        data = data[0]
    if not isinstance(data, dict):
        return None
    if data.get("object") == "error":
        return _error_of({name: value for name, value in data.items() if name != "object"}, None)
    found = _error_of(data.get("error"), data)
    if found is not None or "choices" in data:
        return found
    return _error_of(data, None) if any(data.get(name) for name in ("detail", "errors", "message", "error_message")) else None


def _error_of(error: Any, around: dict[str, Any] | None) -> ServerError | None:
    """`around` may have the code that the error itself lacks. Members that are all null, empty or 0 say that there is none."""
    if not error or (isinstance(error, dict) and not any(error.values())):
        return None
    said = _words(error) or json.dumps(error, ensure_ascii=False)
    upstream = error.get("metadata") if isinstance(error, dict) else None
    if isinstance(upstream, dict) and isinstance(upstream.get("raw"), str):  # a proxy's error with the one behind it
        said = f"{said} ({upstream['raw']})"
    kind, code = _kind(error), _code(error)
    if around is not None:
        kind, code = kind or _kind(around), code if code is not None else _code(around)
    if code is None and isinstance(error, str):
        code = _code_named(error)
    return ServerError(said, kind, code)


def _words(value: Any, depth: int = 0) -> str:
    """The words for a person in an error of any form."""
    if isinstance(value, str):
        return value
    if depth > _DEEPEST:
        return ""
    if isinstance(value, list):
        return "; ".join(filter(None, (_words(one, depth + 1) for one in value[:5])))
    if not isinstance(value, dict):
        return ""
    said = next(filter(None, (_words(value.get(name), depth + 1) for name in _SAID_IN)), "")
    place = value.get("loc")
    if said and isinstance(place, list):  # where a validating server found the fault
        return f"{'.'.join(map(str, place))}: {said}"
    return said


def _kind(value: Any) -> str:
    if not isinstance(value, dict):
        return ""
    found = (value.get(name) for name in ("code", "type", "status"))
    return next((one for one in found if isinstance(one, str) and one and not one.isdigit()), "")


def _code_named(name: str) -> int | None:
    """The status of an error by its name: RateLimitError, "rate limit" and rate_limit_error are one, and Throttling.RateQuota
    is one of Throttling."""
    plain = _plain_name(name)
    return _PLAIN_CODES.get(plain, _PLAIN_CODES.get(_plain_name(name.partition(".")[0])))


def _plain_name(name: str) -> str:
    return re.sub("[^a-z]", "", name.lower()).removesuffix("exception").removesuffix("error")


_PLAIN_CODES = {_plain_name(name): code for name, code in _CODES.items()}


def _code(value: Any) -> int | None:
    if not isinstance(value, dict):
        return None
    for name in ("code", "status_code", "status", "http_status", "type"):
        found = value.get(name)
        if isinstance(found, str):
            found = int(found) if found.isdigit() and len(found) == 3 else _code_named(found)
        if type(found) is int and 300 <= found <= 599:
            return found
    return None
