"""May the checks of one program share a fork? Decided from its syntax tree, where it is compiled, before any of it runs.

Between two checks of a shared fork the program's module is made anew and generators are seeded again. What would stay is
what a program did to things that it does not own: modules, their classes and functions, the interpreter. So a program shares
a fork only if its tree shows no way to one of them. The rule is a list of what is allowed, not of what is dangerous:

    a module          is in MODULES, and its name stands before a dot and nowhere else: it has no second name
    what a module has is called, subclassed, tested for, or used as a decorator, an annotation or an argument
    an attribute      begins with an underscore only where it is in OWN_METHODS; is in no denied list
    a built-in name   is not in DENIED_NAMES
    a store           to an attribute begins at a name of the program's own

`reason_against` names the first thing that does not fit. A wrong answer here costs speed where it is "no". Where it is
"yes" and should not be, the confirmations of engine/pool see it (docs/decisions/0050).
"""

from __future__ import annotations

import ast
from typing import Any, FrozenSet, Iterator, Optional, Set

# Without state that ordinary use changes; what few attributes change some is in DENIED_ATTRIBUTES.
MODULES = frozenset(
    """
    abc array base64 binascii bisect cmath collections collections.abc contextlib copy dataclasses datetime difflib enum
    fractions functools graphlib hashlib heapq html itertools json keyword math numbers numpy numpy.fft numpy.linalg
    numpy.polynomial numpy.random operator queue random re statistics string struct textwrap time types typing
    typing_extensions unicodedata zlib __future__
    """.split()
)
"""Importable as a whole. `sys` is allowed for its constants alone."""

SYS_ATTRIBUTES = frozenset(
    ("maxsize", "float_info", "int_info", "version_info", "version", "byteorder", "maxunicode", "hash_info")
)

DENIED_ATTRIBUTES = frozenset(
    """
    register seterr seterrcall setbufsize set_printoptions set_string_function setfirstweekday set_state setstate gi_frame
    gi_code cr_frame ag_frame f_back f_globals f_locals f_builtins f_code tb_frame tb_next func_globals cache_clear
    cache_info ctypes ctypeslib testing test f2py distutils lib memmap load save loadtxt savetxt fromfile tofile modules
    intern
    """.split()
)

OWN_METHODS = frozenset(
    """
    __init__ __name__ __doc__ __len__ __iter__ __next__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __hash__ __repr__
    __str__ __bool__ __int__ __float__ __index__ __contains__ __getitem__ __setitem__ __delitem__ __missing__ __call__
    __enter__ __exit__ __add__ __radd__ __iadd__ __sub__ __rsub__ __isub__ __mul__ __rmul__ __imul__ __truediv__
    __rtruediv__ __floordiv__ __rfloordiv__ __mod__ __rmod__ __pow__ __rpow__ __neg__ __pos__ __abs__ __invert__ __and__
    __or__ __xor__ __lshift__ __rshift__ __divmod__ __round__ __reversed__ __post_init__ __format__ __matmul__ __slots__
    __name__ __annotations__ __copy__ __deepcopy__ __new__ __version__
    """.split()
)
"""With two underscores, and all the same of the program's own making."""

DENIED_NAMES = frozenset(
    """
    __import__ __builtins__ __loader__ __spec__ breakpoint compile copyright credits delattr dir eval exec exit globals
    help id input license locals memoryview open quit setattr vars
    """.split()
)

_DENIED_METHODS = frozenset("__del__ __getattr__ __getattribute__ __setattr__ __class__".split())

_CONSTANTS = frozenset(
    """
    pi e tau inf nan maxsize newaxis ascii_letters ascii_lowercase ascii_uppercase digits hexdigits punctuation whitespace
    """.split()
)
"""Imported, and nothing that could be changed."""

_PRELUDE_MODULES = frozenset(
    "bisect collections copy datetime functools heapq itertools json math operator random re string sys time numpy np".split()
)
"""Names that stand for modules although no import of the program's says so, unless the program binds them itself."""

_HASHED_BY_VALUE = frozenset(
    ("NamedTuple", "Enum", "IntEnum", "StrEnum", "Flag", "IntFlag", "TypedDict", "Protocol", "int", "str", "tuple")
)

# What a name that a module gave may be an argument of without getting a second name.
_TAKES_TYPES = frozenset(
    ("isinstance", "issubclass", "defaultdict", "field", "map", "filter", "sorted", "reduce", "partial", "key", "cast")
)


def reason_against(source: str) -> str:
    """Why checks of this program must not share a fork, in a few words; empty where they may. Total: what cannot be read as a
    tree shares nothing."""
    try:
        tree = ast.parse(source)
        return next(_Rule(tree).faults(), "")
    except RecursionError:
        return "nested too deeply"
    except (SyntaxError, ValueError, MemoryError):
        return "not a program"


class _Rule:
    def __init__(self, tree: ast.Module) -> None:
        self._nodes = list(ast.walk(tree))
        self._modules: Set[str] = set(_PRELUDE_MODULES)
        """Names that stand for modules."""
        self._imported: Set[str] = set()
        """Names that `from ... import` gave."""
        self._own: Set[int] = set()
        """Name nodes that mean a variable of a function of the program's, whatever a module is called."""
        self._fine: Set[int] = set()
        """Name nodes that stand where a module's or an imported name may stand."""
        self._compared: Set[int] = set()
        """Calls of type() whose result is compared or asked for its name, and not kept."""
        self._find_own(tree, frozenset())

    def _find_own(self, scope: ast.AST, bound: FrozenSet[str]) -> None:
        """Marks names that an enclosing function binds; class bodies and the module bind nothing for them."""
        waiting = list(ast.iter_child_nodes(scope))
        while waiting:
            node = waiting.pop()
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                self._find_own(node, bound | _bound_in(node))
                if not isinstance(node, ast.Lambda):
                    waiting += node.decorator_list
                continue
            if isinstance(node, ast.Name) and node.id in bound:
                self._own.add(id(node))
            waiting += ast.iter_child_nodes(node)

    def faults(self) -> Iterator[str]:
        yield from self._imports()
        self._mark()
        by_address = uses_set = False
        for node in self._nodes:
            fault = self._fault(node)
            if fault:
                yield fault
            if isinstance(node, ast.ClassDef):
                if any(keyword.arg == "metaclass" for keyword in node.keywords):
                    yield "a metaclass"
                by_address = by_address or _hashed_by_address(node)
            elif isinstance(node, (ast.Set, ast.SetComp)) or (isinstance(node, ast.Name) and node.id in ("set", "frozenset")):
                uses_set = True
        if by_address and uses_set:
            yield "objects whose order in a set is their address"

    # -- imports ----------------------------------------------------------------------------------------------

    def _imports(self) -> Iterator[str]:
        for node in self._nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name != "sys" and not _allowed(alias.name):
                        yield "import of " + alias.name
                    self._modules.add(alias.asname or alias.name.partition(".")[0])
            elif isinstance(node, ast.ImportFrom):
                if node.level or not _allowed(node.module or ""):
                    yield "import of " + (node.module or ".")
                for alias in node.names:
                    name = "%s.%s" % (node.module, alias.name)
                    if alias.name == "*" or alias.name in DENIED_ATTRIBUTES or alias.name.startswith("_"):
                        yield "import of " + name
                    if alias.name not in _CONSTANTS:
                        (self._modules if name in MODULES else self._imported).add(alias.asname or alias.name)

    # -- where names stand ------------------------------------------------------------------------------------

    def _mark(self) -> None:
        for node in self._nodes:
            if isinstance(node, ast.Attribute):
                self._fine.add(id(node.value))
                if node.attr == "__name__":
                    self._compared.add(id(node.value))
            elif isinstance(node, ast.Compare):
                self._compared.update(id(part) for part in [node.left, *node.comparators])
            elif isinstance(node, ast.Call):
                self._fine.add(id(node.func))
                if self._takes_types(node.func):
                    for argument in [*node.args, *[keyword.value for keyword in node.keywords]]:
                        self._mark_types(argument)
                for keyword in node.keywords:
                    if keyword.arg in ("key", "default_factory"):
                        self._fine.add(id(keyword.value))
            elif isinstance(node, ast.ClassDef):
                for place in [*node.bases, *node.decorator_list]:
                    self._mark_types(place)
            elif isinstance(node, ast.ExceptHandler):
                self._mark_types(node.type)
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                for place in node.decorator_list:
                    self._fine.add(id(place))
                self._mark_types(node.returns)
                arguments = node.args
                every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
                for parameter in every:
                    if parameter is not None:
                        self._mark_types(parameter.annotation)
            elif isinstance(node, ast.AnnAssign):
                self._mark_types(node.annotation)

    def _takes_types(self, function: ast.expr) -> bool:
        name = function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
        return name in _TAKES_TYPES

    def _mark_types(self, place: Optional[ast.AST]) -> None:
        """Everything in an annotation, a list of bases or of classes."""
        if place is not None:
            for node in ast.walk(place):
                if isinstance(node, ast.Name):
                    self._fine.add(id(node))

    # -- what does not fit ------------------------------------------------------------------------------------

    def _fault(self, node: ast.AST) -> str:
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            return self._store(node)
        if isinstance(node, ast.FunctionDef) and node.name in (
            "__del__",
            "__getattr__",
            "__getattribute__",
            "__setattr__",
            "__class__",
        ):
            return node.name
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)):
            return "asynchronous code"
        return ""

    def _name(self, node: ast.Name) -> str:
        name = node.id
        if name in DENIED_NAMES or (name.startswith("__") and name not in ("__name__",)):
            return name
        if not self._shared(node) or not isinstance(node.ctx, ast.Load):
            return ""
        return "" if id(node) in self._fine else name + " under another name"

    def _shared(self, node: ast.AST) -> bool:
        """Whether this is the name of something that a module gave."""
        if not isinstance(node, ast.Name) or id(node) in self._own:
            return False
        return node.id in self._modules or node.id in self._imported

    def _attribute(self, node: ast.Attribute) -> str:
        name = node.attr
        root = _root(node)
        of_module = self._shared(root)
        if name in DENIED_ATTRIBUTES:
            return "." + name
        if name.startswith("__") and name not in OWN_METHODS:
            return "." + name
        if of_module and name.startswith("_"):
            return "." + name
        if of_module and isinstance(root, ast.Name) and root.id == "sys" and name not in SYS_ATTRIBUTES:
            return "sys." + name
        if not isinstance(node.ctx, ast.Load):
            return self._store(node)
        return ""

    def _store(self, node: Any) -> str:
        """An attribute or item that is written: it must begin at a name of the program's own."""
        root = _root(node)
        if not isinstance(root, ast.Name):
            return "a write to what a call gave" if isinstance(node, ast.Attribute) else ""
        if self._shared(root):
            return "a write to " + root.id
        return ""

    def _call(self, node: ast.Call) -> str:
        function = node.func
        if not isinstance(function, ast.Name):
            return ""
        if function.id in ("getattr", "hasattr"):
            wanted = _text(node.args[1]) if len(node.args) > 1 else None
            if wanted is None or wanted.startswith("_") or wanted in DENIED_ATTRIBUTES:
                return function.id
        if function.id == "type" and len(node.args) != 3 and id(node) not in self._compared:
            return "type() under another name"
        return ""


def _allowed(module: str) -> bool:
    return module in MODULES or (
        module.startswith("numpy.") and module in ("numpy.linalg", "numpy.random", "numpy.fft", "numpy.polynomial")
    )


def _bound_in(function: ast.AST) -> FrozenSet[str]:
    """Parameters of a function and the names that it assigns; imports in it do not count, nor what it declares global."""
    names = {argument.arg for argument in ast.walk(function.args) if isinstance(argument, ast.arg)}  # type: ignore[attr-defined]
    elsewhere: Set[str] = set()
    waiting = list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
            continue
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            elsewhere.update(node.names)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            elsewhere.update((alias.asname or alias.name).partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
        waiting += ast.iter_child_nodes(node)
    return frozenset(names - elsewhere)


def _hashed_by_address(node: ast.ClassDef) -> bool:
    """Whether objects of the class go into sets in the order of their addresses."""
    methods = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
    if methods & {"__hash__", "__eq__"}:
        return False
    bases = {base.id if isinstance(base, ast.Name) else getattr(base, "attr", "") for base in node.bases}
    decorators = {ast.dump(decorator) for decorator in node.decorator_list}
    return not bases & _HASHED_BY_VALUE and not any("'dataclass'" in text for text in decorators)


def _root(node: ast.AST) -> ast.AST:
    """Where a chain of dots and brackets begins."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node


def _text(node: ast.expr) -> Optional[str]:
    value = getattr(node, "value", None)
    return value if isinstance(node, ast.Constant) and isinstance(value, str) else None
