"""When two values count as equal: the rule as data.

Owns the switches, their defaults and the named presets (`presets/comparison/NAME.toml`). Knows nothing of how values
are walked: engine/comparator.py does that. docs/comparator.md holds the table of what each preset does.
"""

import difflib
import functools
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from .errors import PolicyError

_PRESETS = Path(__file__).with_name("presets") / "comparison"


class ComparisonRule(BaseModel):
    """One rule of equality. The defaults are those of the preset `numeric`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    numbers: Literal["close", "equal", "same-type"] = "close"
    """`close`: by the tolerances below where a float is involved, exactly between integers. `equal`: the same number,
    whatever its type. `same-type`: the same type and the same bits (every NaN counts as one value)."""
    rtol: float = Field(default=1e-6, ge=0, le=1)
    """Relative tolerance of `close`, as a fraction of what `relative_to` names."""
    atol: float = Field(default=1e-9, ge=0)
    """Absolute tolerance of `close`; the larger of the two counts."""
    relative_to: Literal["expected", "larger"] = "larger"
    """`expected`: rtol times abs(expected), which is not symmetric. `larger`: times the larger magnitude."""
    same_integer_part: bool = False
    """Whether close numbers must also agree in what is left of the point (2.9999 and 3.0 do not)."""
    bools: Literal["int", "distinct"] = "distinct"
    """Whether True and False are the numbers 1 and 0, or equal only to themselves."""
    signed_zero: bool = False
    """Whether -0.0 differs from 0.0."""
    containers: Literal["json", "python", "same-type"] = "json"
    """`json`: a tuple is a list and a dict's keys are what JSON writes for them. `python`: lists and tuples differ,
    keys are compared as values are, a set equals a frozenset. `same-type`: set and frozenset differ as well."""
    strings: Literal["exact", "lines"] = "exact"
    """`lines`: as program output, without white space at ends of lines, empty last lines and the kind of line ends."""
    token_numbers: bool = False
    """With `lines`: where lines differ, compare their words, and words that are decimal numbers as numbers."""
    max_depth: int = Field(default=200, ge=1, le=1000)
    """A container inside more containers than this ends the comparison as `too-deep`."""
    max_nodes: int = Field(default=1_000_000, ge=1)
    """More pairs of values than this (keys, lines and words of text included) end the comparison as `too-large`."""

    @property
    def values(self) -> Literal["json", "python"]:
        """How values must be carried to be judged by this rule: folded as JSON does, or with their Python types."""
        return "json" if self.containers == "json" else "python"

    @classmethod
    def preset(cls, name: str) -> "ComparisonRule":
        """The preset of that name. Raises `PolicyError` with the nearest known names where there is none."""
        return _load(name)


def comparison_preset_names() -> list[str]:
    """The names that `ComparisonRule.preset` knows, sorted."""
    return sorted(path.stem for path in _PRESETS.glob("*.toml"))


@functools.cache
def _load(name: str) -> ComparisonRule:
    known = comparison_preset_names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=2)
        hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise PolicyError(f"no comparison rule {name!r}: {hint}known ones are {', '.join(known)}")
    text = (_PRESETS / f"{name}.toml").read_text(encoding="utf-8")
    return ComparisonRule.model_validate(tomllib.loads(text))
