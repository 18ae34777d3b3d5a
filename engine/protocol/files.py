"""Files around one run of a script as they travel: those that it is given, the paths that are asked for, and what came back.

to the zygote   length of a head, the head, contents one after the other
                head: JSON {"given": [[path, bytes], ...], "wanted": [path, ...]}
to the host     length of a head, the head, contents one after the other
                head: JSON [[number of the wanted path, bytes], ...]; -1 bytes: it is there, and too large to come back
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from .frames import LENGTH

HEAD_BYTES = 4096
"""Of what comes back, beside the contents."""
TOO_LARGE = -1


def pack(given: Mapping[str, bytes], wanted: Sequence[str]) -> bytes:
    head = {"given": [[path, len(content)] for path, content in given.items()], "wanted": list(wanted)}
    return _framed(json.dumps(head).encode("ascii"), list(given.values()))


def pack_back(found: Sequence[Tuple[int, int]], contents: Sequence[bytes]) -> bytes:
    return _framed(json.dumps(found).encode("ascii"), contents)


def _framed(head: bytes, contents: Sequence[bytes]) -> bytes:
    return b"".join((LENGTH.pack(len(head)), head, *contents))


def head_of(data: memoryview) -> Tuple[Dict[str, Any], int]:
    """The head of what the host sent, and where its contents begin."""
    (size,) = LENGTH.unpack_from(data)
    begin = LENGTH.size + size
    head: Dict[str, Any] = json.loads(bytes(data[LENGTH.size : begin]))
    return head, begin


def unpack(blob: bytes, wanted: int) -> Dict[int, bytes]:
    """By number of the wanted path. Total: bytes that do not fit give nothing."""
    try:
        (size,) = LENGTH.unpack_from(blob)
        at = LENGTH.size + size
        if size > HEAD_BYTES or at > len(blob):
            return {}
        found: Dict[int, bytes] = {}
        head: List[Any] = json.loads(blob[LENGTH.size : at])
        for number, length in head:
            if type(number) is not int or type(length) is not int or not 0 <= number < wanted or number in found:
                return {}
            if length == TOO_LARGE:
                continue
            if length < 0 or at + length > len(blob):
                return {}
            found[number] = blob[at : at + length]
            at += length
        return found if at == len(blob) else {}
    except Exception:
        return {}
