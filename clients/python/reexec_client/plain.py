"""Plain values as JSON can say them, and back, exactly. What JSON lacks is an object whose first member is "!"."""

from __future__ import annotations

from typing import Any

from .errors import UsageError

_MAX_DEPTH = 500
_MAX_BITS = 12_000
_BASES: tuple[Any, ...] = (bool, int, float, str, list, tuple, dict, set, frozenset, bytes, complex)


def to_plain(value: Any, path: str = "$", depth: int = 0) -> Any:
    """Raises UsageError with the path of what is no plain value. numpy's values count as their plain ones, subclasses as what
    they derive from."""
    kind = type(value)
    if value is None or kind is bool or kind is str or kind is float:
        return value
    if kind is int:
        return value if value.bit_length() <= _MAX_BITS else {"!": "int", "v": hex(value)}
    if depth > _MAX_DEPTH:
        raise UsageError(f"nested deeper than {_MAX_DEPTH}, at {path}")
    if kind is list:
        return [to_plain(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    if kind in (tuple, set, frozenset):
        items = [to_plain(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
        return {"!": kind.__name__, "v": items if kind is tuple else sorted(items, key=repr)}
    if kind is dict:
        if all(type(key) is str and key != "!" for key in value):
            return {key: to_plain(item, f"{path}.{key}", depth + 1) for key, item in value.items()}
        return {"!": "dict", "v": [[to_plain(k, path, depth + 1), to_plain(v, path, depth + 1)] for k, v in value.items()]}
    if kind is bytes:
        return {"!": "bytes", "v": value.hex()}
    if kind is complex:
        return {"!": "complex", "v": [value.real, value.imag]}
    if kind.__module__ == "numpy" and hasattr(value, "tolist"):
        return to_plain(value.tolist(), path, depth + 1)
    for base in _BASES:
        if isinstance(value, base):
            return to_plain(base(value), path, depth + 1)
    raise UsageError(f"expected a plain value, got {kind.__name__}, at {path}")


def from_plain(value: Any) -> Any:
    """The value that was written."""
    if type(value) is list:
        return [from_plain(item) for item in value]
    if type(value) is not dict:
        return value
    if "!" not in value:
        return {key: from_plain(item) for key, item in value.items()}
    tag, held = value["!"], value["v"]
    if tag == "int":
        return int(held, 16)
    if tag == "bytes":
        return bytes.fromhex(held)
    if tag == "complex":
        return complex(*held)
    if tag == "dict":
        return {from_plain(key): from_plain(item) for key, item in held}
    return {"tuple": tuple, "set": set, "frozenset": frozenset}[tag](from_plain(held))
