"""The entry of the command. Importing the rest takes most of a short command's time: Ctrl-C in it ends in one line as well."""

import contextlib
import os
import signal
from typing import Any

_SAID = b"reexec: interrupted before anything was done\n"


def _leave(*_: Any) -> None:
    with contextlib.suppress(OSError):
        os.write(2, _SAID)
    os._exit(130)  # nothing is open yet; an exception could be caught, or told with its traceback, by what is being imported


def main() -> None:
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # else it is ignored, as in the background of a shell
    if ours:
        signal.signal(signal.SIGINT, _leave)
    from .main import main as run

    if ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()
