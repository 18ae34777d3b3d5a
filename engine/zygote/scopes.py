"""Whose a name is: what a syntax tree says of the scopes that bind names. Questions about trees, and no rule."""

from __future__ import annotations

import ast
from typing import Any, FrozenSet, List, Optional, Sequence, Set, Tuple


def rebound_by(tree: ast.Module) -> FrozenSet[str]:
    """Names that the module binds on its own level before anything looks them up: from there on they are the program's own."""
    looked_up: Set[str] = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Del)}
    rebound: Set[str] = set()
    for statement in tree.body:
        names = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        if isinstance(statement, ast.FunctionDef):
            arguments = statement.args
            first = [*statement.decorator_list, *arguments.defaults, *[each for each in arguments.kw_defaults if each]]
            before = {node.id for place in first for node in ast.walk(place) if isinstance(node, ast.Name)}
            annotated = [each.annotation for each in ast.walk(arguments) if isinstance(each, ast.arg) and each.annotation]
            before |= {node.id for place in annotated for node in ast.walk(place) if isinstance(node, ast.Name)}
            bound = {statement.name}
        elif isinstance(statement, ast.ClassDef):
            before, bound = names, {statement.name}
        elif isinstance(statement, ast.Assign):
            before, bound = names, {target.id for target in statement.targets if isinstance(target, ast.Name)}
        else:
            before, bound = names, set()
        rebound |= bound - before - looked_up
        looked_up |= names
    return frozenset(rebound)


def parameters_of(function: Any) -> FrozenSet[str]:
    """Their names. Defaults and annotations are no part of a function's scope."""
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return frozenset(each.arg for each in every if each is not None)


def evaluated_outside(function: Any) -> List[ast.AST]:
    """What of a function's text is evaluated where it is defined."""
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    places = [*arguments.defaults, *arguments.kw_defaults, *[each.annotation for each in every if each is not None]]
    places += [getattr(function, "returns", None), *getattr(function, "decorator_list", [])]
    return [place for place in places if place is not None]


COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def bound_in(body: Sequence[ast.AST]) -> Tuple[FrozenSet[str], FrozenSet[str]]:
    """The names that the body of a function or class assigns, and those that it takes from elsewhere: what it imports, and what
    it declares global. Functions, classes and comprehensions in it bind names of their own."""
    names: Set[str] = set()
    elsewhere: Set[str] = set()
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
            continue
        if isinstance(node, (ast.Lambda, *COMPREHENSIONS)):
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
    return frozenset(names - elsewhere), frozenset(elsewhere)


def imports_in(body: Sequence[ast.AST]) -> bool:
    """Whether the body of a class imports: the module is then an attribute of the class."""
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            return True
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            waiting += ast.iter_child_nodes(node)
    return False


def names_bound_by(node: ast.AST) -> List[str]:
    if isinstance(node, ast.Name):
        return [] if isinstance(node.ctx, ast.Load) else [node.id]
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, ast.alias):
        return []
    return [name for name in (getattr(node, "name", None), getattr(node, "rest", None)) if isinstance(name, str)]


def root_of(node: ast.AST) -> ast.AST:
    """Where a chain of dots and brackets begins."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node


def text_of(node: ast.expr) -> Optional[str]:
    value = getattr(node, "value", None)
    return value if isinstance(node, ast.Constant) and isinstance(value, str) else None
