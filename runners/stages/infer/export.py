"""From the log (or a recording) to the output: responses in the order of the input, everything else in the rejects.

An input row gives a line for every sample that was answered. Where a sample has no usable reply, the row is in the rejects as
well, with the reason and the number of attempts of each such sample; the next run asks for these again.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...rows.run import Row, StageRun, beside
from ...rows.text import splice
from .body import finish_word
from .log import Entry
from .prompts import Prompts, Request
from .settings import Sampling

NOT_ASKED = "not-asked"


class Export:
    """Writes rows of a run that is open. `find` gives the entry of a request, None where it was never asked."""

    def __init__(
        self, run: StageRun, sampling: Sampling, keep: frozenset[str], find: Callable[[Request], Entry | None]
    ) -> None:
        self._run, self._sampling, self._keep, self._find = run, sampling, keep, find
        counts = run.progress.counts
        for name in ("rejected", "rows", "prompt_tokens", "completion_tokens"):
            counts.setdefault(name, 0)
        self._reasons: dict[str, int] = counts.setdefault("reasons", {})

    def all(self, prompts: Prompts, on_row: Callable[[str], None] | None = None) -> None:
        for row, requests, fault in prompts:
            word = self._one(row, requests, fault)
            if on_row is not None:
                on_row(word)

    def _one(self, row: Row, requests: list[Request], fault: str) -> str:
        """The word for the row: answered, or the reason of its first sample that is not."""
        counts = self._run.progress.counts
        if fault:
            self._run.begin()
            counts["unusable"] = counts.get("unusable", 0) + 1
            self._run.reject(row, fault)
            return "rejected"
        found = [(request, self._find(request)) for request in requests]
        lines = [self._line(row, request, entry) for request, entry in found if entry and usable(entry, self._keep)]
        failed = [_failure(request, entry) for request, entry in found if not (entry and usable(entry, self._keep))]
        self._run.begin()
        for _, entry in found:
            spent = (entry or {}).get("spent") or (entry or {}).get("usage") or {}
            counts["prompt_tokens"] += spent.get("prompt_tokens") or 0
            counts["completion_tokens"] += spent.get("completion_tokens") or 0
        counts["rows"] += len(lines)
        if not failed:
            self._run.write(row, lines)
            return "answered"
        for one in failed:
            self._reasons[one["reason"]] = self._reasons.get(one["reason"], 0) + 1
        first = failed[0]
        more: dict[str, Any] = {"id": requests[0].row_id, "attempts": sum(one["attempts"] for one in failed)}
        if len(requests) > 1:
            more["samples"] = failed
        self._run.reject(row, f"{first['reason']}: {first['message']}", lines=lines, more=more)
        return str(first["reason"])

    def _line(self, row: Row, request: Request, entry: Entry) -> bytes:
        members: dict[str, Any] = {} if request.has_id else {"id": request.row_id}
        members["index"] = request.index
        members["output"] = entry["output"]
        members["model"] = entry.get("model") or self._sampling.model
        if isinstance(entry.get("reasoning"), str):
            members["reasoning"] = entry["reasoning"]
        members["finish_reason"] = finish_word(entry["finish_reason"])
        members["usage"] = entry["usage"]
        return splice(row.line, row.data, members)


def usable(entry: Entry, keep: frozenset[str]) -> bool:
    return "reason" not in entry and finish_word(entry.get("finish_reason")) in keep


def _failure(request: Request, entry: Entry | None) -> dict[str, Any]:
    """{index, reason, message, attempts} of a sample without a usable reply."""
    if entry is None:
        return {"index": request.index, "reason": NOT_ASKED, "message": "no reply to this request is known", "attempts": 0}
    attempts = entry.get("attempts", 1)
    if "reason" in entry:
        return {"index": request.index, "reason": entry["reason"], "message": entry["message"], "attempts": attempts}
    finish = finish_word(entry.get("finish_reason"))
    message = f"the reply ended by {finish!r}"
    return {"index": request.index, "reason": f"finish-{finish}", "message": message, "attempts": attempts}


def log_path_of(output: Path) -> Path:
    return beside(output, "log.jsonl")
