"""Which rejected rows are losses, and which are results.

A model that refuses or is cut off, and a function whose pairs cannot be proven, are what a run is there to find out: the funnel
counts them. A row that cannot be read, that nobody answered, or that lacks a module is lost against what the user expects, and
decides the exit code.
"""

from collections.abc import Mapping
from typing import Any

from .stages.generate.reasons import CALL_REASONS, FUNCTION_REASONS, PAIR_REASONS, ROW_REASONS

_LOST = ("no-response", "missing-module", "generator-missing-module")
_GENERATE = {*ROW_REASONS, *CALL_REASONS, *PAIR_REASONS, *FUNCTION_REASONS} - {*_LOST}
_INFER = ("refusal", "no-text")


def lost(stage: str, counts: Mapping[str, Any]) -> dict[str, int]:
    """Rows (of infer: samples) that a stage lost, by reason, the most frequent first; `counts` as the stage's summary has them,
    with `rejected` and for some stages `reasons`."""
    rejected, reasons = int(counts.get("rejected", 0)), counts.get("reasons", {})
    if stage == "generate":
        unusable = rejected - sum(reasons.values())
        found = {reason: count for reason, count in reasons.items() if reason not in _GENERATE}
    elif stage.partition("-")[0] == "infer":
        unusable = int(counts.get("unusable", 0))
        found = {reason: count for reason, count in reasons.items() if not is_an_answer(reason)}
    else:
        unusable, found = rejected, {}
    if unusable > 0:
        found["unusable"] = unusable
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def is_an_answer(reason: str) -> bool:
    """Whether the model answered, if not in a way that can be used."""
    return reason in _INFER or reason.startswith("finish-")
