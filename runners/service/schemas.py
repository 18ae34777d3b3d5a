"""JSON schemas of /v1 for its OpenAPI page: the forms of engine/json_form.py, as far as a schema can say them."""

from collections.abc import Container
from typing import Any

from reexec.engine.judging.verdict import VERDICT_WORDS
from reexec.engine.outcome import KINDS
from reexec.policies.comparison import ComparisonRule, comparison_preset_names

_Schema = dict[str, Any]


def _object(required: tuple[str, ...], closed: bool = True, /, **properties: _Schema) -> _Schema:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": not closed}


def inlined(schema: _Schema) -> _Schema:
    """pydantic's schema of a model without references: on an OpenAPI page they would lead elsewhere."""
    known = schema.get("$defs", {})

    def resolved(part: Any) -> Any:
        if isinstance(part, dict):
            if "$ref" in part:
                return resolved(known[part["$ref"].rpartition("/")[2]])
            return {name: resolved(item) for name, item in part.items() if name != "$defs"}
        return [resolved(item) for item in part] if isinstance(part, list) else part

    found = resolved(schema)
    assert isinstance(found, dict)
    return found


_ANY: _Schema = {}
_TEXT = {"type": "string"}
_FLAG = {"type": ["boolean", "null"]}
_NUMBER = {"type": "number"}
_TIMEOUT = {"anyOf": [{"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1e9}, {"type": "null"}]}
_SOURCE = {"type": "string", "description": "Python source."}
_FUNCTION = _object(
    ("source", "entry"),
    kind={"enum": ["function", None]},
    source=_SOURCE,
    entry={"type": "string", "maxLength": 1000, "description": "The function to call."},
)
_SCRIPT = _object(
    ("kind", "source", "entry"),
    kind={"const": "script"},
    source=_SOURCE,
    entry={"type": "string", "maxLength": 1000, "description": "Of no use: the empty string."},
)
_ARGUMENTS = _object(("args", "kwargs"), args={"type": "array"}, kwargs={"type": "object"})
_STDIN = _object(("stdin",), stdin={"type": "string"})
_RULE = {
    "anyOf": [{"enum": comparison_preset_names()}, inlined(ComparisonRule.model_json_schema()), {"type": "null"}],
    "description": "A preset's name or a rule; the policy's where it is missing.",
}


def _asked(required: tuple[str, ...], **more: _Schema) -> _Schema:
    """A function with arguments, or a script with its standard input."""
    needed = ("program", "call", *required)
    return {
        "oneOf": [
            _object(needed, program=_FUNCTION, call=_ARGUMENTS, **more),
            _object(needed, program=_SCRIPT, call=_STDIN, **more),
        ]
    }


_CHECK = {"expected": _ANY, "id": _ANY, "rule": _RULE}
_OUTCOME = _object(
    ("kind", "value", "exception", "usage"), False, kind={"enum": sorted(KINDS)}, value=_ANY, exception=_ANY, usage=_ANY
)
_VERDICT = _object(
    ("word", "outcome", "comparison", "id"), word={"enum": list(VERDICT_WORDS)}, outcome=_OUTCOME, comparison=_ANY, id=_ANY
)
_ERROR = _object(("error",), False, error=_object(("code", "message"), code=_TEXT, message=_TEXT))

_SCHEMAS: dict[str, _Schema] = {
    "CheckRequest": _asked(("expected",), **_CHECK, timeout_s=_TIMEOUT),
    "ChecksRequest": _object(
        ("checks",), checks={"type": "array", "items": _asked(("expected",), **_CHECK)}, timeout_s=_TIMEOUT
    ),
    "ExecuteRequest": _asked((), watch_arguments=_FLAG, watch_sources=_FLAG, timeout_s=_TIMEOUT),
    "Verdict": _VERDICT,
    "Verdicts": _object(("verdicts",), verdicts={"type": "array", "items": {"anyOf": [_VERDICT, _ERROR]}}),
    "Outcome": _OUTCOME,
    "Health": _object(("status",), False, status=_TEXT),
    "Info": _object(("version", "isolation", "policy"), False, version=_TEXT, isolation=_TEXT, workers=_NUMBER),
}
_REFUSALS = {
    400: "Not a request of this kind; the message says where.",
    401: "No token, or a wrong one.",
    403: "Not from this machine.",
    408: "The request came too slowly.",
    413: "Too long.",
    415: "A compressed body.",
    429: "This client has too many calls on their way; Retry-After.",
    500: "An error in reexec itself.",
    503: "Full, shutting down, or the executor failed; Retry-After.",
    504: "No answer within timeout_s.",
}


def _json(schema: _Schema) -> _Schema:
    return {"application/json": {"schema": schema}}


def body(name: str) -> dict[str, Any]:
    """What FastAPI is told of a request's body."""
    return {"requestBody": {"required": True, "content": _json(_SCHEMAS[name])}}


def body_of(schema: _Schema) -> dict[str, Any]:
    schema = inlined(schema)
    return {"requestBody": {"required": True, "content": _json(schema)}}


def answers(name: str) -> dict[int | str, dict[str, Any]]:
    """What FastAPI is told of a route's responses."""
    return answers_of("Done.", _SCHEMAS[name])


def answers_of(text: str, schema: _Schema) -> dict[int | str, dict[str, Any]]:
    refusals: dict[int | str, dict[str, Any]] = {
        status: {"description": reason, "content": _json(_ERROR)} for status, reason in _REFUSALS.items()
    }
    return {200: {"description": text, "content": _json(inlined(schema))}, **refusals}


def ask_for_tokens(page: dict[str, Any], open_to_all: Container[str]) -> None:
    """Says on an OpenAPI page which routes want the service's token."""
    page.setdefault("components", {})["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path, methods in page["paths"].items():
        for operation in methods.values():
            operation["security"] = [] if path in open_to_all else [{"token": []}]
