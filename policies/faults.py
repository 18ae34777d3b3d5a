"""What pydantic says of a wrong value, in one line for the person who wrote it: the fault, what was given, the path.

The one place that words such faults: for policies, stage settings, pipelines and lists of endpoints.
"""

import difflib
import re
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

_PLAIN = {
    "greater_than_equal": "must be {ge} or more",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "literal_error": "expected {expected}",
    "missing": "a key is missing",
    "enum": "expected {expected}",
}
_EXPECTED = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "a string",
    "list": "a list",
    "tuple": "a list",
    "dict": "a table",
    "model": "a table",
    "path": "a path",
}
_KIND_OF_TYPE = re.compile(r"([a-z]+)_(?:type|parsing|from_float|attributes_type)(?:_size)?")


def unknown(key: str, known: Sequence[str], what: str = "key") -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    return f"unknown {what} {key!r}, " + (f"did you mean {near[0]!r}?" if near else f"known {what}s: {', '.join(known)}")


def located(message: str, path: str) -> str:
    return f"{message}{'' if message.endswith('?') else ','} at {path}"


def path_of(error: ValidationError, without: Sequence[str] = ()) -> str:
    """$.limits.cpu_s; parts that only our own form of the value has are left out."""
    parts = [part for part in error.errors()[0]["loc"] if part not in without]
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)


def worded(first: ErrorDetails) -> str:
    """What is wrong with a value, without the value."""
    kind = _KIND_OF_TYPE.fullmatch(first["type"])
    if first["type"] in _PLAIN:
        bounds = first.get("ctx", {}).items()
        return _PLAIN[first["type"]].format(**{name: f"{v:g}" if isinstance(v, float) else v for name, v in bounds})
    if kind is not None and kind[1] in _EXPECTED:
        return f"expected {_EXPECTED[kind[1]]}"
    message = first["msg"].removeprefix("Value error, ").removesuffix(".")
    return message[:1].lower() + message[1:]


def fault_of(error: ValidationError, root: type[BaseModel], *, secret: Sequence[str] = (), shown: bool = False) -> str:
    """The first fault without its path. `secret` names fields whose value is not repeated; `shown`: the caller shows it."""
    first = error.errors()[0]
    loc = first["loc"]
    if first["type"] == "extra_forbidden":
        return unknown(str(loc[-1]), _known_keys(root, loc[:-1]))
    message = worded(first)
    if shown or first["type"] in ("value_error", "missing") or isinstance(first["input"], dict) or (loc and loc[-1] in secret):
        return message
    return f"{message} (given: {_shown(first['input'])})"


def _shown(value: Any) -> str:
    try:
        return repr(value)[:80]
    except ValueError:  # an integer of more digits than the interpreter writes
        return "a number of thousands of digits"


def _known_keys(root: type[BaseModel], parents: Sequence[int | str]) -> list[str]:
    model = root
    for part in parents:
        field = model.model_fields.get(str(part))
        if field is not None:  # else an index, or a key of a mapping
            model = _model_in(field.annotation) or model
    return sorted(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_in(inner)) is not None), None)
