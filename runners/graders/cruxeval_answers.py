"""What a model's text predicts for a problem of CRUXEval: a literal, or a call of `f` with literal arguments.

The benchmark's prompts ask for `[ANSWER]f([1]) == [2][/ANSWER]`, with or without `assert`; other models end with a block of
code or a line of their own. The last such place counts, and nothing of it is evaluated.
"""

import ast
import re
from typing import Any, Final, Literal

from ..answers.thinking import without_thoughts
from .blocks import blocks
from .cruxeval import Mode, literal, literal_call
from .lifting.rewrite import parse_quietly

_TAGGED: Final = re.compile(r"\[ANSWER\](.*?)(?:\[/ANSWER\]|\Z)", re.DOTALL | re.IGNORECASE)
_END: Final = re.compile(r"\[/ANSWER\]", re.IGNORECASE)
_SPAN: Final = re.compile(r"`([^`\n]+)`")
_MOST_CHARACTERS: Final = 1 << 19


def read_prediction(text: str, mode: Mode) -> Any:
    """The predicted output, or the predicted input as a Call. Raises ValueError with a reason; never anything else."""
    if len(text) > _MOST_CHARACTERS:
        raise ValueError(f"an answer of {len(text):,} characters; the most is {_MOST_CHARACTERS:,}")
    fault: ValueError | None = None
    for candidate in _candidates(without_thoughts(text.replace("\r\n", "\n"))):
        try:
            return _read(candidate, mode)
        except ValueError as error:
            fault = fault or error
    raise fault or ValueError("there is no answer in the text")


def _candidates(text: str) -> list[str]:
    """The place where the answer stands, whole and then its last line."""
    tagged = [each for each in _TAGGED.findall(text) if each.strip()]
    if tagged:
        place = tagged[-1]
    elif _END.search(text):  # the prompt had the beginning
        place = _END.split(text)[0]
    else:
        place = text
    fenced = [block.text for block in blocks(place) if block.text.strip()]
    place = fenced[-1] if fenced else place
    lines = [line for line in place.strip().split("\n") if line.strip()]
    if not lines:
        return []
    spans: list[str] = _SPAN.findall(lines[-1])
    return [place.strip(), *([lines[-1].strip()] if len(lines) > 1 else []), *spans[-1:]]


def _read(text: str, mode: Mode) -> Any:
    side = _side(text, "left" if mode == "input" else "right")
    return literal_call(side) if mode == "input" else literal(side)


def _side(text: str, side: Literal["left", "right"]) -> str:
    """One side of `f(...) == value`; the text itself where it is no such comparison."""
    try:
        body = parse_quietly(text).body
    except SyntaxError:
        return text
    if len(body) != 1:
        return text
    node: ast.AST = body[0]
    node = node.test if isinstance(node, ast.Assert) else node.value if isinstance(node, ast.Expr) else node
    match node:
        case ast.Compare(left=ast.Call(func=ast.Name(id="f")) as call, ops=[ast.Eq()], comparators=[value]):
            return ast.unparse(call if side == "left" else value)
    return text
