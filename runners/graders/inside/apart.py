"""Runs inside the jail (Python 3.8 and newer, standard library only): a test without its solution, as far as it comes with
the values that are known.

The functions under test are stand-ins. What they return was computed elsewhere, in a process of the solution's own, and is
plain data, so nothing of the solution is in this process and its end can be believed. The first call whose value is not known
ends the test; the host asks the solution, and the test begins anew.
"""

from __future__ import annotations

import builtins
import copy
from typing import Any, Dict, List, Tuple

from .ending import ending


class SolutionError(Exception):
    """What the solution raised, where that is no exception of Python's own."""


class _Unknown(BaseException):
    pass


class _Desk:
    def __init__(self, known: List[Any], own: Any = None) -> None:
        """`own`: names of the problem's own solution, to be called in this process."""
        self.own = own
        self.asked: List[Any] = []
        self.known = {text: (how, what) for text, how, what in known}
        self.wanted: Any = None
        self.raised: List[Tuple[BaseException, str]] = []

    def stand_in(self, name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            if self.wanted is not None:  # the test went on after it was ended
                raise _Unknown
            text = repr((name, list(args), kwargs))
            if text not in self.known and self.own is not None:
                self.asked.append((text, (name, copy.deepcopy(list(args)), copy.deepcopy(kwargs))))
                return self.own[name](*args, **kwargs)
            if text not in self.known:
                self.wanted = (name, list(args), kwargs)
                raise _Unknown
            how, what = self.known[text]
            if how == "value":
                return copy.deepcopy(what)
            error = _exception(*what)
            self.raised.append((error, text))
            raise error

        return call


def _exception(kind: str, message: str) -> Exception:
    found = getattr(builtins, kind, None)
    if isinstance(found, type) and issubclass(found, Exception):
        try:
            return found(message)
        except TypeError:
            pass
    return SolutionError("%s: %s" % (kind, message))


def go_on(source: str, given: str, names: List[str], known: List[Any]) -> Dict[str, Any]:
    """`given`: the prompt's own definitions. `known`: calls as `(their text, "value", value)` or
    `(their text, "raised", (type, message))`.

    `{"wanted": (name, args, kwargs), "text": ...}` where a further call's value is needed; else `{"end": why it fails}`, ""
    where the test came to its end, with `raised`, the text of the call whose exception ended it.
    """
    desk = _Desk(known)
    space: Dict[str, Any] = {"__name__": "test"}
    end, raised = "", None
    try:
        exec(compile(given, "prompt.py", "exec", dont_inherit=True), space)
        space.update({name: desk.stand_in(name) for name in names if name not in space})
        exec(compile(source, "test.py", "exec", dont_inherit=True), space)
    except _Unknown:
        pass
    except BaseException as error:
        end = ending(error, source)
        raised = next((text for known_error, text in desk.raised if known_error is error), None)
    if desk.wanted is not None:
        return {"wanted": desk.wanted, "text": repr(desk.wanted)}
    return {"end": end, "raised": raised}


def collect(source: str, given: str, names: List[str], own: str) -> List[Any]:
    """The calls of a test, with their texts, where the problem's own solution is called: both are trusted, in one process."""
    solution: Dict[str, Any] = {"__name__": "solution"}
    exec(compile(own, "program.py", "exec", dont_inherit=True), solution)
    desk = _Desk([], solution)
    space: Dict[str, Any] = {"__name__": "test"}
    try:
        exec(compile(given, "prompt.py", "exec", dont_inherit=True), space)
        space.update({name: desk.stand_in(name) for name in names if name not in space})
        exec(compile(source, "test.py", "exec", dont_inherit=True), space)
    except Exception:
        pass
    return desk.asked
