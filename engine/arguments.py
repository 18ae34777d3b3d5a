"""The arguments of a call as the bytes that go into the jail."""

import json
from typing import Any

from .errors import UsageError
from .inside import values
from .program import Call

_dumps = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_loads = json.JSONDecoder().decode


def encode_call(call: Call) -> bytes:
    """JSON text of `{"args": [...], "kwargs": {...}}`, tagged where JSON alone cannot say it. Raises UsageError."""
    arguments: dict[str, Any] = {"args": list(call.args), "kwargs": dict(call.kwargs)}
    try:
        # What comes back equal from JSON's own C code needs no closer look; tuples, sets and number keys do not.
        text = _dumps(arguments)
        if '"!"' not in text and _loads(text) == arguments:
            return text.encode("ascii")
    except (TypeError, ValueError, RecursionError):
        pass
    try:
        return values.encode(arguments, tagged=True)
    except values.Refused as refusal:
        raise UsageError(f"an argument cannot be sent: {refusal.path} is {refusal.reason}") from None
