"""Exit codes, the same for every command."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reexec.runners.stage import Summary

DONE = 0
"""All of it was done."""
IMPERFECT = 1
"""Done, but rows were lost (see runners/losses.py) or ended as engine-error; for `call --expect`: not accepted."""
USAGE = 2
"""The call was wrong, nothing could be read or written, or no row at all could be used."""
NO_ISOLATION = 3
"""This host cannot give the isolation that was asked for."""
INTERRUPTED = 130
"""Ctrl-C; run the same command again to resume."""


def is_useless(summary: "Summary") -> bool:
    """Whether the input had rows, and nothing could be done with any of them."""
    gone = _lost(summary)
    if summary.stage == "infer":  # of its reasons some are answers, and yet without one response nothing was done
        return bool(summary.rejected) and not summary.rows
    return bool(gone) and (not summary.used or gone >= summary.read)


def of(summary: "Summary") -> int:
    """The code of a stage; a run that could use no row at all has done nothing."""
    if is_useless(summary):
        return USAGE
    stopped = summary.counts.get("stopped")
    return IMPERFECT if stopped or _lost(summary) or summary.unchecked or (summary.rejected and not summary.rows) else DONE


def _lost(summary: "Summary") -> int:
    from reexec.runners.losses import lost

    return sum(lost(summary.stage, {**summary.counts, "rejected": summary.rejected}).values())


def of_files(rows: int, rejected: int, engine_errors: int) -> int:
    """The code of a command from files to files: a run that could use no row at all has done nothing."""
    if not rows and rejected:
        return USAGE
    return IMPERFECT if rejected or engine_errors else DONE
