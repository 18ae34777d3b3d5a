"""How large a recorded value may be: the numbers of CodeI/O's `strict_check_size`.

Owns the constants, all of them exclusive bounds as in CodeI/O, and how a number of bytes may be spelled. What a value's
size is, engine/judging/size_guard.py says.
"""

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_UNITS = {
    f"{letter}{middle}b": base**power
    for middle, base in (("", 1000), ("i", 1024))
    for power, letter in enumerate("kmgt", start=1)
}
_SPELLED = re.compile(r"(\d+(?:_\d+)*(?:\.\d+)?) ?([a-z]*)")


def parse_bytes(value: Any) -> Any:
    """The bytes of a text such as "4GB" or "512MiB"; others as they are. Raises ValueError, which says how to write it."""
    if not isinstance(value, str):
        return value
    found = _SPELLED.fullmatch(value.strip().lower()) if len(value) <= 40 and value.isascii() else None
    unit = {"": 1, "b": 1, **_UNITS}.get(found[2]) if found else None
    if found is None or unit is None:
        raise ValueError(f"{value[:40]!r} is no number of bytes; write it as 4GB (4 x 1000^3), 512MiB (512 x 1024^2), or 65536")
    whole, _, rest = found[1].partition(".")
    scaled = int(whole + rest) * unit
    if scaled % 10 ** len(rest):
        raise ValueError(f"{value[:40]!r} is not a whole number of bytes")
    return scaled // 10 ** len(rest)


ByteCount = Annotated[int, BeforeValidator(parse_bytes)]
"""A number of bytes, which people may write with a unit."""


class SizeRule(BaseModel):
    """Every bound must be undercut: 19 entries pass `entries_below` 20. The numbers are those of CodeI/O."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    total_bytes_below: ByteCount = Field(default=1024, ge=1)
    """Bytes of a value with all that it holds, at every level."""
    entries_below: int = Field(default=20, ge=1)
    """Entries of a list or a dict."""
    characters_below: int = Field(default=100, ge=1)
    """Characters (code points) of a text, keys included."""
    scalar_bytes_below: ByteCount = Field(default=128, ge=1)
    """Bytes of any other value: in effect, integers of up to 720 bits pass 128."""
    max_depth: int = Field(default=200, ge=1, le=1000)
    """A container inside more containers than this is refused. Bytes refuse it far earlier, unless raised."""
    refuse_none_output: bool = True
    """Whether an output of None is refused. Inputs and parts of outputs may be None."""
