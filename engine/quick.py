"""Frozen dataclasses without their price: a frozen one sets each field through `object.__setattr__`, which for an Outcome costs
as much as reading the answer that it is made of."""

from collections.abc import Callable
from dataclasses import MISSING, fields, make_dataclass
from typing import Any


def quick[T](cls: type[T]) -> Callable[..., T]:
    """A constructor of a frozen dataclass with slots that takes its fields by position. It fills an ordinary object with the
    same slots and then says what it is; no `__post_init__` runs."""
    each = fields(cls)  # type: ignore[arg-type]
    draft = make_dataclass(cls.__name__, [field.name for field in each], slots=True)
    names: dict[str, Any] = {"_new": object.__new__, "_draft": draft, "_cls": cls, "_MISSING": MISSING}
    parameters, lines = [], []
    for number, field in enumerate(each):
        default, value = "", field.name
        if field.default is not MISSING:
            names[f"_default{number}"], default = field.default, f"=_default{number}"
        elif field.default_factory is not MISSING:
            names[f"_factory{number}"], default = field.default_factory, "=_MISSING"
            value = f"_factory{number}() if {field.name} is _MISSING else {field.name}"
        parameters.append(field.name + default)
        lines.append(f"    made.{field.name} = {value}")
    # Written out as dataclasses write their __init__: a loop over the fields takes twice as long as this.
    head = [f"def make({', '.join(parameters)}):", "    made = _new(_draft)"]
    source = "\n".join([*head, *lines, "    made.__class__ = _cls", "    return made"])
    exec(source, names)  # noqa: S102 - of names of our own classes
    make: Callable[..., T] = names["make"]
    return make
