"""The arguments of a call as the bytes that go into the jail.

marshal's format 2 carries every plain Python value exactly and is what the jail reads fastest; the host is its only
writer, and nothing that comes out of a jail is ever read with it. What marshal does not take (subclasses of plain types) is
folded to plain values first, in tagged JSON.
"""

import marshal
from typing import Any

from .errors import UsageError
from .program import Call
from .protocol import frames, values


def encode_call(call: Call) -> tuple[bytes, int]:
    """The bytes of a call's arguments, and the options of its frame that say how to read them. Raises UsageError."""
    arguments: list[Any] = [list(call.args), dict(call.kwargs)]
    options = 0
    try:
        data = marshal.dumps(arguments, 2)
    except ValueError:  # something that is not a plain value, or nested by the thousand
        options = frames.TAGGED_CALL
        try:
            data = values.encode(arguments, tagged=True)
        except values.Refused as refusal:
            raise UsageError(f"an argument cannot be sent: {refusal.path} is {refusal.reason}") from None
    if len(data) > frames.MAX_BLOB_BYTES:
        most = frames.MAX_BLOB_BYTES >> 20
        raise UsageError(f"the arguments of a call are {len(data) >> 20} MiB; a worker takes at most {most} MiB")
    return data, options
