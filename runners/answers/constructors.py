"""What a constructor of numpy or of the standard library is worth, where a model wrote a value as its `repr`.

Owns the names and their meaning: `np.float64(3.5)`, `Counter({...})`, `deque([...])`. Nothing is called: each name has one
or two forms of arguments that `repr` writes, and every other form is no value.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from reexec.engine.protocol import values

_FLOATS: Final = "float float16 float32 float64 float128 longdouble half single double"
_INTEGERS: Final = "int int8 int16 int32 int64 intc intp longlong uint8 uint16 uint32 uint64 uintc uintp ulonglong"
_DECIMAL: Final = re.compile(r"[-+]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][-+]?[0-9]{1,4})?")
_INFINITE: Final = re.compile(r"[-+]?(?:inf|infinity|nan)", re.IGNORECASE)
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,600}")


class RefusedError(ValueError):
    """Keys that are made to share a hash; the object around them is refused, not unreadable."""


def construct(token: str, arguments: list[Any]) -> Any:
    """The value of the CALL token with these arguments. Raises ValueError where they are not what `repr` writes."""
    sign, name = token[:1], token.partition("(")[0].rpartition(".")[2].lstrip("-+\u2212")
    value = NAMES[name](arguments)
    if sign in "-\u2212":
        if type(value) is not float and type(value) is not int:
            raise ValueError("a sign before what is no number")
        return -value
    return value


def distinct(keys: list[Any]) -> list[Any]:
    """The keys, to make a dict or a set of. Raises RefusedError where they would make that slow, TypeError for a list."""
    try:
        values.check_hashes(keys)
    except values.Refused as refusal:
        raise RefusedError(refusal.reason) from None
    return keys


def _one(arguments: list[Any]) -> Any:
    if len(arguments) != 1:
        raise ValueError("one argument")
    return arguments[0]


def _float(arguments: list[Any]) -> Any:
    value = _one(arguments)
    if type(value) is str:
        text = value.strip(" ")
        if _INFINITE.fullmatch(text) or _DECIMAL.fullmatch(text):
            return float(text)
    elif type(value) is float:
        return value
    elif type(value) is int and abs(value) < 1 << 1000:
        return float(value)
    raise ValueError("no number")


def _int(arguments: list[Any]) -> Any:
    value = _one(arguments)
    if type(value) is str and _INTEGER.fullmatch(value):
        return int(value)
    if type(value) is not int:
        raise ValueError("no integer")
    return value


def _of(*kinds: type) -> Callable[[list[Any]], Any]:
    def read(arguments: list[Any]) -> Any:
        value = _one(arguments)
        if type(value) not in kinds:
            raise ValueError("another kind")
        return value

    return read


def _array(arguments: list[Any]) -> Any:
    if len(arguments) == 2 and type(arguments[0]) is str and len(arguments[0]) == 1:  # array('i', [1, 2])
        arguments = arguments[1:]
    value = _one(arguments)
    if type(value) is tuple:
        return list(value)
    if type(value) not in (list, int, float, bool):
        raise ValueError("no array")
    return value


def _sequence(kind: Callable[[list[Any]], Any]) -> Callable[[list[Any]], Any]:
    def read(arguments: list[Any]) -> Any:
        if not arguments:
            return kind([])
        value = _one(arguments)
        if type(value) not in (list, tuple):
            raise ValueError("no sequence")
        return kind(list(value))

    return read


def _set(kind: type) -> Callable[[list[Any]], Any]:
    def read(arguments: list[Any]) -> Any:
        if arguments and type(_one(arguments)) in (set, frozenset):
            return kind(arguments[0])
        return kind(distinct(_sequence(list)(arguments)))

    return read


def _mapping(arguments: list[Any]) -> Any:
    if not arguments:
        return {}
    value = _one(arguments)
    if type(value) is dict:
        return value
    if type(value) is not list or not all(type(pair) in (tuple, list) and len(pair) == 2 for pair in value):
        raise ValueError("no pairs")
    distinct([key for key, _ in value])
    return dict(value)


def _counter(arguments: list[Any]) -> Any:
    if arguments and type(_one(arguments)) is not dict:
        raise ValueError("counting is not reading")
    return _mapping(arguments)


NAMES: Final[dict[str, Callable[[list[Any]], Any]]] = {
    **dict.fromkeys(_FLOATS.split(), _float),
    **dict.fromkeys(_INTEGERS.split(), _int),
    **dict.fromkeys(("bool", "bool_", "bool8"), _of(bool)),
    **dict.fromkeys(("str", "str_"), _of(str)),
    **dict.fromkeys(("array", "ndarray", "matrix"), _array),
    **dict.fromkeys(("list", "deque"), _sequence(list)),
    "tuple": _sequence(tuple),
    "set": _set(set),
    "frozenset": _set(frozenset),
    **dict.fromkeys(("dict", "OrderedDict", "defaultdict"), _mapping),
    "Counter": _counter,
}
"""What each name makes of its arguments; the longest of several that begin alike is tried first."""
