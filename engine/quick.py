"""Frozen dataclasses without their price: a frozen one sets each field through `object.__setattr__`, which for an Outcome costs
as much as reading the answer that it is made of."""

from collections.abc import Callable
from dataclasses import MISSING, Field, field, fields, make_dataclass
from typing import Any


def quick[T](cls: type[T]) -> Callable[..., T]:
    """A constructor of a frozen dataclass with slots that takes its fields by position. It fills an ordinary object with the
    same slots and then says what it is; no `__post_init__` runs."""
    draft = make_dataclass(cls.__name__, [(each.name, Any, _like(each)) for each in fields(cls)], slots=True)  # type: ignore[arg-type]

    def make(*values: Any) -> T:
        made: Any = draft(*values)
        made.__class__ = cls
        return made  # type: ignore[no-any-return]

    return make


def _like(each: Field[Any]) -> Any:
    if each.default_factory is not MISSING:
        return field(default_factory=each.default_factory)
    return field() if each.default is MISSING else field(default=each.default)
