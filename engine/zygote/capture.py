"""Standard output and error of one check, kept up to a cap. Without a cap both go to /dev/null and none of this runs.

Two pipes, opened before the fork. The zygote reads them while the check runs, so that a program that prints does not block;
past the cap nothing more is kept and the check ends in output-limit.
"""

from __future__ import annotations

import os

CHUNK_BYTES = 1 << 16


class Capture:
    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._pipes = [os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)]
        self._kept = [bytearray(), bytearray()]
        self.readers = {self._pipes[0][0]: 0, self._pipes[1][0]: 1}
        self.exceeded = False

    def in_child(self) -> None:
        for target, (reader, writer) in zip((1, 2), self._pipes):
            os.dup2(writer, target)
            os.close(writer)
            os.close(reader)

    def in_parent(self) -> None:
        for reader, writer in self._pipes:
            os.close(writer)
            os.set_blocking(reader, False)

    def take(self, reader: int) -> bool:
        """Reads what is there; False at the end of the stream."""
        try:
            data = os.read(reader, CHUNK_BYTES)
        except BlockingIOError:
            return True
        kept = self._kept[self.readers[reader]]
        kept += data
        if len(kept) > self._most:
            del kept[self._most :]
            self.exceeded = True
        return bool(data)

    def finish(self) -> tuple[bytes, bytes]:
        """Once nothing of the check is left: what it wrote. No more than a pipe's content can be waiting."""
        for reader in self.readers:
            for _ in range(64):
                before = len(self._kept[self.readers[reader]])
                if not self.take(reader) or len(self._kept[self.readers[reader]]) == before:
                    break
            os.close(reader)
        return bytes(self._kept[0]), bytes(self._kept[1])
