"""The HTML templates of reports and of `reexec view`. Every text goes through Jinja's escaping, and its control characters are
shown: what a model wrote is never markup, and hides nothing."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..extras import missing_extra
from ..visible import visible
from . import tree

if TYPE_CHECKING:
    import jinja2


def templates(*more: Path) -> "jinja2.Environment":
    """Of this folder, and of `more`. Raises UsageError where the extra is missing."""
    try:
        import jinja2
    except ImportError:
        raise missing_extra("a report", "report") from None
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([Path(__file__).parent, *more]), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined, finalize=_shown,
    )  # fmt: skip
    made.filters["percent"] = lambda part, whole: f"{100 * part / whole:.1f} %" if whole else ""
    made.filters["count"] = lambda number: f"{number:,}"
    made.filters["width"] = lambda share: min(100, math.ceil(100 * share))
    made.globals["lines"] = tree.lines
    return made


def _shown(value: Any) -> Any:
    return visible(value, len(value)) if type(value) is str else value  # our own markup is of another type
