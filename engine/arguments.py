"""The arguments of a call as the bytes that go into the jail.

marshal's format 2 carries every plain Python value exactly and is what the jail reads fastest; the host is its only
writer, and nothing that comes out of a jail is ever read with it. What marshal does not take (subclasses of plain types) is
folded to plain values first, in tagged JSON.
"""

import marshal
from typing import Any

from .errors import UsageError
from .program import Call
from .protocol import values, wire


def encode_call(call: Call) -> tuple[bytes, int]:
    """The bytes of a call's arguments, and the wire options that say how to read them. Raises UsageError."""
    arguments: list[Any] = [list(call.args), dict(call.kwargs)]
    try:
        return marshal.dumps(arguments, 2), 0
    except ValueError:  # something that is not a plain value, or nested by the thousand
        pass
    try:
        return values.encode(arguments, tagged=True), wire.TAGGED_CALL
    except values.Refused as refusal:
        raise UsageError(f"an argument cannot be sent: {refusal.path} is {refusal.reason}") from None
