"""Arguments and expected values of functional tests, which data sets write in several ways.

APPS has lists of arguments. LiveCodeBench has text with a JSON value a line; its records of failures have one Python list
of all arguments. Which of the two a single line is follows from the solution's own signature: how many parameters, and how
deep their annotations nest.
"""

import ast
import json
from dataclasses import dataclass
from typing import Any, Final

from .cruxeval import literal
from .lifting.rewrite import parse_quietly

_HOLDERS: Final = frozenset(("list", "List", "tuple", "Tuple", "set", "Set", "Sequence", "Iterable", "deque"))


@dataclass(frozen=True, slots=True)
class Signature:
    """Of a function or method: the parameters without `self`, and how deep lists nest in them (None: not told)."""

    least: int
    most: int
    depths: tuple[int | None, ...]
    returns_text: bool
    method: bool


UNKNOWN: Final = Signature(0, 1 << 30, (), False, False)


def signature_of(code: str, function: str) -> Signature:
    """The last definition of `function` at the top of `code`, or in its class Solution."""
    try:
        body = parse_quietly(code).body
    except SyntaxError:
        return UNKNOWN
    found, method = None, False
    has_class = False
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function:
            found, method = node, False
        elif isinstance(node, ast.ClassDef) and node.name == "Solution":
            has_class = True
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef) and inner.name == function:
                    found, method = inner, not _is_static(inner)
    if found is None:
        return Signature(0, 1 << 30, (), False, has_class)
    in_class = has_class and not any(node is found for node in body)
    parameters = [*found.args.posonlyargs, *found.args.args][1 if method else 0 :]
    most = 1 << 30 if found.args.vararg else len(parameters)
    depths = tuple(_depth(each.annotation) for each in parameters)
    text = isinstance(found.returns, ast.Name) and found.returns.id == "str"
    return Signature(len(parameters) - len(found.args.defaults), most, depths, text, in_class)


def _is_static(node: ast.FunctionDef) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "staticmethod" for each in node.decorator_list)


def _depth(annotation: ast.expr | None) -> int | None:
    match annotation:
        case ast.Name(id=name):
            return 1 if name in _HOLDERS else 0 if name in ("int", "str", "float", "bool") else None
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            return _depth(inner)
        case ast.Subscript(value=ast.Name(id=name), slice=inner) if name in _HOLDERS:
            first = inner.elts[0] if isinstance(inner, ast.Tuple) and inner.elts else inner
            within = _depth(first)
            return None if within is None else within + 1
    return None


def arguments_of(given: Any, signature: Signature) -> list[Any]:
    """The positional arguments of one call. Raises ValueError."""
    if isinstance(given, list):
        return _with_integer_keys(given)
    if not isinstance(given, str):
        return [given]
    lines = given.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    try:
        values = [json.loads(line) for line in lines]
    except (ValueError, RecursionError):
        values = [literal(given)]
    if len(values) == 1 and isinstance(values[0], list) and _is_list_of_all(values[0], signature):
        return list(values[0])
    return values


def _is_list_of_all(value: list[Any], signature: Signature) -> bool:
    """Whether one list holds all arguments, and is not the only one of them."""
    alone = signature.least <= 1 <= signature.most
    together = signature.least <= len(value) <= signature.most
    if alone and together and signature.depths:
        depth = signature.depths[0]
        return depth is not None and not _fits(value, depth) and _fits(value[0] if value else value, depth)
    return together and not alone


def _fits(value: Any, depth: int) -> bool:
    """Whether lists nest `depth` deep in a value, as far as it shows."""
    if depth == 0:
        return not isinstance(value, list)
    if not isinstance(value, list):
        return False
    return not value or _fits(value[0], depth - 1)


def _with_integer_keys(args: list[Any]) -> list[Any]:
    """JSON has made text of a dict's integer keys, which the first argument gets back."""
    if args and isinstance(args[0], dict) and args[0]:
        try:
            return [{int(key): value for key, value in args[0].items()}, *args[1:]]
        except ValueError:
            pass
    return args


def expected_of(given: Any, signature: Signature) -> Any:
    """The value that a call should return."""
    if not isinstance(given, str):
        return given
    try:
        value = json.loads(given)
    except (ValueError, RecursionError):
        try:
            value = literal(given)
        except ValueError:
            return given
    return given if signature.returns_text and not isinstance(value, str) else value
