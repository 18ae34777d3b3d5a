"""A row of a file to the source of a function. A reader is a function from row to Source; it raises BadFormError."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reexec.engine.program import Program

from ...rows.text import kind_of
from .unified import BadFormError, parse_unified


@dataclass(frozen=True, slots=True)
class Source:
    """What the stage needs to know of a function. `between` stands before the generator's code, and `call` is the
    expression that calls the generator, where `key` is its seed."""

    program: Program
    problem_description: str
    io_requirements: str
    inputgencode: str
    between: str
    call: str
    meta: dict[str, Any]
    provenance: dict[str, Any]


def _text(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise BadFormError("no-response", f"{name}: expected a string, got {kind_of(value)}, at $.{name}")
    return value


def _provenance(row: dict[str, Any]) -> dict[str, Any]:
    value = row.get("provenance")
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadFormError("no-response", f"provenance: expected an object, got {kind_of(value)}, at $.provenance")
    return value


def read_codeio(row: dict[str, Any]) -> Source:
    """A response of the transform stage, in `output`; other fields that name the row go to `meta`."""
    unified = parse_unified(_text(row, "output"))
    meta: dict[str, Any] = {name: row[name] for name in ("id", "index", "model") if name in row}
    return Source(
        Program(unified.refcode, "main_solution"),
        unified.problem_description,
        unified.io_requirements,
        unified.inputgencode,
        "",
        "input_generator()",
        meta,
        _provenance(row),
    )


_REASONING_GYM = ("task_description", "input_output_spec", "code_sample", "input_generator")


def read_reasoning_gym(row: dict[str, Any]) -> Source:
    """A function whose generator takes a random generator; fields beside the four go to `meta`."""
    task, spec, code, generator = (_text(row, name) for name in _REASONING_GYM)
    meta = {name: value for name, value in row.items() if name not in (*_REASONING_GYM, "provenance")}
    return Source(
        Program(code, "main_solution"),
        task,
        spec,
        generator,
        "from random import Random\n",
        "generate_inputs(random.Random(key))",
        meta,
        _provenance(row),
    )


FIELDS = ("output", "id", "index", "model", "provenance", *_REASONING_GYM)
"""What rows may have that any of the readers reads."""
READERS: dict[str, Callable[[dict[str, Any]], Source]] = {"codeio": read_codeio, "reasoning-gym": read_reasoning_gym}
