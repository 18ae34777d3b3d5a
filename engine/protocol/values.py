"""Python values as JSON text and back; the same file on both sides of the jail.

Three forms. *JSON*: what JSON can say, as `json.dumps` writes it (tuples as lists, number keys as text). *Tagged*: JSON in
which tuples, sets, frozensets, bytes, complex numbers and dicts with other keys are objects with the single tag member
"!". *Python*: the plain Python values themselves.

A folder reads results of hostile programs: only by the base types' own methods (`dict.items(x)`, never `x.items()`), so
that a subclass cannot lie about itself; everything else is refused with the path of what was found. Subclasses become
their base, a numpy value what it is as a plain one: one rule for results, for arguments and for expected values. The
module keeps private copies of the built-ins and of the encoder: rebinding `len` or `json.dumps` does not reach it.
"""

from __future__ import annotations

import builtins
import json
import json.encoder
import json.scanner
import sys
from itertools import groupby as _groups
from typing import Any, Dict, List

__builtins__ = dict(vars(builtins))  # type: ignore[assignment]

TAG = "!"
MAX_DEPTH = 200  # other containers around a container: what the comparator judges
CALL_LEVELS = 2  # around an argument in `[args, kwargs]`
MAX_NODES = 1_000_000
MAX_DIGITS = 100_000
_MAX_COLLISIONS = 8  # different keys of one dict or set that share a hash; by chance there are two: -1 and -2
_SHORT_KEY = 30

_MAX_BITS = int(MAX_DIGITS * 3.3219)
_CHEAP = frozenset((int, float, str, bytes, bool, complex, type(None)))
_SORTED = frozenset((int, float, bool))
_identifier = str.isidentifier


class Refused(Exception):
    """A value that cannot be carried: `.path` and `.reason`."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        Exception.__init__(self, path, reason)


class TooLong(Exception):
    """A value larger than the policy's output limit."""


def _no_default(_value: Any) -> Any:
    raise Refused("$", "an unexpected object")


# (markers, default, encoder, indent, key separator, item separator, sort_keys, skipkeys, allow_nan); the C encoder
# reads only exact built-in types here, because fold has replaced everything else.
_encode_c: Any = json.encoder.c_make_encoder(  # type: ignore[attr-defined]
    None, _no_default, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, True
)
_scan: Any = json.scanner.c_make_scanner(json.JSONDecoder(strict=False))  # type: ignore[attr-defined]
_SMALL = 1 << 63
_set_digits: Any = getattr(sys, "set_int_max_str_digits", None)
_get_digits: Any = getattr(sys, "get_int_max_str_digits", None)
_get_recursion, _set_recursion = sys.getrecursionlimit, sys.setrecursionlimit
_modules = sys.modules


class _Unlimited:
    """Lifts the interpreter's limit on digits and makes room on its stack while the harness works."""

    def __enter__(self) -> None:
        self._depth = _get_recursion()
        _set_recursion(max(self._depth, 3000) + 1000)
        if _set_digits is not None:
            self._digits = _get_digits()
            _set_digits(0)

    def __exit__(self, *_: object) -> None:
        _set_recursion(self._depth)
        if _set_digits is not None:
            _set_digits(self._digits)


JSON, TAGGED, PYTHON = "json", "tagged", "python"


class _Folder:
    def __init__(self, form: str, numpy_values: bool, max_bytes: int) -> None:
        self.form = form
        self.tagged = form == TAGGED
        self.python = form == PYTHON
        self.max_bytes = max_bytes
        self.nodes = 0
        self.size = 0
        numpy: Any = _modules.get("numpy") if numpy_values else None
        self.array: Any
        self.scalar: Any
        self.masked: Any = getattr(_modules.get("numpy.ma"), "MaskedArray", None) if numpy_values else None
        try:
            self.array, self.scalar = numpy.ndarray, numpy.generic
            self.extended, self.dates = numpy.longdouble, (numpy.datetime64, numpy.timedelta64)
        except AttributeError:
            self.array = self.scalar = None

    def fold(self, value: Any, path: str, depth: int) -> Any:
        kind = type(value)
        if value is None or kind is bool:
            self.size += 5
            return value
        if kind is int:
            return self.integer(value, path)
        if kind is str:
            return self.text(value)
        if kind is float:
            self.size += 8
            return value
        if depth > MAX_DEPTH:
            raise Refused(path, "nested deeper than %d" % MAX_DEPTH)
        if kind is list or kind is tuple:
            return self.sequence(value, path, depth, kind is tuple)
        if kind is dict:
            return self.mapping(value, path, depth)
        return self.other(value, kind, path, depth)

    def integer(self, value: int, path: str) -> int:
        bits = int.bit_length(value)
        if bits > _MAX_BITS:
            if bits > 3 * self.max_bytes:
                raise TooLong
            raise Refused(path, "an integer of more than %d digits" % MAX_DIGITS)
        self.size += 1 + bits // 4
        return value

    def text(self, value: str) -> str:
        self.size += str.__len__(value)
        if self.size > self.max_bytes:
            raise TooLong
        return value

    def count(self, more: int) -> None:
        self.nodes += more
        self.size += more
        if self.size > self.max_bytes:
            raise TooLong
        if self.nodes > MAX_NODES:
            raise Refused("$", "more than %d items" % MAX_NODES)

    def sequence(self, value: Any, path: str, depth: int, is_tuple: bool) -> Any:
        iterator = tuple.__iter__(value) if is_tuple else list.__iter__(value)
        folded: list[Any] = []
        self.count(tuple.__len__(value) if is_tuple else list.__len__(value))
        for item in iterator:
            folded.append(self.fold(item, "%s[%d]" % (path, len(folded)) if depth < 8 else path, depth + 1))
        if is_tuple and self.form != JSON:
            return tuple(folded) if self.python else {TAG: "tuple", "v": folded}
        return folded

    def mapping(self, value: Any, path: str, depth: int) -> Any:
        pairs = list(dict.items(value))
        self.count(len(pairs))
        if self.tagged and not all(type(key) is str and key != TAG for key, _ in pairs):
            items = [
                [self.fold(key, path + ".(key)", depth + 1), self.fold(item, path + ".(value)", depth + 1)]
                for key, item in pairs
            ]
            return {TAG: "dict", "v": items}
        if self.python:
            return {
                self.fold(key, path + ".(key)", depth + 1): self.fold(item, self.step(path, key, depth), depth + 1)
                for key, item in pairs
            }
        folded: dict[str, Any] = {}
        for key, item in pairs:
            name = self.text(key) if type(key) is str else self.key(key, path)
            if name in folded:
                raise Refused(path, "two keys are written %.40r in JSON" % name)
            folded[name] = self.fold(item, self.member(path, name) if depth < 8 else path, depth + 1)
        return folded

    def step(self, path: str, key: Any, depth: int) -> str:
        return self.member(path, key) if depth < 8 and type(key) is str else path

    @staticmethod
    def member(path: str, name: str) -> str:
        return "%s.%s" % (path, name) if _identifier(name) and len(name) < 60 else "%s[%.60r]" % (path, name)

    def key(self, key: Any, path: str) -> str:
        """A key as json.dumps writes it."""
        if self.scalar is not None and isinstance(key, self.scalar) and not isinstance(key, (float, str)):
            key = self.plain(key, path)
        if isinstance(key, str):
            return self.text(str.__str__(key))
        if key is None:
            return "null"
        if key is True or key is False:
            return "true" if key else "false"
        if isinstance(key, int):
            return int.__repr__(self.integer(int.__index__(key), path))
        if isinstance(key, float):
            return float_text(float.__float__(key))
        raise Refused(path, "a key of type %s" % type_name(type(key)))

    def other(self, value: Any, kind: type, path: str, depth: int) -> Any:
        """Subclasses as their plain base value; what JSON cannot say tagged or refused."""
        if self.scalar is not None and isinstance(value, self.scalar) and not isinstance(value, (float, str, bytes)):
            return self.fold(self.plain(value, path), path, depth + 1)
        if self.array is not None and isinstance(value, self.array):
            self.count(int(self.array.size.__get__(value)))
            if self.array.dtype.__get__(value).kind in "mM":
                raise Refused(path, "a numpy array of dates or times")
            if self.masked is not None and isinstance(value, self.masked):  # what is masked is None
                return self.fold(self.masked.tolist(value), path, depth + 1)
            return self.fold(self.array.tolist(value), path, depth + 1)
        if isinstance(value, int):
            return self.integer(int.__index__(value), path)
        if isinstance(value, str):
            return self.text(str.__str__(value))
        if isinstance(value, float):
            self.size += 8
            return float.__float__(value)
        if isinstance(value, (list, tuple)):
            return self.sequence(value, path, depth, isinstance(value, tuple))
        if isinstance(value, dict):
            return self.mapping(value, path, depth)
        if self.form != JSON:
            if isinstance(value, (set, frozenset)):
                base: Any = set if isinstance(value, set) else frozenset
                items = [self.fold(item, path, depth + 1) for item in base.__iter__(value)]
                self.count(len(items))
                return base(items) if self.python else {TAG: "set" if base is set else "frozenset", "v": items}
            if isinstance(value, bytes):
                if self.python:
                    return value if kind is bytes else bytes.join(b"", [value, b""])
                return {TAG: "bytes", "v": self.text(bytes.hex(value))}
            if isinstance(value, complex):
                real, imag = complex.real.__get__(value), complex.imag.__get__(value)
                return complex(real, imag) if self.python else {TAG: "complex", "v": [real, imag]}
        raise Refused(path, "an object of type %s" % type_name(kind))

    def plain(self, value: Any, path: str) -> Any:
        """What a numpy scalar is as a plain value: the nearest double of a longer float, a tuple of a structured one."""
        if isinstance(value, self.extended):
            return self.extended.__float__(value)
        item = self.scalar.item(value)
        if not isinstance(value, self.dates) and type(item) in (int, float, bool, str, bytes, complex, tuple):
            return item
        raise Refused(path, "a numpy value of type %s" % type_name(type(value)))


def type_name(kind: type) -> str:
    """A class's own name, cut, whatever its metaclass says."""
    name: str = type.__dict__["__name__"].__get__(kind)
    return name[:200]


def float_text(value: float) -> str:
    if value - value == 0:
        return float.__repr__(value)
    if value != value:
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def fold(value: Any, form: str = JSON, path: str = "$", around: int = 0) -> Any:
    """`value` in one of the forms, as the values of a result are folded; so many levels `around` do not count. Raises
    Refused."""
    with _Unlimited():
        return _Folder(form, True, 1 << 62).fold(value, path, -around)


def encode(value: Any, tagged: bool = False, numpy_values: bool = False, max_bytes: int = 1 << 62, around: int = 0) -> bytes:
    """JSON text of `value` as bytes; `around` as in fold. Raises Refused (no form for it) or TooLong (over `max_bytes`)."""
    kind = type(value)
    if kind is int and -_SMALL < value < _SMALL:  # the commonest results, without the machinery
        return int.__repr__(value).encode("ascii")
    if value is None or kind is bool:
        return b"null" if value is None else b"true" if value else b"false"
    with _Unlimited():
        text = "".join(_encode_c(_Folder(TAGGED if tagged else JSON, numpy_values, max_bytes).fold(value, "$", -around), 0))
        if len(text) > max_bytes:
            raise TooLong
        return text.encode("ascii")


def decode(data: bytes, tagged: bool = False, around: int = 0) -> Any:
    """The value of JSON text made by `encode`, of a trusted writer (the host, for the call's arguments)."""
    text = data.decode("ascii")
    if len(text) < 1000 and not tagged:  # too short for depth or digits to matter
        return _scan(text, 0)[0]
    with _Unlimited():
        value = _scan(text, 0)[0]
        return untag(value, around) if tagged else value


def check_hashes(keys: List[Any]) -> List[Any]:
    """`keys`, unless a dict or a set of them would be slow: the hashes of numbers, tuples and frozensets are no secret, so
    that keys can be chosen to share one, and each is then compared with all the others. Raises Refused; TypeError for a key
    that has no hash."""
    hashes = list(map(hash, keys))
    if len(hashes) == len(set(hashes)):
        return keys
    if _CHEAP.issuperset(map(type, keys)) and _other_keys_sharing(keys) < _MAX_COLLISIONS:
        return keys
    sharing: Dict[int, List[Any]] = {}
    for code, key in zip(hashes, keys):
        others = sharing.setdefault(code, [])
        if type(key) in _CHEAP:
            if key in others:
                continue
        elif others and not _is_short(key):
            raise Refused("$", "too many keys with the same hash")
        others.append(key)
        if len(others) > _MAX_COLLISIONS:
            raise Refused("$", "too many keys with the same hash")
    return keys


def _other_keys_sharing(keys: List[Any]) -> int:
    """How many scalar keys have the hash of another one before them, equal ones of a type counted once; perhaps more."""
    hashes: List[int] = []
    for kind in set(map(type, keys)):
        alike: List[Any] = [key for key in keys if type(key) is kind]
        once = set(alike) if kind is str else [key for key, _ in _groups(sorted(alike))] if kind in _SORTED else alike
        hashes.extend(map(hash, once))
    return len(hashes) - len(set(hashes))


def _is_short(key: Any) -> bool:
    """Whether comparing the key costs little. Tuples are compared once from left to right, however they are nested; but
    looking up a frozenset's elements in another may compare each with several, at every level."""
    nodes, sets, left = 0, False, [key]
    while left:
        item = left.pop()
        nodes += 1
        if type(item) is tuple:
            left.extend(item)
        elif type(item) is frozenset:
            sets = True
            left.extend(item)
        if sets and nodes > _SHORT_KEY:
            return False
    return True


def untag(value: Any, around: int = 0) -> Any:
    """Rebuilds tagged values; `around` as in fold. Raises Refused for a tag that is not one of ours, for a value nested deeper
    than MAX_DEPTH, and for keys that were chosen to share a hash."""
    with _Unlimited():
        return _untag(value, -around)


def _untag(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind is not list and kind is not dict:
        return value
    if depth > MAX_DEPTH:
        raise Refused("$", "nested deeper than %d" % MAX_DEPTH)
    depth += 1
    if kind is list:
        return [_untag(item, depth) for item in value]
    if TAG not in value:
        return {key: _untag(item, depth) for key, item in value.items()}
    tag: Any = value[TAG]
    items: Any = value.get("v")
    try:
        if tag == "tuple":
            return tuple([_untag(item, depth) for item in items])
        if tag == "set":
            return set(check_hashes([_untag(item, depth) for item in items]))
        if tag == "frozenset":
            return frozenset(check_hashes([_untag(item, depth) for item in items]))
        if tag == "dict":
            keys = check_hashes([_untag(key, depth) for key, _ in items])
            return dict(zip(keys, [_untag(item, depth) for _, item in items]))
        if tag == "bytes":
            return bytes.fromhex(items)
        if tag == "complex":
            return complex(items[0], items[1])
    except (TypeError, ValueError, LookupError, OverflowError):
        pass
    raise Refused("$", "a broken tagged value")


class UnusualTag(Exception):
    """`built` leaves it to `untag` what an object is worth."""


def built(members: Dict[str, Any]) -> Any:
    """For a JSON reader's `object_hook`: the value of an object whose own members are built already, which is what `untag`
    makes of it all, without a step of Python for what is no object. Raises UnusualTag for what `encode` does not write; the
    caller holds the depth below MAX_DEPTH."""
    if TAG not in members:
        return members
    tag: Any = members[TAG]
    items: Any = members.get("v")
    if len(members) == 2:
        try:
            if type(items) is list:
                if tag == "tuple":
                    return tuple(items)
                if tag == "set":
                    return set(check_hashes(items))
                if tag == "frozenset":
                    return frozenset(check_hashes(items))
                if tag == "dict" and all(type(pair) is list and len(pair) == 2 for pair in items):
                    return dict(zip(check_hashes([key for key, _ in items]), [item for _, item in items]))
                if tag == "complex" and len(items) == 2 and type(items[0]) is float and type(items[1]) is float:
                    return complex(items[0], items[1])
            elif tag == "bytes" and type(items) is str:
                return bytes.fromhex(items)
        except (TypeError, ValueError, Refused):
            pass
    raise UnusualTag
