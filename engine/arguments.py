"""The arguments of a call as the bytes that go into the jail.

marshal's format 2 carries every plain Python value exactly and is what the jail reads fastest; the host is its only
writer, and nothing that comes out of a jail is ever read with it. It takes anything with a buffer for bytes (a numpy scalar,
an array), so arguments are made plain before.
"""

import marshal
from typing import Any

from .addresses import blob_bytes
from .errors import UsageError
from .folding import all_scalars, all_text, fold_arguments
from .program import Call

_SHORT = 1 << 16
"""Every worker takes so much."""
_FEW = 64
"""Arguments; no bound of theirs is near."""


def encode_arguments(arguments: Any) -> tuple[bytes, int]:
    """`encode_call` of what `Call.of` takes. The commonest, scalars by name or in a list, without an object on the way."""
    kind = type(arguments)
    if kind is dict:
        if len(arguments) <= _FEW and all_scalars(arguments.values()) and all_text(arguments):
            return _whole(marshal.dumps([[], arguments], 2))
    elif (kind is list or kind is tuple) and len(arguments) <= _FEW and all_scalars(arguments):
        return _whole(marshal.dumps([list(arguments), {}], 2))
    return encode_call(Call.of(arguments))


def encode_call(call: Call) -> tuple[bytes, int]:
    """The bytes of a call's arguments, and the options of its frame that say how to read them.

    Raises UsageError with a path: `$.name` for a keyword argument, `$[0]` for a positional one.
    """
    arguments = [fold_arguments(list(call.args)), fold_arguments(dict(call.kwargs))]
    try:
        data = marshal.dumps(arguments, 2)
    except ValueError as error:
        raise UsageError(f"the arguments cannot be sent: {error}") from None
    return _whole(data)


def _whole(data: bytes) -> tuple[bytes, int]:
    if len(data) > _SHORT and len(data) > blob_bytes():
        most = blob_bytes() >> 20
        raise UsageError(f"the arguments of a call are {len(data) >> 20} MiB; a worker takes at most {most} MiB")
    return data, 0
