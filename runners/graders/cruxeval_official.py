"""What CRUXEval's harness would run of a prediction, as a program that never sees the expected output.

The harness runs `assert OUTPUT == PREDICTION` behind the problem's code. Mostly that is one comparison, and the program gives
the value of its right side. Where the text makes it more (`a or b`, a chain, a condition), the program gives as well what the
assertion comes to if the first comparison holds, and if it does not: the host, which compares, picks one of the two.
"""

import ast
from dataclasses import dataclass
from typing import Final

from reexec.engine.program import Program

from .lifting.rewrite import parse_quietly

_VALUE: Final = "__reexec_value__"
_GET: Final = "__reexec_get__"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A prediction as a program: `Call()` of it gives the value to compare with the expected one. Where the assertion is
    more than one comparison, the value is followed by what the assertion comes to if that is equal and if not."""

    program: Program
    composed: bool


def official_program(code: str, output: str, prediction: str) -> Evaluation | None:
    """What the harness would run, without the expected output; None where its text does not compile."""
    try:
        module = parse_quietly(f"assert {output} == {prediction}")
    except SyntaxError:
        return None
    first, *rest = module.body
    if not isinstance(first, ast.Assert):
        return None
    found = _first_comparison(first.test)
    if found is None:
        return None
    value = found.comparators[0]
    further = rest
    if found is first.test and len(found.ops) == 1:
        shown: ast.expr = value
        composed = False
    else:
        shown = ast.List([value, _if_it_were(first.test, found, True), _if_it_were(first.test, found, False)], ast.Load())
        composed = True
    assign = ast.Assign([ast.Name(_VALUE, ast.Store())], shown)
    tail = ast.fix_missing_locations(ast.Module([assign, *further], []))
    source = f"{code}\n{ast.unparse(tail)}\ndef {_GET}():\n    return {_VALUE}\n"
    return Evaluation(Program(source, _GET), composed)


def _first_comparison(test: ast.expr) -> ast.Compare | None:
    """The comparison that begins with the expected output: the leftmost one."""
    node = test
    while True:
        match node:
            case ast.Compare(ops=[ast.Eq(), *_]):
                return node
            case ast.BoolOp(values=[first, *_]):
                node = first
            case ast.IfExp(body=body):
                node = body
            case ast.Tuple(elts=[first, *_]):
                node = first
            case _:
                return None


def _if_it_were(test: ast.expr, found: ast.Compare, equal: bool) -> ast.expr:
    """Whether the assertion holds if `found`'s first link is `equal`, as an expression that gives True or False."""

    class Replace(ast.NodeTransformer):
        def visit_Compare(self, node: ast.Compare) -> ast.expr:
            if node is not found:
                return node
            if len(node.ops) == 1:
                return ast.Constant(equal)
            rest = ast.Compare(node.comparators[0], node.ops[1:], node.comparators[1:])
            return ast.BoolOp(ast.And(), [ast.Constant(equal), rest])

    return ast.Call(ast.Name("bool", ast.Load()), [_copy(Replace().visit(_copy_around(test, found)))], [])


def _copy(node: ast.expr) -> ast.expr:
    return parse_quietly(ast.unparse(ast.fix_missing_locations(node))).body[0].value  # type: ignore[attr-defined, no-any-return]


def _copy_around(test: ast.expr, found: ast.Compare) -> ast.expr:
    """A copy of `test` that still holds `found` itself."""
    if test is found:
        return test
    match test:
        case ast.BoolOp(op=op, values=[first, *others]):
            return ast.BoolOp(op, [_copy_around(first, found), *others])
        case ast.IfExp(test=condition, body=body, orelse=orelse):
            return ast.IfExp(condition, _copy_around(body, found), orelse)
        case ast.Tuple(elts=[first, *others]):
            return ast.Tuple([_copy_around(first, found), *others], ast.Load())
    return test
