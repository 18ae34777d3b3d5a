"""How large a recorded value may be: the numbers of CodeI/O's `strict_check_size`.

Owns the constants, all of them exclusive bounds as in CodeI/O. What a value's size is, engine/size_guard.py says.
"""

from pydantic import BaseModel, ConfigDict, Field


class SizeRule(BaseModel):
    """Every bound must be undercut: 19 entries pass `entries_below` 20. The numbers are those of CodeI/O."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    total_bytes_below: int = Field(default=1024, ge=1)
    """Bytes of a value with all that it holds, at every level."""
    entries_below: int = Field(default=20, ge=1)
    """Entries of a list or a dict."""
    characters_below: int = Field(default=100, ge=1)
    """Characters (code points) of a text, keys included."""
    scalar_bytes_below: int = Field(default=128, ge=1)
    """Bytes of any other value: in effect, integers of up to 720 bits pass 128."""
    max_depth: int = Field(default=200, ge=1, le=1000)
    """A container inside more containers than this is refused. Bytes refuse it far earlier, unless raised."""
    refuse_none_output: bool = True
    """Whether an output of None is refused. Inputs and parts of outputs may be None."""
