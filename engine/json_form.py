"""Plain values as objects that JSON can say, and back, exactly: what `to_json` and `from_json` of the data classes are made of.

What JSON has is itself (NaN and the infinities as Python's json writes them). The rest is an object whose first member is "!":
tuples, sets, frozensets, bytes, complex numbers, dicts with other keys than text, and integers of more digits than JSON
readers take. It is written for values of our own making; a claim from a jail is read by decoding.py.
"""

from typing import Any

from .errors import UsageError

TAG = "!"
MAX_DEPTH = 500
_MAX_BITS = 12_000  # fewer digits than the interpreter's own limit on integers as text


def to_plain(value: Any, path: str = "$", depth: int = 0) -> Any:
    """`value` without anything that JSON lacks. Raises UsageError with the path of what is no plain value."""
    kind = type(value)
    if value is None or kind is bool or kind is str or kind is float:
        return value
    if kind is int:
        return value if value.bit_length() <= _MAX_BITS else {TAG: "int", "v": hex(value)}
    if depth > MAX_DEPTH:
        raise UsageError(f"nested deeper than {MAX_DEPTH}, at {path}")
    if kind is list:
        return [to_plain(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    if kind is tuple or kind is set or kind is frozenset:
        items = [to_plain(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
        return {TAG: kind.__name__, "v": items if kind is tuple else sorted(items, key=repr)}
    if kind is dict:
        if all(type(key) is str and key != TAG for key in value):
            return {key: to_plain(item, f"{path}.{key}", depth + 1) for key, item in value.items()}
        pairs = [[to_plain(key, path, depth + 1), to_plain(item, path, depth + 1)] for key, item in value.items()]
        return {TAG: "dict", "v": pairs}
    if kind is bytes:
        return {TAG: "bytes", "v": value.hex()}
    if kind is complex:
        return {TAG: "complex", "v": [value.real, value.imag]}
    raise UsageError(f"expected a plain value, got {kind.__name__}, at {path}")


def from_plain(value: Any, path: str = "$", depth: int = 0) -> Any:
    """The value that `to_plain` wrote. Raises UsageError with a path."""
    kind = type(value)
    if kind is not list and kind is not dict:
        return value
    if depth > 2 * MAX_DEPTH:
        raise UsageError(f"nested deeper than {MAX_DEPTH}, at {path}")
    if kind is list:
        return [from_plain(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    if TAG not in value:
        return {key: from_plain(item, f"{path}.{key}", depth + 1) for key, item in value.items()}
    try:
        return _untagged(value[TAG], value["v"], path, depth)
    except (TypeError, ValueError, LookupError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"a broken tagged value, at {path}") from None


def _untagged(tag: Any, held: Any, path: str, depth: int) -> Any:
    if tag == "int":
        return int(held, 16)
    if tag == "bytes":
        return bytes.fromhex(held)
    if tag == "complex":
        return complex(*held)
    items = from_plain(held, path, depth + 1)
    if tag == "tuple":
        return tuple(items)
    if tag == "set":
        return set(items)
    if tag == "frozenset":
        return frozenset(items)
    if tag == "dict":
        return {key: item for key, item in items}  # noqa: C416 - each must be a pair
    raise UsageError(f"unknown tag {tag!r}, at {path}")


def members(data: Any, what: str, *names: str, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """The members of a JSON object, optional ones None where they are missing. Raises UsageError for any other object."""
    if type(data) is not dict:
        raise UsageError(f"expected {what} as an object, got {type(data).__name__}")
    missing = [name for name in names if name not in data]
    unknown = [name for name in data if name not in names and name not in optional]
    if missing or unknown:
        fault = f"no member {missing[0]!r}" if missing else f"an unknown member {unknown[0]!r}"
        raise UsageError(f"{what} has {fault}")
    return dict.fromkeys(optional) | data
