"""Runs inside the jail (Python 3.8 and newer, standard library only), in a solution's process: one question about it, such
as a call, answered as rows (exchange.py). What it changes about the objects of the question is part of the answer."""

from __future__ import annotations

import builtins
import enum
import types
from typing import Any, Dict, Sequence

from .exchange import CHANGEABLE, HOLDERS, Refused, Rows, attributes, values_of

BUILT_IN = frozenset(
    "abs all any ascii bin bool bytes chr complex dict divmod float format frozenset hash hex int len list max min oct ord pow "
    "repr round set sorted str sum tuple".split()
)
_PLAIN: Any = ((int, int.__int__), (float, float.__float__), (str, str.__str__), (bytes, bytes))
_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType)


class _Solution:
    def __init__(self, given: str, text: str) -> None:
        module = types.ModuleType("solution")
        self.space = vars(module)
        for name, source in (("prompt.py", given), ("program.py", text)):
            exec(compile(source, name, "exec", dont_inherit=True), self.space)
        self.classes: Dict[str, Any] = {}
        """Descriptions of those that the answer's objects have."""

    def named(self, name: str) -> Any:
        if name in self.space:
            return self.space[name]
        if name in BUILT_IN:
            return getattr(builtins, name)
        raise NameError("name %r is not defined" % name)

    def owns(self, kind: Any) -> bool:
        return self.space.get(kind.__name__) is kind

    def fold(self, value: Any) -> Any:
        """Plain data of subclasses of plain data that are not the program's own, and of what numpy returns."""
        kind = type(value)
        if isinstance(value, enum.Enum) or isinstance(value, type):
            return value
        for plain, make in _PLAIN:
            if issubclass(kind, plain):
                return make(value)
        for holder in HOLDERS:
            if issubclass(kind, holder):
                return holder(value)
        if kind.__module__.partition(".")[0] == "numpy" and hasattr(value, "tolist"):
            return value.tolist()
        if kind.__module__ == "collections" and kind.__name__ == "deque":
            return list(value)
        return value

    def told(self, value: Any) -> Any:
        kind = type(value)
        if isinstance(value, (type, *_FUNCTIONS)):
            if self.owns(value) or (value.__name__ in BUILT_IN and getattr(builtins, value.__name__) is value):
                return "named", [], value.__name__
            raise Refused("a function or class that has no name in the program")
        if not self.owns(kind):
            raise Refused("an object of %s" % kind.__name__)
        self.describe(kind)
        if isinstance(value, enum.Enum):
            return "member", [], (kind.__name__, value.name)
        found = attributes(value)
        return "object", list(found.values()), (kind.__name__, list(found))

    def describe(self, kind: Any) -> Any:
        """(sort, members of an enumeration, bases by name, whether an object is true whatever it holds)"""
        sort = "exception" if issubclass(kind, BaseException) else "enum" if issubclass(kind, enum.Enum) else "class"
        bases = [
            base.__name__ for base in kind.__mro__[1:] if self.owns(base) or getattr(builtins, base.__name__, None) is base
        ]
        members = list(getattr(kind, "__members__", ())) if sort == "enum" else []
        self.classes[kind.__name__] = (sort, members, bases, not (hasattr(kind, "__bool__") or hasattr(kind, "__len__")))
        for base in kind.__mro__[1:]:
            if self.owns(base) and base.__name__ not in self.classes:
                self.describe(base)
        return self.classes[kind.__name__]

    def make(self, row: Any) -> Any:
        if row[0] == "named":
            return self.named(row[2])
        kind = self.named(row[2][0])
        return kind[row[2][1]] if row[0] == "member" else kind.__new__(kind)


class _Called:
    """In the place of an attribute that is called."""


def _result(solution: _Solution, how: str, about: Any, values: Sequence[Any]) -> Any:
    if how == "call":
        return solution.named(about)(*values[0], **values[1])
    if how == "name":
        return solution.named(about)
    owner = solution.named(about[0]) if about[0] else values[0]
    found = getattr(owner, about[1])
    if how == "attribute":
        return _Called if callable(found) and not isinstance(found, type) else found
    return found(*values[-2], **values[-1])


def answer(given: str, text: str, how: str, about: Any, rows: Sequence[Any], items: Sequence[Any]) -> Dict[str, Any]:
    """What comes of a question, in a solution `text` behind `given`, the prompt's own definitions.

    how         about                            items
    describe    names                            -
    name        a name                           -
    call        a name                           args, kwargs
    attribute   ("", attribute), (class, ...)    the object; nothing for a class
    method      as attribute                     the object, args, kwargs; args, kwargs

    {"rows", "result", "classes"}: the question's rows, each None where nothing changed, and new ones behind them; the item of
    the result. With "raised" (class, message, names of attributes) the result is a row's items: args and attributes. With
    "called" the attribute is a method.
    """
    solution = _Solution(given, text)
    if how == "describe":
        names = {}
        for name in about:
            value = solution.space.get(name, _Called)
            is_class = isinstance(value, type) and value is not _Called
            names[name] = (
                (*solution.describe(value),) if is_class else ("function" if callable(value) else "value", [], [], True)
            )
        return {"names": names, "classes": solution.classes}
    inputs = values_of(rows, (), solution.make)
    values = [inputs[item[0]] if type(item) is tuple else item for item in items]
    raised, result = None, None
    try:
        result = _result(solution, how, about, values)
    except Exception as error:
        raised = error
    told: Dict[str, Any] = {"called": result is _Called}
    after = Rows(solution.fold, solution.told)
    for value, row in zip(inputs, rows):
        after.keep(value, row)
    after.fill([number for number, row in enumerate(rows) if row[0] in CHANGEABLE])
    if raised is None:
        told["result"] = after.items([None if told["called"] else result])[0]
    else:
        told["raised"], told["result"] = _raised(solution, raised, after)
    told["rows"] = [None if n < len(rows) and row == rows[n] else row for n, row in enumerate(after.rows)]
    told["classes"] = solution.classes
    return told


def _raised(solution: _Solution, error: Exception, after: Rows) -> Any:
    kind = type(error)
    found: Dict[str, Any] = {}
    if solution.owns(kind):
        solution.describe(kind)
        found = attributes(error)
    try:
        message = str(error)[:2000]
    except Exception:
        message = ""
    at = len(after.rows)
    try:
        return (kind.__name__, message, list(found)), after.items([list(error.args), *found.values()])
    except Refused:
        del after.rows[at:]
        return (kind.__name__, message, []), [None]
