"""A reply as a row of the output, and the words for a sample that has none."""

from typing import Any

from ...rows.row import Row
from ...rows.text import splice
from .body import finish_word
from .log import Entry
from .prompts import Request

NOT_ASKED = "not-asked"


def line_of(row: Row, request: Request, entry: Entry, model: str) -> bytes:
    """`model`: the name that it was asked under, where the entry knows none."""
    members: dict[str, Any] = {} if request.has_id else {"id": request.row_id}
    members["index"] = request.index
    members["output"] = entry["output"]
    members["model"] = entry.get("model") or model
    if isinstance(entry.get("reasoning"), str):
        members["reasoning"] = entry["reasoning"]
    members["finish_reason"] = finish_word(entry["finish_reason"])
    members["usage"] = entry["usage"]
    return splice(row.line, row.data, members)


def failure_of(request: Request, entry: Entry | None) -> dict[str, Any]:
    """{index, reason, message, attempts} of a sample without a usable reply."""
    if entry is None:
        return {"index": request.index, "reason": NOT_ASKED, "message": "no reply to this request is known", "attempts": 0}
    attempts = entry.get("attempts", 1)
    if "reason" in entry:
        return {"index": request.index, "reason": entry["reason"], "message": entry["message"], "attempts": attempts}
    finish = finish_word(entry.get("finish_reason"))
    message = f"the reply ended by {finish!r}"
    return {"index": request.index, "reason": f"finish-{finish}", "message": message, "attempts": attempts}
