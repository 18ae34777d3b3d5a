"""A node as a process: frames come over standard input and leave over standard output. Ends with its input, or its driver."""

import contextlib
import os
import sys
import threading
from typing import IO

from .node import NodeWork
from .processes import read_frame, write_frame


def main() -> None:
    processors = {int(each) for each in sys.argv[1].split(",") if each}
    if processors:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, processors)
    given, taken = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)  # what anybody prints is no frame
    work = NodeWork()
    threading.Thread(target=_answer, args=(work, taken), daemon=True).start()
    try:
        while (data := read_frame(given)) is not None:
            work.give(data)
    finally:
        work.close()


def _answer(work: NodeWork, taken: IO[bytes]) -> None:
    with contextlib.suppress(OSError):  # the driver has gone; so will this process
        while True:
            write_frame(taken, work.take())


if __name__ == "__main__":
    main()
