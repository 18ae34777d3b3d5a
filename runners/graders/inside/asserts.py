"""Runs inside the jail (Python 3.8 and newer, standard library only): a test that cannot be lifted, beside its solution.

Solution and test are compiled apart, the test first, so no end of a solution's text can swallow or decorate the test. The
test gets built-ins and modules of its own and the solution's names; what the solution's functions return is folded to plain
values, and objects of its own classes may not bring operators that compare or compute. Tracing ends where the solution's code
does.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import sys
import types
from typing import Any

_PLAIN = (int, float, complex, bool, str, bytes, type(None), range)
_OPERATORS = (
    "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__bool__", "__len__", "__contains__", "__abs__", "__sub__",
    "__rsub__", "__add__", "__radd__", "__mul__", "__rmul__", "__truediv__", "__rtruediv__", "__float__", "__int__",
    "__index__", "__instancecheck__", "__getitem__", "__iter__", "__hash__", "__round__", "__neg__", "__pow__", "__rpow__",
)  # fmt: skip
_BASES: Any = (
    (int, int.__int__),
    (float, float.__float__),
    (str, str.__str__),
    (bytes, lambda value: bytes.__getitem__(value, slice(None))),
)
_MOST_DEPTH = 200
_OWN_MODULE = "solution"


class ResultRefused(Exception):
    pass


def _folded(value: Any, depth: int = 0) -> Any:
    kind = type(value)
    if kind in _PLAIN or depth > _MOST_DEPTH:
        return value
    if kind is list or kind is tuple or kind is set or kind is frozenset:
        return kind([_folded(each, depth + 1) for each in value])
    if kind is dict:
        return {_folded(key, depth + 1): _folded(item, depth + 1) for key, item in value.items()}
    for plain, make in _BASES:
        if issubclass(kind, plain):
            return make(value)
    for holder in (list, tuple, set, frozenset):
        if issubclass(kind, holder):
            each_of: Any = holder.__iter__
            return holder([_folded(each, depth + 1) for each in each_of(value)])
    if issubclass(kind, dict):
        return {_folded(key, depth + 1): _folded(item, depth + 1) for key, item in dict.items(value)}
    for owner in kind.__mro__[:-1]:
        if owner.__module__ != _OWN_MODULE:
            continue
        for name in _OPERATORS:
            if vars(owner).get(name) is not None:
                raise ResultRefused("a result of the solution's class %s brings %s" % (kind.__name__, name))
    return value


_settrace, _setprofile = sys.settrace, sys.setprofile


def _wrapped(function: Any) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return _folded(function(*args, **kwargs))
        finally:
            _settrace(None)  # a trace function could jump over the rest of the test
            _setprofile(None)

    return call


def _pristine_imports(test: str) -> Any:
    """`__import__` for the test: the modules that it names as they are before the solution runs."""
    real, kept = builtins.__import__, {}
    for node in ast.walk(ast.parse(test)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        for name in names:
            try:
                module = importlib.import_module(name)
            except ImportError:
                continue
            copied = types.ModuleType(name)
            vars(copied).update(vars(module))
            kept[name] = copied

    def pristine(name: str, space: Any = None, local: Any = None, wanted: Any = (), level: int = 0) -> Any:
        return kept[name] if name in kept and (wanted or "." not in name) else real(name, space, local, wanted, level)

    return pristine


def run(solution: str, setup: str, test: str, given: str = "") -> bool:
    """True where the test came to its end without an exception. `given`: the prompt's own definitions, before the solution."""
    own = dict(vars(builtins))
    own["__import__"] = _pristine_imports(setup + "\n" + test)
    test_code = compile(setup + "\n" + test, "test.py", "exec", dont_inherit=True)
    solution_code = compile(solution, "program.py", "exec", dont_inherit=True)
    module = types.ModuleType(_OWN_MODULE)
    exec(compile(given, "prompt.py", "exec", dont_inherit=True), vars(module))
    exec(solution_code, vars(module))
    _settrace(None)
    _setprofile(None)
    space: dict[str, Any] = {}
    for name, value in vars(module).items():
        if not name.startswith("__"):
            space[name] = _wrapped(value) if isinstance(value, types.FunctionType) else value
    space["__builtins__"] = own
    space["__name__"] = "test"
    exec(test_code, space)
    return True
