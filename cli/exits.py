"""Exit codes, the same for every command."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reexec.runners.stage import Summary

DONE = 0
"""All of it was done."""
IMPERFECT = 1
"""Done, but rows were rejected or ended as engine-error; for `call --expect`: not accepted."""
USAGE = 2
"""The call was wrong, nothing could be read or written, or no row at all could be used."""
NO_ISOLATION = 3
"""This host cannot give the isolation that was asked for."""
INTERRUPTED = 130
"""Ctrl-C; the same command goes on from there."""


def of(summary: "Summary") -> int:
    """The code of a stage; a run that could use no row at all has done nothing."""
    if summary.useless:
        return USAGE
    return IMPERFECT if summary.rejected or summary.unchecked else DONE


def of_files(rows: int, rejected: int, engine_errors: int) -> int:
    """The code of a command from files to files: a run that could use no row at all has done nothing."""
    if not rows and rejected:
        return USAGE
    return IMPERFECT if rejected or engine_errors else DONE
