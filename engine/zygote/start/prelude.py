"""The imports in front of every program, run once in the zygote and copied into each program's namespace.

A module that this interpreter lacks, or that this zygote does not keep warm, is bound to a stand-in that imports it
when a program first touches it: no program pays for what it does not use, and a missing module is named by the
exception that the program gets.
"""

from __future__ import annotations

import ast
import importlib
import os
import sys
from typing import Any

from . import exercises


class LazyModule:
    """Stands for a module until somebody asks it for something."""

    def __init__(self, name: str) -> None:
        object.__setattr__(self, "_reexec_name", name)

    def __getattribute__(self, attribute: str) -> Any:
        name = object.__getattribute__(self, "_reexec_name")
        return getattr(importlib.import_module(name), attribute)


def import_random() -> None:
    """Imports `random` without its hook that seeds from the system's entropy after every fork: the zygote's seed is to
    reach the children, and the hook alone costs 30 page faults a check."""
    register, os.register_at_fork = os.register_at_fork, lambda **_: None
    try:
        importlib.import_module("random")
    finally:
        os.register_at_fork = register


def top(name: str) -> str:
    return name.partition(".")[0]


def warm_up(modules: list[str]) -> list[str]:
    """Imports what is there of `modules`, packages before their submodules; returns the names of missing packages."""
    missing = []
    for name in sorted(modules):
        if top(name) in missing:
            continue
        try:
            importlib.import_module(name)
        except ImportError:
            if name == top(name):
                missing.append(name)  # of a submodule it says nothing: the source was searched as text
        except BaseException:
            continue  # a submodule that does not load, or exits; the program that imports it gets to see why
        else:
            exercises.run(name)
    return missing


def build(statements: list[str], lazy: set[str]) -> tuple[dict[str, Any], list[str]]:
    """The namespace that the import statements make; modules named in `lazy` become stand-ins.

    Returns the namespace and the names of missing modules. A `from` import of a missing module binds nothing.
    """
    space: dict[str, Any] = {}
    missing: set[str] = set()
    for statement in statements:
        for node in ast.parse(statement).body:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if top(alias.name) in lazy:
                        space[alias.asname or top(alias.name)] = LazyModule(alias.name if alias.asname else top(alias.name))
                        continue
                    try:
                        module = importlib.import_module(alias.name)
                    except ImportError:
                        missing.add(top(alias.name))
                        space[alias.asname or top(alias.name)] = LazyModule(alias.name)
                        continue
                    space[alias.asname or top(alias.name)] = module if alias.asname else sys.modules[top(alias.name)]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                code = compile(ast.Module([node], []), "<prelude>", "exec", dont_inherit=True)
                try:
                    exec(code, space)
                except ImportError:
                    missing.add(top(node.module or ""))
            else:
                raise ValueError("a prelude holds import statements only: %s" % statement)
    space.pop("__builtins__", None)
    return space, sorted(missing)
