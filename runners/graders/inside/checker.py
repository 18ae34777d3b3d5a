"""Runs inside the jail (Python 3.8 and newer, standard library only): a package's output validator, as it is run elsewhere:
`validator INPUT ANSWER FEEDBACK_FOLDER FLAGS... < OUTPUT`."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from typing import Any, Dict, List, Tuple

MOST_SAID_BYTES = 2000


def check(source: str, flags: List[str], given: bytes, answer: bytes, output: str) -> Tuple[Any, str]:
    """(exit status, what it wrote into its feedback) of a validator in Python."""
    arguments, feedback = _files(given, answer)
    sys.argv = ["validator", *arguments, *flags]
    sys.stdin = io.TextIOWrapper(io.BytesIO(output.encode("utf-8", "surrogatepass")), "utf-8", "surrogatepass")
    status: Any = 0
    try:
        exec(compile(source, "validator.py", "exec", dont_inherit=True), {"__name__": "__main__", "__builtins__": __builtins__})
    except SystemExit as end:
        status = 0 if end.code is None else end.code
    return status if isinstance(status, int) else 1, _said(feedback)


def check_by_command(
    command: List[str], environment: Dict[str, str], flags: List[str], given: bytes, answer: bytes, output: str
) -> Tuple[Any, str]:
    """As `check`, of a validator that is a program of its own: `command` starts it. What it prints is heard too."""
    arguments, feedback = _files(given, answer)
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as said:
        stdin.write(output.encode("utf-8", "surrogatepass"))
        stdin.seek(0)
        environment = {**os.environ, **environment, "TMPDIR": tempfile.gettempdir()}
        done = subprocess.run(
            [*command, *arguments, *flags], stdin=stdin, stdout=said, stderr=said, env=environment, check=False
        )
        said.seek(0)
        printed = said.read(MOST_SAID_BYTES).decode("utf-8", "replace")
    reason = "ended by signal %d" % -done.returncode if done.returncode < 0 else ""
    return done.returncode, " ".join((_said(feedback) or reason or printed).split())[:500]


def _files(given: bytes, answer: bytes) -> Tuple[List[str], str]:
    """(the arguments that a validator has before its flags, its feedback folder)"""
    folder = tempfile.mkdtemp()
    paths = [os.path.join(folder, name) for name in ("input.in", "answer.ans")]
    for path, data in zip(paths, (given, answer)):
        with open(path, "wb") as file:
            file.write(data)
    feedback = os.path.join(folder, "feedback", "")
    os.mkdir(feedback)
    return [*paths, feedback], feedback


def _said(folder: str) -> str:
    parts = []
    for name in sorted(os.listdir(folder)):
        try:
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                parts.append(file.read(500))
        except OSError:
            pass
    return " ".join(" ".join(parts).split())[:500]
