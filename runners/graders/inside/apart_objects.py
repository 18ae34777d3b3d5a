"""Runs inside the jail (Python 3.8 and newer, standard library only): as apart.py, for tests about objects of the solution's
own classes and about what its functions change in place.

The solution's classes are stand-ins here: an object of one holds attributes and nothing else, and what it should do is asked
in the solution's process (answer.py). Nothing of the solution's decides whether two values are equal: what compares or
computes with an object of its classes is refused, and the test fails. The prompt's own classes and functions are the prompt's.
"""

from __future__ import annotations

import builtins
from typing import Any, Dict, List, Sequence

from .answer import BUILT_IN, answer
from .ending import ending
from .exchange import Refused, Rows, values_of

_DECIDES = (
    "lt le gt ge contains add radd sub rsub mul rmul truediv rtruediv floordiv rfloordiv mod rmod pow rpow and rand or ror xor "
    "rxor neg pos abs invert round trunc floor ceil float int index complex divmod enter exit matmul lshift rshift"
).split()


class SolutionError(Exception):
    """What the solution raised, where that is neither Python's own nor of a class that the test knows."""


class _Unknown(BaseException):
    pass


class _Class(type):
    """Of the stand-ins for classes; `desk_of` knows the desk of each."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return _desk_of[cls].ask("call", cls.__name__, [list(args), kwargs])

    def __getattr__(cls, name: str) -> Any:
        return _desk_of[cls].attribute(cls, name)

    def __getitem__(cls, name: str) -> Any:
        return _desk_of[cls].members[cls.__name__, name]

    def __iter__(cls) -> Any:
        return iter([each for (owner, _), each in _desk_of[cls].members.items() if owner == cls.__name__])

    def __len__(cls) -> int:
        return sum(owner == cls.__name__ for owner, _ in _desk_of[cls].members)

    def __bool__(cls) -> bool:
        return True


_desk_of: Dict[Any, "_Desk"] = {}


class _Desk:
    def __init__(self, space: Dict[str, Any], known: Sequence[Any], own: Sequence[str] = ()) -> None:
        """`own`: the prompt and the problem's own solution, to be asked in this process."""
        self.space = space
        self.asked: List[Any] = []
        self._own = own
        self.known = dict(known)
        self.wanted: Any = None
        self.refused = ""
        self.members: Dict[Any, Any] = {}
        self._classes: Dict[str, Any] = {}
        self._descriptions: Dict[str, Any] = {}
        self._names: Dict[int, str] = {}
        self._kept: List[Any] = []

    # -- questions ------------------------------------------------------------------------------------------------------

    def describe(self, names: List[str]) -> None:
        """Puts a stand-in for each of the solution's names into the test's space."""
        for name, description in self._answer("describe", names, [], [])["names"].items():
            if name in self.space:
                continue
            if description[0] == "value":
                self.space[name] = self.ask("name", name, [])
            elif description[0] == "function":
                self.space[name] = self._named(
                    name, lambda *args, _name=name, **kwargs: self.ask("call", _name, [list(args), kwargs])
                )
            else:
                self.space[name] = self.class_named(name)

    def _answer(self, how: str, about: Any, rows: List[Any], items: List[Any]) -> Any:
        text = repr((how, about, rows, items))
        if self._own and text not in self.known:
            self.known[text] = answer(self._own[0], self._own[1], how, about, rows, items)
            self.asked.append((text, (how, about, rows, items)))
        if self.wanted is None and text in self.known:
            told = self.known[text]
            self._descriptions.update(told["classes"])
            return told
        if self.wanted is None:
            self.wanted = {"wanted": (how, about, rows, items), "text": text}
        raise _Unknown

    def ask(self, how: str, about: Any, values: Sequence[Any]) -> Any:
        try:
            rows = Rows(lambda value: value, self._told)
            items = rows.items(values)
            told = self._answer(how, about, rows.rows, items)
            self._check(told["rows"], rows.rows)
            found = values_of(told["rows"], rows.values, self._make)
        except Refused as error:
            return self.refuse(str(error))
        if told["called"]:
            return lambda *args, **kwargs: self.ask("method", about, [*values, list(args), kwargs])
        item = told["result"]
        if "raised" not in told:
            return found[item[0]] if type(item) is tuple else item
        raise self._raised(told["raised"], [found[each[0]] if type(each) is tuple else each for each in item])

    def attribute(self, owner: Any, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if isinstance(owner, _Class):
            return self.ask("attribute", (owner.__name__, name), [])
        return self.ask("attribute", ("", name), [owner])

    def refuse(self, why: str) -> Any:
        self.refused = self.refused or why
        raise Refused(why)

    def _check(self, rows: Sequence[Any], asked: Sequence[Any]) -> None:
        for number, row in enumerate(rows):
            if row is None:
                continue
            if number < len(asked) and (row[0], row[2:] and row[2][0]) != (asked[number][0], row[2:] and asked[number][2][0]):
                raise Refused("an argument became another kind of object")
            if row[0] == "object":
                kind = self.class_named(row[2][0])
                for name in row[2][1]:
                    if type(name) is not str or name[:2] == "__" or self._is_method(kind, name):
                        raise Refused("an object with an attribute in the place of a method")

    @staticmethod
    def _is_method(kind: Any, name: str) -> bool:
        """Whether the test's own class has it as one. A stand-in has none."""
        return not isinstance(kind, _Class) and callable(getattr(kind, name, None))

    # -- what is no plain data --------------------------------------------------------------------------------------------

    def _named(self, name: str, value: Any) -> Any:
        self._names[id(value)] = name
        self._kept.append(value)
        return value

    def _told(self, value: Any) -> Any:
        if id(value) in self._names:
            return "named", [], self._names[id(value)]
        kind, name = type(value), getattr(value, "__name__", None)
        if isinstance(name, str) and (self.space.get(name) is value or (name in BUILT_IN and getattr(builtins, name) is value)):
            return "named", [], name
        for (owner, member), each in self.members.items():
            if each is value:
                return "member", [], (owner, member)
        if isinstance(kind, _Class) or (kind.__module__ == "test" and self.space.get(kind.__name__) is kind):
            if isinstance(value, BaseException):
                raise Refused("an exception as an argument")
            return "object", list(vars(value).values()), (kind.__name__, list(vars(value)))
        raise Refused("an object of %s cannot be exchanged" % kind.__name__)

    def _make(self, row: Any) -> Any:
        if row[0] == "named":
            name = row[2]
            if name in self.space:
                return self.space[name]
            return getattr(builtins, name) if name in BUILT_IN else self.class_named(name)
        kind = self.class_named(row[2][0])
        if row[0] == "member":
            return self.members.get(tuple(row[2])) or kind.__new__(kind)
        return kind.__new__(kind)

    def class_named(self, name: str) -> Any:
        """The prompt's own class, else a stand-in."""
        own = self.space.get(name)
        if isinstance(own, type) and own.__module__ == "test" and not isinstance(own, _Class):
            return own
        if name not in self._classes:
            sort, members, bases, simply_true = self._descriptions.get(name, ("class", [], [], True))
            parents = []
            for base in bases:
                builtin = getattr(builtins, base, None)
                if base in self._descriptions:
                    parents.append(self.class_named(base))
                elif sort == "exception" and isinstance(builtin, type) and issubclass(builtin, Exception):
                    parents.append(builtin)
            parents = [each for each in parents if not any(each is not other and issubclass(other, each) for other in parents)]
            if sort == "exception" and not parents:
                parents = [SolutionError]
            made = _Class(name, tuple(parents), self._methods(sort, simply_true))
            self._classes[name] = self._named(name, made)
            _desk_of[made] = self
            for member in members:
                each: Any = object.__new__(made)  # type: ignore[arg-type]
                object.__setattr__(each, "name", member)
                self.members[name, member] = each
        return self._classes[name]

    def _methods(self, sort: str, simply_true: bool) -> Dict[str, Any]:
        desk = self

        def told(function: str, kind: type) -> Any:
            def ask(self: Any) -> Any:
                value = desk.ask("call", function, [[self], {}])
                return (
                    value
                    if type(value) is kind
                    else desk.refuse("%s() of an object returned no %s" % (function, kind.__name__))
                )

            return ask

        def method(name: str) -> Any:
            return lambda self, *args: desk.ask("method", ("", name), [self, list(args), {}])

        def equal(self: Any, other: Any) -> bool:
            if self is other or not isinstance(type(other), _Class) or sort == "enum":
                return self is other
            return bool(desk.refuse("the solution would decide whether two of its objects are equal"))

        found = {"__getattr__": lambda self, name: desk.attribute(self, name), "__module__": "solution"}
        found.update({"__eq__": equal, "__ne__": lambda self, other: not equal(self, other), "__hash__": object.__hash__})
        if sort == "exception":
            return {**found, "__str__": lambda self: vars(self).get("__said__", "")}
        for name in _DECIDES:
            why = "the solution would decide a comparison: __%s__ of an object of its own" % name
            found["__%s__" % name] = lambda *_, _why=why: desk.refuse(_why)
        for name in ("getitem", "setitem", "delitem", "call"):
            found["__%s__" % name] = method("__%s__" % name)
        found.update({"__len__": told("len", int), "__str__": told("str", str), "__repr__": told("repr", str)})
        found["__iter__"] = lambda self: iter(told("list", list)(self))
        found["__bool__"] = (lambda _self: True) if simply_true else told("bool", bool)
        return found

    def _raised(self, about: Any, values: List[Any]) -> BaseException:
        name, message, attributes = about
        if name in self._descriptions or name in self._classes:
            kind = self.class_named(name)
            if isinstance(kind, type) and issubclass(kind, Exception):
                error = kind.__new__(kind)
                error.args = tuple(values[0] or ())
                for each, value in zip(attributes, values[1:]):
                    object.__setattr__(error, each, value)
                vars(error)["__said__"] = message
                return error
        builtin = getattr(builtins, name, None)
        if isinstance(builtin, type) and issubclass(builtin, Exception):
            try:
                return builtin(*(values[0] or ()))
            except TypeError:
                pass
        return SolutionError("%s: %s" % (name, message))


def go_on(source: str, given: str, names: List[str], known: List[Any]) -> Dict[str, Any]:
    """`known`: questions' texts and answers. `{"wanted": question, "text": ...}` where a further answer is needed; else
    `{"end": why it fails}`, "" where the test came to its end."""
    space: Dict[str, Any] = {"__name__": "test"}
    desk = _Desk(space, known)
    end = _end(desk, source, given, names)
    if desk.wanted is not None:
        return desk.wanted  # type: ignore[no-any-return]
    return {"end": desk.refused or end, "raised": None}


def collect(source: str, given: str, names: List[str], own: str) -> List[Any]:
    """The questions of a test, with their texts, where the problem's own solution answers: both are trusted, in one process."""
    desk = _Desk({"__name__": "test"}, (), (given, own))
    _end(desk, source, given, names)
    return desk.asked


def _end(desk: _Desk, source: str, given: str, names: List[str]) -> str:
    """Why the test fails, "" where it does not, or where it waits for an answer."""
    space, end = desk.space, ""
    try:
        exec(compile(given, "prompt.py", "exec", dont_inherit=True), space)
        desk.describe([name for name in names if name not in space])
        exec(compile(source, "test.py", "exec", dont_inherit=True), space)
    except _Unknown:
        pass
    except BaseException as error:
        end = ending(error, source)
    return end
