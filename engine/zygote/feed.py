"""The standard input of one script: a pipe that the zygote fills while the script runs, from the region that forks do not copy.

What a script does not read is no fault of its: where it closes the pipe or ends, the rest is dropped.
"""

from __future__ import annotations

import os

PIECE_BYTES = 1 << 16


class Feed:
    def __init__(self, data: memoryview) -> None:
        self._data, self._at = data, 0
        self._reader, self.writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.writer, False)
        self.open = True
        self.advance()

    def in_child(self) -> None:
        os.dup2(self._reader, 0)
        os.close(self._reader)
        if self.open:
            os.close(self.writer)

    def in_parent(self) -> None:
        os.close(self._reader)

    def advance(self) -> None:
        """Writes what the pipe takes; `open` says whether there is more."""
        try:
            while self._at < len(self._data):
                self._at += os.write(self.writer, self._data[self._at : self._at + PIECE_BYTES])
        except BlockingIOError:
            return
        except BrokenPipeError:
            pass
        self.finish()

    def finish(self) -> None:
        if self.open:
            self.open = False
            os.close(self.writer)
            self.writer = -1  # its number may be another descriptor's by now
