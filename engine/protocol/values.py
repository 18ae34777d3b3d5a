"""Python values as JSON text and back; the same file on both sides of the jail.

Two forms. *Plain*: what JSON can say, written as `json.dumps` writes it (tuples as lists, number keys as text).
*Tagged*: JSON in which tuples, sets, frozensets, bytes, complex numbers and dicts with other keys are objects with the
single tag member "!".

`fold` reads results of hostile programs: only by the base types' own methods (`dict.items(x)`, never `x.items()`), so
that a subclass cannot lie about itself; everything else is refused with the path of what was found. The module keeps
private copies of the built-ins and of the encoder: rebinding `len` or `json.dumps` does not reach it.
"""

from __future__ import annotations

import builtins
import json
import json.encoder
import json.scanner
import sys
from typing import Any, Dict, List

__builtins__ = dict(vars(builtins))  # type: ignore[assignment]

TAG = "!"
MAX_DEPTH = 202  # what the comparator judges (200), and the two levels around the arguments of a call
MAX_NODES = 1_000_000
MAX_DIGITS = 100_000
_MAX_COLLISIONS = 8  # different keys of one dict or set that share a hash; by chance there are two: -1 and -2
_SHORT_KEY = 30

_MAX_BITS = int(MAX_DIGITS * 3.3219)
_CHEAP = frozenset((int, float, str, bytes, bool, complex, type(None)))
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


class _Folder:
    def __init__(self, tagged: bool, numpy_values: bool, max_bytes: int) -> None:
        self.tagged = tagged
        self.max_bytes = max_bytes
        self.nodes = 0
        self.size = 0
        numpy: Any = _modules.get("numpy") if numpy_values else None
        self.array: Any
        self.scalar: Any
        try:
            self.array, self.scalar = numpy.ndarray, numpy.generic
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
        return {TAG: "tuple", "v": folded} if is_tuple and self.tagged else folded

    def mapping(self, value: Any, path: str, depth: int) -> Any:
        pairs = list(dict.items(value))
        self.count(len(pairs))
        if self.tagged and not all(type(key) is str and key != TAG for key, _ in pairs):
            items = [
                [self.fold(key, path + ".(key)", depth + 1), self.fold(item, path + ".(value)", depth + 1)]
                for key, item in pairs
            ]
            return {TAG: "dict", "v": items}
        folded: dict[str, Any] = {}
        for key, item in pairs:
            name = self.text(key) if type(key) is str else self.key(key, path)
            if name in folded:
                raise Refused(path, "two keys are written %.40r in JSON" % name)
            folded[name] = self.fold(item, self.member(path, name) if depth < 8 else path, depth + 1)
        return folded

    @staticmethod
    def member(path: str, name: str) -> str:
        return "%s.%s" % (path, name) if _identifier(name) and len(name) < 60 else "%s[%.60r]" % (path, name)

    def key(self, key: Any, path: str) -> str:
        """A key as json.dumps writes it."""
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
            return self.fold(self.plain(self.scalar.item(value), path), path, depth + 1)
        if self.array is not None and isinstance(value, self.array):
            self.count(int(self.array.size.__get__(value)))
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
        if self.tagged:
            if isinstance(value, (set, frozenset)):
                base: Any = set if isinstance(value, set) else frozenset
                items = [self.fold(item, path, depth + 1) for item in base.__iter__(value)]
                self.count(len(items))
                return {TAG: "set" if base is set else "frozenset", "v": items}
            if isinstance(value, bytes):
                return {TAG: "bytes", "v": self.text(bytes.hex(value))}
            if kind is complex:
                return {TAG: "complex", "v": [value.real, value.imag]}
        raise Refused(path, "an object of type %s" % type_name(kind))

    @staticmethod
    def plain(value: Any, path: str) -> Any:
        if type(value) in (int, float, bool, str, bytes, complex):
            return value
        raise Refused(path, "a numpy value of type %s" % type_name(type(value)))


def type_name(kind: type) -> str:
    """A class's own name, cut, whatever its metaclass says."""
    name: str = type.__dict__["__name__"].__get__(kind)
    return name[:200]


def float_text(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return float.__repr__(value)


def encode(value: Any, tagged: bool = False, numpy_values: bool = False, max_bytes: int = 1 << 62) -> bytes:
    """JSON text of `value` as bytes. Raises Refused (no form for it) or TooLong (over `max_bytes`)."""
    kind = type(value)
    if kind is int and -_SMALL < value < _SMALL:  # the commonest results, without the machinery
        return int.__repr__(value).encode("ascii")
    if value is None or kind is bool:
        return b"null" if value is None else b"true" if value else b"false"
    with _Unlimited():
        text = "".join(_encode_c(_Folder(tagged, numpy_values, max_bytes).fold(value, "$", 0), 0))
        if len(text) > max_bytes:
            raise TooLong
        return text.encode("ascii")


def decode(data: bytes, tagged: bool = False) -> Any:
    """The value of JSON text made by `encode`, of a trusted writer (the host, for the call's arguments)."""
    text = data.decode("ascii")
    if len(text) < 1000 and not tagged:  # too short for depth or digits to matter
        return _scan(text, 0)[0]
    with _Unlimited():
        value = _scan(text, 0)[0]
        return untag(value) if tagged else value


def check_hashes(keys: List[Any]) -> List[Any]:
    """`keys`, unless a dict or a set of them would be slow: the hashes of numbers, tuples and frozensets are no secret, so
    that keys can be chosen to share one, and each is then compared with all the others. Raises Refused; TypeError for a key
    that has no hash."""
    hashes = [hash(key) for key in keys]
    if len(hashes) == len(set(hashes)):
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


def untag(value: Any) -> Any:
    """Rebuilds tagged values. Raises Refused for a tag that is not one of ours."""
    if type(value) is list:
        return [untag(item) for item in value]
    if type(value) is not dict:
        return value
    if TAG not in value:
        return {key: untag(item) for key, item in value.items()}
    tag: Any = value[TAG]
    items: Any = value.get("v")
    try:
        if tag == "tuple":
            return tuple([untag(item) for item in items])
        if tag == "set":
            return set(check_hashes([untag(item) for item in items]))
        if tag == "frozenset":
            return frozenset(check_hashes([untag(item) for item in items]))
        if tag == "dict":
            keys = check_hashes([untag(key) for key, _ in items])
            return dict(zip(keys, [untag(item) for _, item in items]))
        if tag == "bytes":
            return bytes.fromhex(items)
        if tag == "complex":
            return complex(items[0], items[1])
    except (TypeError, ValueError, LookupError, OverflowError):
        pass
    raise Refused("$", "a broken tagged value")
