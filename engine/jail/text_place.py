"""Where the machine code of an interpreter lies that could be put on huge pages (zygote/start/text.py)."""

import os
import resource
from pathlib import Path

_HUGE_BYTES = 2 << 20
_SIZE_FILE = Path("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size")


def place_of_text(pid: int) -> tuple[int, int]:
    """(address, bytes) of the whole huge pages that hold text or read-only data of the interpreter, from the largest
    executable mapping of its program or libpython and the read-only ones of the same file beside it; (0, 0) where there is
    none. Other libraries may be larger (numpy's OpenBLAS has 20 MB) and are hardly run by a check."""
    try:
        if resource.getpagesize() != 4096 or int(_SIZE_FILE.read_text()) != _HUGE_BYTES:
            return 0, 0
        program = Path(os.readlink(f"/proc/{pid}/exe")).name  # noqa: PTH115
        lines = [line.split(maxsplit=5) for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]
    except (OSError, ValueError):
        return 0, 0
    maps = [
        (int(low, 16), int(high, 16), mode, path[0])
        for span, mode, _, _, _, *path in lines
        if path and path[0].startswith("/")
        for low, _, high in [span.partition("-")]
    ]
    text = [
        mapping
        for mapping in maps
        if "x" in mapping[2] and (Path(mapping[3]).name == program or Path(mapping[3]).name.startswith("libpython"))
    ]
    if not text:
        return 0, 0
    low, high, _, path = max(text, key=lambda mapping: mapping[1] - mapping[0])
    for start, end, mode, name in sorted(maps):
        if start == high and name == path and "w" not in mode:
            high = end
    for start, end, mode, name in sorted(maps, reverse=True):
        if end == low and name == path and "w" not in mode:
            low = start
    first, last = -(-low // _HUGE_BYTES) * _HUGE_BYTES, high // _HUGE_BYTES * _HUGE_BYTES
    return (first, last - first) if last > first else (0, 0)
