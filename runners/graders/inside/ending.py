"""Part of programs that run inside the jail (Python 3.8 and newer, standard library only): how a test failed, for a person."""

from __future__ import annotations

_MOST_CHARACTERS = 500


def ending(error: BaseException, source: str) -> str:
    """The exception, and the line of the test that it came from."""
    try:
        said = " ".join(("%s: %s" % (type(error).__name__, error)).split())[:_MOST_CHARACTERS].rstrip(": ")
    except BaseException:
        said = type(error).__name__
    number, step = 0, error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == "test.py":
            number = step.tb_lineno
        step = step.tb_next
    lines = source.split("\n")
    line = lines[number - 1].strip()[:_MOST_CHARACTERS] if 0 < number <= len(lines) else ""
    return "%s, at: %s" % (said or "it fails", line) if line else said or "it fails"
