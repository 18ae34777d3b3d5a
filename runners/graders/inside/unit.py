"""Runs inside the jail (Python 3.8 and newer, standard library only): a solution as a compile unit of its own, and one call
of it whose value is reported in a form that plain data can carry."""

from __future__ import annotations

import types
from typing import Any


def is_given(solution: str, entry: str, args: list[Any]) -> bool:
    """What the call returns where that is a bool, else whether it is anything but None (a match object, say)."""
    module = types.ModuleType("solution")
    exec(compile(solution, "program.py", "exec", dont_inherit=True), vars(module))
    value = vars(module)[entry](*args)
    return value if type(value) is bool else value is not None
