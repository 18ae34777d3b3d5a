"""Runs inside the jail (Python 3.8 and newer, standard library only): a package's output validator, as it is run elsewhere:
`validator INPUT ANSWER FEEDBACK_FOLDER FLAGS... < OUTPUT`."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from typing import Any, List, Tuple


def check(source: str, flags: List[str], given: bytes, answer: bytes, output: str) -> Tuple[Any, str]:
    """(exit status, what it wrote into its feedback)"""
    folder = tempfile.mkdtemp()
    paths = [os.path.join(folder, name) for name in ("input.in", "answer.ans")]
    for path, data in zip(paths, (given, answer)):
        with open(path, "wb") as file:
            file.write(data)
    feedback = os.path.join(folder, "feedback", "")
    os.mkdir(feedback)
    sys.argv = ["validator", *paths, feedback, *flags]
    sys.stdin = io.TextIOWrapper(io.BytesIO(output.encode("utf-8", "surrogatepass")), "utf-8", "surrogatepass")
    status: Any = 0
    try:
        exec(compile(source, "validator.py", "exec", dont_inherit=True), {"__name__": "__main__", "__builtins__": __builtins__})
    except SystemExit as end:
        status = 0 if end.code is None else end.code
    return status if isinstance(status, int) else 1, _said(feedback)


def _said(folder: str) -> str:
    parts = []
    for name in sorted(os.listdir(folder)):
        try:
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                parts.append(file.read(500))
        except OSError:
            pass
    return " ".join(" ".join(parts).split())[:500]
