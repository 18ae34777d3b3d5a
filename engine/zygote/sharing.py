"""May the checks of one program share a fork? Decided from its syntax tree, where it is compiled, before any of it runs.

Between two checks of a shared fork the program's module is made anew and generators are seeded again. What would stay is
what a program did to things that it does not own: modules, their classes and functions, the interpreter. So a program shares
a fork only if its tree shows no way to one of them. The rule is a list of what is allowed, not of what is dangerous:

    a module          is in MODULES, and its name stands before a dot and nowhere else: it has no second name
    what a module has is looked at (shareable.py). What cannot be changed may stand anywhere; anything else is called,
                      subclassed, tested for, or used as a decorator or an annotation; modules in modules are refused
    an attribute      begins with an underscore only where it is in OWN_METHODS; is in no denied list; is in no pattern and
                      no text of fields, which reach attributes as well
    a built-in name   is not in DENIED_NAMES; those that find attributes or classes are called and nothing else
    a store           to an attribute begins at a name of the program's own

What the policy's prelude binds counts like the program's own imports. `reason_against` names the first thing that does not fit.
A wrong answer here costs speed where it is "no". Where it is "yes" and should not be, what follows is bounded by what a unit is
believed for (docs/decisions/0051).
"""

from __future__ import annotations

import ast
import string
from typing import Any, Dict, FrozenSet, Iterator, List, Optional, Sequence, Set, Tuple

from .allowed import (
    BUILT_IN_TYPES,
    DENIED_ATTRIBUTES,
    DENIED_NAMES,
    HASHED_BY_VALUE,
    OF_MEMBERS,
    ONLY_CALLED,
    OWN_METHODS,
    TAKES_BY_NAME,
    TAKES_FUNCTION,
    TAKES_KEY,
    TAKES_TYPES,
    TEXTS,
)
from .scopes import (
    COMPREHENSIONS,
    bound_in,
    evaluated_outside,
    imports_in,
    names_bound_by,
    parameters_of,
    rebound_by,
    root_of,
    text_of,
)
from .shareable import CHANGERS, MODULES, Fault, Kind, has_functions, look

Origin = Tuple[str, List[str]]
"""A module's name, and the path of a member."""


def reason_against(source: str, prelude: Sequence[str] = ()) -> str:
    """Why checks of this program must not share a fork, in a few words; empty where they may. Total: what cannot be read as a
    tree shares nothing. `prelude`: the import statements that run before it."""
    try:
        tree = ast.parse(source)
        return next(_Rule(tree, prelude).faults(), "")
    except RecursionError:
        return "nested too deeply"
    except (SyntaxError, ValueError, MemoryError):
        return "not a program"


class _Rule:
    def __init__(self, tree: ast.Module, prelude: Sequence[str]) -> None:
        self._nodes = list(ast.walk(tree))
        self._origins: Dict[str, List[Origin]] = {}
        """Names that stand for what a module gave, and could be changed."""
        self._forbidden: Set[str] = set()
        """Names of the prelude that no program that shares a fork may touch."""
        self._blind = False
        """Whether nobody knows what the prelude binds."""
        self._own: Set[int] = set()
        """Name nodes that mean a variable of a function of the program's, whatever a module is called."""
        self._fine: Set[int] = set()
        """Nodes that stand where something that could be changed may stand."""
        self._decorators: Set[int] = set()
        self._compared: Set[int] = set()
        """Calls of type() whose result is compared or asked for its name, and not kept."""
        self._called: Set[int] = set()
        self._dotted: Set[int] = set()
        """What stands before a dot; and of attributes those that do."""
        self._inner: Set[int] = set()
        self._types: Set[int] = set()
        """Nodes that stand for a type: in an annotation, a list of bases or of classes."""
        self._bound = {name for node in self._nodes for name in names_bound_by(node)}
        """All names that the program binds somewhere, but for imports."""
        self._find_own(tree.body, frozenset())
        self._take_prelude(tree, prelude)

    def _take_prelude(self, tree: ast.Module, prelude: Sequence[str]) -> None:
        named = {node.id for node in self._nodes if isinstance(node, ast.Name)} - rebound_by(tree)
        for statement in prelude:
            for node in ast.parse(statement).body:
                for name, origin in _bindings(node):
                    self._blind = self._blind or name == "*"
                    if name in named:  # others are not even looked at: numpy is large
                        try:
                            self._bind(name, origin)
                        except Fault:
                            self._forbidden.add(name)

    def _bind(self, name: str, origin: Origin) -> None:
        if origin[0] == "sys" and not origin[1]:
            self._origins.setdefault(name, []).append(origin)
        elif look(*origin)[0] is not Kind.FIXED:
            self._origins.setdefault(name, []).append(origin)

    def _find_own(self, scope: Sequence[ast.AST], bound: FrozenSet[str]) -> None:
        """Marks names that an enclosing function or comprehension binds; class bodies and the module bind nothing for them."""
        waiting = list(scope)
        while waiting:
            node = waiting.pop()
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                body = [node.body] if isinstance(node, ast.Lambda) else node.body
                names, elsewhere = bound_in(body)
                self._find_own(body, (bound - elsewhere) | (names | parameters_of(node)) - elsewhere)
                waiting += evaluated_outside(node)
                continue
            if isinstance(node, ast.ClassDef):
                self._find_own(node.body, bound - bound_in(node.body)[1])
                waiting += [*node.decorator_list, *node.bases, *node.keywords]
                continue
            if isinstance(node, COMPREHENSIONS):
                targets = [each for part in node.generators for each in ast.walk(part.target)]
                names = frozenset(each.id for each in targets if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store))
                first, *parts = ast.iter_child_nodes(node.generators[0])  # its target; what it goes over is taken from outside
                waiting.append(parts.pop(0))
                results = [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.comprehension)]
                self._find_own([*results, first, *parts, *node.generators[1:]], bound | names)
                continue
            if isinstance(node, ast.Name) and node.id in bound:
                self._own.add(id(node))
            waiting += ast.iter_child_nodes(node)

    def faults(self) -> Iterator[str]:
        if self._blind:
            yield "a star import of the prelude"
        yield from self._imports()
        self._mark()
        by_address = uses_set = stores = False
        way = ""
        for node in self._nodes:
            fault = self._fault(node)
            if fault:
                yield fault
            stores = stores or (isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load))
            way = way or self._way_to_a_module(node)
            if isinstance(node, ast.ClassDef):
                if any(keyword.arg == "metaclass" for keyword in node.keywords):
                    yield "a metaclass"
                by_address = by_address or _hashed_by_address(node)
            elif isinstance(node, (ast.Set, ast.SetComp)) or (isinstance(node, ast.Name) and node.id in ("set", "frozenset")):
                uses_set = True
        if by_address and uses_set:
            yield "objects whose order in a set is their address"
        if way and stores:
            yield way + ", beside a write to an attribute"

    def _way_to_a_module(self, node: ast.AST) -> str:
        """What hands out functions or classes of a module's under attributes of something of the program's own."""
        if isinstance(node, ast.ClassDef):
            for base in node.bases:
                for each in ast.walk(base):
                    if any(has_functions(*origin) for origin in self._origins_of(each)):
                        return "a class that inherits from a module's"
        elif isinstance(node, ast.Subscript) and id(node) not in self._types and self._is_changeable(node.value):
            return "a type with parameters under another name"
        return ""

    def _origins_of(self, node: ast.AST) -> List[Origin]:
        """What a module gave, where the node is such a name and what follows it after dots."""
        path: List[str] = []
        while isinstance(node, ast.Attribute):
            path.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or not self._shared(node):
            return []
        return [(module, members + path[::-1]) for module, members in self._origins[node.id]]

    def _is_changeable(self, node: ast.AST) -> bool:
        try:
            return any(look(*origin)[0] is Kind.CHANGEABLE for origin in self._origins_of(node))
        except Fault:
            return True

    # -- imports ----------------------------------------------------------------------------------------------

    def _imports(self) -> Iterator[str]:
        for node in self._nodes:
            if not isinstance(node, (ast.Import, ast.ImportFrom)):
                continue
            if isinstance(node, ast.ImportFrom) and (node.level or any(alias.name == "*" for alias in node.names)):
                yield "import of " + (node.module or ".") + ".*"
                continue
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name != "sys" and alias.name not in MODULES:
                        yield "import of " + alias.name
            for name, origin in _bindings(node):
                try:
                    self._bind(name, origin)
                except Fault as fault:
                    yield str(fault)
        for node in self._nodes:
            if isinstance(node, ast.ClassDef) and imports_in(node.body):
                yield "an import in a class"

    # -- where names stand ------------------------------------------------------------------------------------

    def _mark(self) -> None:
        for node in self._nodes:
            if isinstance(node, ast.Attribute):
                self._fine.add(id(node.value))
                if node.attr == "__name__":
                    self._compared.add(id(node.value))
                self._dotted.add(id(node.value))
                if isinstance(node.value, ast.Attribute):
                    self._inner.add(id(node.value))
            elif isinstance(node, ast.Compare):
                self._compared.update(id(part) for part in [node.left, *node.comparators])
            elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
                self._fine.add(id(node.value))
            elif isinstance(node, ast.Call):
                self._fine.add(id(node.func))
                self._called.add(id(node.func))
                self._mark_arguments(node)
            elif isinstance(node, ast.ClassDef):
                for place in node.bases:
                    self._mark_types(place)
                self._mark_decorators(node.decorator_list)
            elif isinstance(node, ast.ExceptHandler):
                self._mark_types(node.type)
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self._mark_decorators(node.decorator_list)
                self._mark_types(node.returns)
                arguments = node.args
                every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
                for parameter in every:
                    if parameter is not None:
                        self._mark_types(parameter.annotation)
            elif isinstance(node, ast.AnnAssign):
                self._mark_types(node.annotation)

    def _mark_decorators(self, places: List[ast.expr]) -> None:
        for place in places:
            function = place.func if isinstance(place, ast.Call) else place
            self._fine.add(id(function))
            self._decorators.add(id(function))

    def _mark_arguments(self, call: ast.Call) -> None:
        function, given = call.func, bool(self._origins_of(call.func))
        name = function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
        if name in self._bound or not (given or isinstance(function, ast.Name) or name == "sort"):
            return  # it may be the program's own
        at = TAKES_TYPES.get(name, len(call.args))
        for argument in call.args[at : at + 1]:
            self._mark_types(argument)
        at = TAKES_FUNCTION.get(name, len(call.args))
        for argument in call.args[at : at + 1]:
            self._mark_chain(argument)
        for keyword in call.keywords:
            if (keyword.arg == "key" and name in TAKES_KEY) or (keyword.arg in TAKES_BY_NAME and given):
                self._mark_chain(keyword.value)
        if any(module == "re" for module, _ in self._origins_of(function)):
            for argument in [*call.args, *[keyword.value for keyword in call.keywords]]:
                self._mark_types(argument)  # flags, and several of them

    def _mark_chain(self, place: ast.AST) -> None:
        while isinstance(place, ast.Attribute):
            self._fine.add(id(place))
            place = place.value
        if isinstance(place, ast.Name):
            self._fine.add(id(place))

    def _mark_types(self, place: Optional[ast.AST]) -> None:
        """What stands for types in an annotation, a list of bases or of classes. Anything that is the program's own could be
        called with them there: its operators, its brackets."""
        waiting = [place]
        while waiting:
            node = waiting.pop()
            if isinstance(node, (ast.Name, ast.Attribute)):
                self._mark_chain(node)
            elif isinstance(node, ast.Subscript):
                self._types.add(id(node))
                named = node.value.id if isinstance(node.value, ast.Name) else ""
                self._mark_chain(node.value)
                if self._origins_of(node.value) or (named in BUILT_IN_TYPES and named not in self._bound):
                    waiting.append(node.slice)
            elif isinstance(node, (ast.Tuple, ast.List)):
                waiting += node.elts
            elif type(node).__name__ == "Index":  # before Python 3.9
                waiting.append(node.value)  # type: ignore[union-attr]
            elif isinstance(node, ast.BinOp) and all(map(self._is_no_object, (node.left, node.right))):
                waiting += [node.left, node.right]

    def _is_no_object(self, node: ast.AST) -> bool:
        """Whether this is nothing of the program's: a constant, a built-in type, what a module gave, and their unions."""
        if isinstance(node, ast.BinOp):
            return self._is_no_object(node.left) and self._is_no_object(node.right)
        if isinstance(node, ast.Subscript):
            return self._is_no_object(node.value)
        if isinstance(node, ast.Name) and not self._shared(node):
            return node.id not in self._bound
        return isinstance(node, ast.Constant) or bool(self._origins_of(node))

    # -- what does not fit ------------------------------------------------------------------------------------

    def _fault(self, node: ast.AST) -> str:
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            return self._store(node)
        fault = _denied_name(node)
        if fault:
            return fault
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)):
            return "asynchronous code"
        if type(node).__name__ == "MatchClass":
            return next((fault for fault in map(_denied, node.kwd_attrs) if fault), "")  # type: ignore[attr-defined]
        return ""

    def _name(self, node: ast.Name) -> str:
        name = node.id
        if name in DENIED_NAMES or (name.startswith("__") and name not in ("__name__",)):
            return name
        if name in ONLY_CALLED and id(node) not in self._called:
            return name + " under another name"
        if id(node) in self._own:
            return ""
        if name in self._forbidden:
            return name + " of the prelude"
        if not self._shared(node) or not isinstance(node.ctx, ast.Load):
            return "a name of a module's, deleted" if isinstance(node.ctx, ast.Del) and self._shared(node) else ""
        return self._given(node, name, [])

    def _shared(self, node: ast.AST) -> bool:
        """Whether this is the name of something that a module gave."""
        return isinstance(node, ast.Name) and id(node) not in self._own and node.id in self._origins

    def _given(self, node: ast.expr, name: str, path: List[str]) -> str:
        """A name that a module gave, or what follows it after dots: `path`."""
        if not path and id(node) in self._dotted:
            return ""  # its chain is looked at as a whole
        for module, members in self._origins[name]:
            try:
                kind, full = look(module, members + path)
            except Fault as fault:
                return str(fault)
            if full in CHANGERS and id(node) not in self._decorators:
                return full + " of something that may not be the program's"
            if kind is Kind.MODULE or (kind is Kind.CHANGEABLE and id(node) not in self._fine):
                return full + " under another name"
        return ""

    def _attribute(self, node: ast.Attribute) -> str:
        fault = _denied(node.attr)
        if fault:
            return fault
        if not isinstance(node.ctx, ast.Load):
            return "a write to .__exit__" if node.attr == "__exit__" else self._store(node)
        if node.attr.startswith("__") and node.attr not in TEXTS and id(node) not in self._called:
            return node.attr + " under another name"
        if node.attr in ("format", "format_map") and _reaches(node.value):
            return "fields of a text"
        path: List[str] = []
        root: ast.expr = node
        while isinstance(root, ast.Attribute):
            path.append(root.attr)
            root = root.value
        if id(node) in self._inner or not isinstance(root, ast.Name) or not self._shared(root):
            return ""
        return self._given(node, root.id, path[::-1])

    def _store(self, node: Any) -> str:
        """An attribute or item that is written: it must begin at a name of the program's own."""
        root = root_of(node)
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
            wanted = text_of(node.args[1]) if len(node.args) > 1 else None
            if wanted is None or wanted.startswith("_") or wanted in DENIED_ATTRIBUTES:
                return function.id
        if function.id == "type" and (len(node.args) != 1 or id(node) not in self._compared):
            return "type() under another name"
        return ""


def _denied(attribute: str) -> str:
    """Why an attribute of that name must not be touched, whatever it is of."""
    if attribute in DENIED_ATTRIBUTES or (attribute.startswith("__") and attribute not in OWN_METHODS):
        return "." + attribute
    if attribute.startswith("_") and attribute.endswith("_") and attribute.strip("_") and not attribute.startswith("__"):
        return "" if attribute in OF_MEMBERS else "." + attribute
    return ""


def _denied_name(node: ast.AST) -> str:
    """Of what binds a name that the interpreter calls by itself, and hands what is not the program's."""
    if isinstance(node, ast.FunctionDef):
        if node.name == "__exit__" and _keeps_a_class(node):
            return "the class of an exception, kept by __exit__"
        return node.name if node.name.startswith("__") and node.name not in OWN_METHODS else ""
    for field in ("name", "asname", "rest"):  # of classes, handlers, imports and patterns
        name = getattr(node, field, None)
        if isinstance(name, str) and name.startswith("__") and (field != "name" or not isinstance(node, ast.alias)):
            return name
    return ""


def _keeps_a_class(leaving: ast.FunctionDef) -> bool:
    """Whether `__exit__` uses the class that it is given but for `is None`: it may be a module's."""
    arguments = leaving.args
    given = [*arguments.posonlyargs, *arguments.args]
    names = {each.arg for each in [*given[1:2], arguments.vararg] if each is not None}
    compared = {
        id(node.left)
        for node in ast.walk(leaving)
        if isinstance(node, ast.Compare) and all(isinstance(how, (ast.Is, ast.IsNot)) for how in node.ops)
    }
    uses = (node for node in ast.walk(leaving) if isinstance(node, ast.Name) and node.id in names)
    return (
        len(given) < 2 - bool(arguments.vararg)
        or bool(leaving.decorator_list)
        or any(id(node) not in compared for node in uses)
    )


def _reaches(text: ast.expr) -> bool:
    """Whether the fields of a text reach for attributes or items of what is put into them; they do where it is not known."""
    if not isinstance(text, ast.Constant) or not isinstance(text.value, str):
        return True
    try:
        waiting = [text.value]
        while waiting:
            for _, field, spec, _ in string.Formatter().parse(waiting.pop()):
                if field and ("." in field or "[" in field):
                    return True
                if spec and "{" in spec:
                    waiting.append(spec)
    except ValueError:
        return True
    return False


def _bindings(node: ast.AST) -> Iterator[Tuple[str, Origin]]:
    """The names that an import statement binds, each with what it stands for."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield (alias.asname, (alias.name, [])) if alias.asname else (_top(alias.name), (_top(alias.name), []))
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            name, module = alias.name, node.module or ""
            full = "%s.%s" % (module, name)
            yield alias.asname or name, ((full, []) if full in MODULES else (module, [name]))


def _top(module: str) -> str:
    return module.partition(".")[0]


def _hashed_by_address(node: ast.ClassDef) -> bool:
    """Whether objects of the class go into sets in the order of their addresses."""
    methods = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
    if methods & {"__hash__", "__eq__"}:
        return False
    bases = {base.id if isinstance(base, ast.Name) else getattr(base, "attr", "") for base in node.bases}
    decorators = {ast.dump(decorator) for decorator in node.decorator_list}
    return not bases & HASHED_BY_VALUE and not any("'dataclass'" in text for text in decorators)
