"""A test's text with assertions that build trees. Runs on the host, parses and writes Python, evaluates nothing.

`assert abs(f(1) - 2) < 0.1` becomes

    __reexec_check__(__reexec_op__("lt", __reexec_op__("to_abs", __reexec_op__("sub", leaf(f(1)), leaf(2))), leaf(0.1)))

with `leaf` for `__reexec_leaf__`. What is not known here stays as it is, inside a leaf: where that computes with a value
under test, the recorder refuses.
"""

import ast
import builtins
import sys
import warnings
from typing import Final

_COMPARE: Final[dict[type[ast.cmpop], str]] = {
    ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge",
    ast.In: "in", ast.NotIn: "not_in", ast.Is: "is", ast.IsNot: "is_not",
}  # fmt: skip
_BINARY: Final[dict[type[ast.operator], str]] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.FloorDiv: "floordiv", ast.Mod: "mod", ast.Pow: "pow",
}  # fmt: skip
_UNARY: Final[dict[type[ast.unaryop], str]] = {ast.Not: "not", ast.USub: "neg", ast.UAdd: "pos"}
_CONVERT: Final = frozenset(
    "abs all any bool float frozenset int len list max min round set sorted str sum tuple".split()  # noqa: SIM905
)
_PLAIN_TYPES: Final = frozenset("bool bytes complex dict float frozenset int list set str tuple".split())  # noqa: SIM905
_CLOSE: Final = ("math.isclose", "isclose", "cmath.isclose")


class NotRewritable(Exception):  # noqa: N818
    """The test is not lifted; the message says why."""


def parse_quietly(source: str) -> ast.Module:
    """The syntax tree, without warnings about escapes. Raises SyntaxError for all that is not Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (ValueError, RecursionError, MemoryError) as error:  # a NUL, or nested by the thousand
        raise SyntaxError(str(error)) from None


def free_names(module: ast.Module) -> list[str]:
    """Names that the test uses and nothing in it binds: the functions under test."""
    used: dict[str, None] = {}
    bound: set[str] = set()
    for node in ast.walk(module):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                used[name] = None
            case ast.Name(id=name):
                bound.add(name)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AsyncFunctionDef(name=name):
                bound.add(name)
            case ast.arg(arg=name):
                bound.add(name)
            case ast.ExceptHandler(name=str(name)):
                bound.add(name)
            case ast.alias(name=name, asname=other):
                bound.add(other or name.partition(".")[0])
    return [name for name in used if name not in bound and not hasattr(builtins, name)]


def modules_used(module: ast.Module) -> list[str]:
    """Of the names that nothing in the test binds, those of standard modules that it only looks into (`math.isclose`): the
    official tools find them where a solution has imported them."""
    owners = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Attribute)}
    others = {node.id for node in ast.walk(module) if isinstance(node, ast.Name) and id(node) not in owners}
    return [name for name in free_names(module) if name in sys.stdlib_module_names and name not in others]


def rewrite(module: ast.Module) -> tuple[str, int]:
    """The rewritten text and the number of assertions in it. Raises NotRewritable."""
    for node in ast.walk(module):
        if isinstance(node, ast.Try | ast.TryStar | ast.With | ast.AsyncWith):
            raise NotRewritable("the test handles exceptions or contexts of its own")
        if isinstance(node, ast.Match):
            raise NotRewritable("the test matches patterns")
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            raise NotRewritable("the test imports names that it does not list")
    shadowed = {node.id for node in ast.walk(module) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    rewriter = _Rewriter(shadowed)
    changed = ast.fix_missing_locations(rewriter.visit(module))
    return ast.unparse(changed), rewriter.assertions


class _Rewriter(ast.NodeTransformer):
    def __init__(self, shadowed: set[str]) -> None:
        self.assertions = 0
        self._middles = 0
        self._shadowed = shadowed

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        self.assertions += 1
        return ast.Expr(_call("__reexec_check__", self._tree(node.test)))

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        """`is` outside of what becomes a tree: a stand-in's value is no object of its own."""
        self.generic_visit(node)
        if not any(isinstance(each, ast.Is | ast.IsNot) for each in node.ops):
            return node
        if len(node.ops) > 1:
            raise NotRewritable("the test has a chain of comparisons with `is`")
        same = _call("__reexec_is__", node.left, node.comparators[0])
        return same if isinstance(node.ops[0], ast.Is) else ast.UnaryOp(ast.Not(), same)

    def _leaf(self, node: ast.expr) -> ast.expr:
        return _call("__reexec_leaf__", self.visit(node))

    def _tree(self, node: ast.expr) -> ast.expr:
        if not any(isinstance(each, ast.Call | ast.Name) for each in ast.walk(node)):
            return self._leaf(node)
        match node:
            case ast.Compare():
                return self._comparison(node)
            case ast.BoolOp(op=kind, values=values):
                return _op("and" if isinstance(kind, ast.And) else "or", *map(self._tree, values))
            case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _UNARY:
                return _op(_UNARY[type(sign)], self._tree(operand))
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _BINARY:
                return _op(_BINARY[type(operator)], self._tree(left), self._tree(right))
            case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items) if not _starred(items):
                return _op(type(node).__name__.lower(), *map(self._tree, items))
            case ast.Subscript(value=value, slice=index) if not isinstance(index, ast.Slice):
                return _op("item", self._tree(value), self._tree(index))
            case ast.ListComp(elt=item, generators=loops) | ast.GeneratorExp(elt=item, generators=loops):
                return self._unrolled("list", item, loops)
            case ast.SetComp(elt=item, generators=loops):
                return self._unrolled("set", item, loops)
            case ast.Call():
                return self._converted(node)
        return self._leaf(node)

    def _unrolled(self, name: str, item: ast.expr, loops: list[ast.comprehension]) -> ast.expr:
        """A tree for each turn of a comprehension's loops, which run as they are."""
        loops = [self.visit(loop) for loop in loops]
        return _call("__reexec_op__", ast.Constant(name), ast.Starred(ast.ListComp(self._tree(item), loops), ast.Load()))

    def _comparison(self, node: ast.Compare) -> ast.expr:
        match node:
            case ast.Compare(
                left=ast.Call(func=ast.Name(id="type"), args=[value], keywords=[]),
                ops=[ast.Eq() | ast.Is() | ast.NotEq() | ast.IsNot() as asked],
                comparators=[ast.Name(id=kind)],
            ) if "type" not in self._shadowed and kind in _PLAIN_TYPES and kind not in self._shadowed:
                wanted = _call("__reexec_leaf__", ast.Constant(kind))
                name = "eq" if isinstance(asked, ast.Eq | ast.Is) else "ne"
                return _op(name, _op("type_name", self._tree(value)), wanted)
        links: list[ast.expr] = []
        left = self._tree(node.left)
        for number, (operator, side) in enumerate(zip(node.ops, node.comparators, strict=True), 1):
            right, again = self._tree(side), None
            if number < len(node.ops):  # the middle of a chain belongs to two links and is evaluated once
                self._middles += 1
                name = f"__reexec_middle_{self._middles}__"
                right, again = ast.NamedExpr(ast.Name(name, ast.Store()), right), ast.Name(name, ast.Load())
            links.append(_op(_COMPARE[type(operator)], left, right))
            left = again or right
        return links[0] if len(links) == 1 else _op("and", *links)

    def _converted(self, node: ast.Call) -> ast.expr:
        name = ast.unparse(node.func) if isinstance(node.func, ast.Name | ast.Attribute) else ""
        if name in self._shadowed or _starred(node.args):
            return self._leaf(node)
        if name == "isinstance" and len(node.args) == 2 and not node.keywords:
            kinds = _call("__reexec_types__", self.visit(node.args[1]))
            return _op("isinstance", self._tree(node.args[0]), _call("__reexec_leaf__", kinds))
        options = {keyword.arg: keyword.value for keyword in node.keywords}
        if name in _CONVERT and node.args and not options:
            return _op(f"to_{name}", *map(self._tree, node.args))
        if name == "sorted" and len(node.args) == 1 and options.keys() == {"reverse"}:
            reverse = options["reverse"]
            if isinstance(reverse, ast.Constant) and reverse.value is True:
                return _op("sorted_reverse", self._tree(node.args[0]))
        if name in _CLOSE and len(node.args) == 2 and options.keys() <= {"rel_tol", "abs_tol"}:
            rel = options.get("rel_tol", ast.Constant(1e-9))
            return _op(
                "isclose", *map(self._tree, node.args), self._tree(rel), self._tree(options.get("abs_tol", ast.Constant(0.0)))
            )
        return self._leaf(node)


def _starred(items: list[ast.expr]) -> bool:
    return any(isinstance(item, ast.Starred) for item in items)


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def _op(name: str, *nodes: ast.expr) -> ast.Call:
    return _call("__reexec_op__", ast.Constant(name), *nodes)
