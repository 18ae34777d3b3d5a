"""Ids and positions as users' files spell them: texts, whole numbers, and the floats that table libraries make of those."""

from typing import Any

from ..rows.text import kind_of


def text_of_id(value: Any) -> str:
    """The text of an id: 7, 7.0 and "7" are the same one; empty for null. Raises ValueError with the words "must be ..."."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    number = whole(value)
    if number is None:
        raise ValueError(f"must be a string or an integer, not {kind_of(value)}")
    return str(number)


def whole(value: Any) -> int | None:
    """The whole number that a value is, be it spelled 1 or 1.0; None where it is none."""
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return None
