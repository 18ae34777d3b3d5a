"""Part of programs that run inside the jail (Python 3.8 and newer, standard library only): values as rows and back.

There is a row for each container and object, so what is shared stays shared, and nothing nests. An item of a row is the value
itself, or `(n,)`: the n-th row.

    ("list", items), and tuple, set, frozenset       ("dict", [key, value, key, ...])
    ("object", items, (class, names of attributes))  ("member", [], (class, name)) of an enumeration
    ("named", [], name)                              a class or function, by its name
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Sequence

ATOMS = (type(None), bool, int, float, complex, str, bytes)
HOLDERS: Dict[Any, str] = {list: "list", tuple: "tuple", set: "set", frozenset: "frozenset", dict: "dict"}
CHANGEABLE = ("list", "set", "dict", "object")
MOST_DEPTH = 200


class Refused(Exception):
    """What cannot be exchanged, or must not be decided by the solution."""


class Rows:
    """Values to rows. `fold` makes plain data of what can be plain data; `told` gives the row of what remains."""

    def __init__(self, fold: Callable[[Any], Any], told: Callable[[Any], Any]) -> None:
        self.rows: List[Any] = []
        self.values: List[Any] = []
        self._held: List[Any] = []  # an id is one only as long as its object lives
        self._numbers: Dict[int, int] = {}
        self._fold, self._told = fold, told

    def keep(self, value: Any, row: Any) -> None:
        """Gives the next number to a value."""
        self._numbers[id(value)] = len(self.rows)
        self.rows.append(row)
        self.values.append(value)
        self._held.append(value)

    def items(self, values: Sequence[Any]) -> List[Any]:
        """The items of values; rows that they need are added."""
        at = len(self.rows)
        found = [self._item(value) for value in values]
        self.fill(range(at, len(self.rows)))
        return found

    def fill(self, numbers: Sequence[int]) -> None:
        """Writes the rows of these numbers and of all that they lead to for the first time."""
        waiting = list(numbers)
        while waiting:
            number, at = waiting.pop(), len(self.rows)
            self.rows[number] = self._row(self.values[number])
            waiting.extend(range(at, len(self.rows)))

    def _item(self, value: Any) -> Any:
        if type(value) in ATOMS:
            return value
        if id(value) not in self._numbers:
            folded = value if type(value) in HOLDERS else self._fold(value)
            if type(folded) in ATOMS:
                return folded
            self.keep(folded, None)
            if folded is not value:
                self._numbers[id(value)] = self._numbers[id(folded)]
                self._held.append(value)
        return (self._numbers[id(value)],)

    def _row(self, value: Any) -> Any:
        kind = HOLDERS.get(type(value))
        if kind is None:
            kind, values, about = self._told(value)
            return (kind, [self._item(each) for each in values], about)
        if kind == "dict":
            return (kind, [self._item(each) for pair in value.items() for each in pair])
        if kind in ("set", "frozenset"):
            value = sorted(value, key=repr)  # the same set is the same question
        return (kind, [self._item(each) for each in value])


def values_of(rows: Sequence[Any], known: Sequence[Any], make: Callable[[Any], Any]) -> List[Any]:
    """The value of each row. The first ones exist already, in `known`, and are changed in place where their row is not None.
    `make` gives what is no plain data: an object without its attributes."""
    found = list(known) + [None] * (len(rows) - len(known))
    made = [number < len(known) for number in range(len(rows))]
    shells: Dict[str, Any] = {"list": list, "set": set, "dict": dict}
    for number in range(len(known), len(rows)):
        kind = rows[number][0]
        if kind not in ("tuple", "frozenset"):
            found[number] = shells[kind]() if kind in shells else make(rows[number])
            made[number] = True

    def value(item: Any, depth: int = 0) -> Any:
        if type(item) is not tuple:
            return item
        number = item[0]
        if not made[number]:
            if depth > MOST_DEPTH:
                raise Refused("tuples nested too deeply")
            items = [value(each, depth + 1) for each in rows[number][1]]
            found[number] = tuple(items) if rows[number][0] == "tuple" else frozenset(items)
            made[number] = True
        return found[number]

    for kinds in (("object",), ("list",), ("dict", "set")):  # what is hashed may be an object or lead to one
        for number, row in enumerate(rows):
            if row is not None and row[0] in kinds:
                items = [value(each) for each in row[1]]
                _FILL[row[0]](found[number], items, row)
    return [value((number,)) for number in range(len(rows))]


def _fill_list(target: Any, items: List[Any], _row: Any) -> None:
    target[:] = items


def _fill_set(target: Any, items: List[Any], _row: Any) -> None:
    target.clear()
    target.update(items)


def _fill_dict(target: Any, items: List[Any], _row: Any) -> None:
    target.clear()
    target.update(zip(items[::2], items[1::2]))


def _fill_object(target: Any, items: List[Any], row: Any) -> None:
    wanted = dict(zip(row[2][1], items))
    for name in attributes(target):
        if name not in wanted:
            object.__delattr__(target, name)
    for name, item in wanted.items():
        object.__setattr__(target, name, item)


_FILL = {"list": _fill_list, "set": _fill_set, "dict": _fill_dict, "object": _fill_object}


def attributes(value: Any) -> Dict[str, Any]:
    """What an object holds of its own, by name."""
    found: Dict[str, Any] = {}
    for owner in reversed(type(value).__mro__):
        slots = vars(owner).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                found[name] = getattr(value, name)
    found.update(getattr(value, "__dict__", {}))
    return found
