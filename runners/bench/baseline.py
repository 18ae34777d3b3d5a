"""A run that is kept, and what fell since. Only ratios are compared: both sides of one met the same machine."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError
from reexec.engine.version import VERSION

from .ratios import BY_NAME
from .report import Report

FORM = "reexec-bench-1"


@dataclass(frozen=True, slots=True)
class Fall:
    """A ratio that is worse than it was by more than the tolerance."""

    name: str
    before: float
    now: float | None
    """None where it was not measured this time."""
    share: float
    """What is lost, of 1."""


def save(path: Path, report: Report) -> None:
    kept = {"form": FORM, "version": VERSION, **report.to_json()}
    path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> dict[str, float]:
    """Its ratios. Raises UsageError."""
    try:
        found: Any = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({(error.strerror or '').lower()})") from None
    except ValueError:
        raise UsageError(f"{path}: no JSON; `reexec bench --save {path}` makes one") from None
    if not isinstance(found, dict) or found.get("form") != FORM:
        raise UsageError(f"{path}: no baseline of this version; `reexec bench --save {path}` makes one, at $.form")
    ratios = found.get("ratios")
    if not isinstance(ratios, dict) or not all(isinstance(value, int | float) and value > 0 for value in ratios.values()):
        raise UsageError(f"{path}: ratios must be an object of numbers above 0, at $.ratios")
    return {str(name): float(value) for name, value in ratios.items()}


def fallen(before: dict[str, float], now: dict[str, float], tolerance: float) -> list[Fall]:
    """The worst first. Ratios that this version does not know any more, or does not compare, are passed over."""
    falls = []
    for name, then in before.items():
        if name not in BY_NAME or not BY_NAME[name].is_compared:
            continue
        value = now.get(name)
        share = 1.0 if value is None else BY_NAME[name].fell_by(then, value)
        if share > tolerance:
            falls.append(Fall(name, then, value, share))
    return sorted(falls, key=lambda fall: -fall.share)
