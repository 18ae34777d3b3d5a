"""Standard output and error of one check, kept up to a cap. Without a cap both go to /dev/null and none of this runs.

Two pipes, opened before the fork. The zygote reads them while the check runs, so that a program that prints does not block;
past the cap nothing more is kept and the check ends in output-limit. What was printed lies in the region that forks do not
copy.
"""

from __future__ import annotations

import os

from .secrets import KEPT_BYTES, Region

CHUNK_BYTES = 1 << 16


class Pages:
    """Room for both streams, used by one check after the other."""

    def __init__(self, region: Region, most_bytes: int) -> None:
        self._region = region
        self._areas = [region.area(self.bytes(most_bytes) // 2) for _ in range(2)]

    @staticmethod
    def bytes(most_bytes: int) -> int:
        return 2 * (most_bytes + CHUNK_BYTES)

    def views(self) -> list[memoryview]:
        return [self._region.view[begin:end] for begin, end in self._areas]

    def release(self) -> None:
        for begin, end in self._areas:
            self._region.release(begin + KEPT_BYTES, end)


class Capture:
    def __init__(self, pages: Pages, most_bytes: int) -> None:
        self._most = most_bytes
        self._views = pages.views()
        self._pipes = [os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)]
        self._kept = [0, 0]
        self.readers = {self._pipes[0][0]: 0, self._pipes[1][0]: 1}
        self.exceeded = False
        for reader in self.readers:
            os.set_blocking(reader, False)

    def in_child(self) -> None:
        for target, (reader, writer) in zip((1, 2), self._pipes):
            os.dup2(writer, target)
            os.close(writer)
            os.close(reader)

    def in_parent(self) -> None:
        for _, writer in self._pipes:
            os.close(writer)

    def take(self, reader: int) -> bool:
        """Reads what is there; False at the end of the stream."""
        stream = self.readers[reader]
        kept = self._kept[stream]
        try:
            count = os.readv(reader, [self._views[stream][kept : kept + CHUNK_BYTES]])
        except BlockingIOError:
            return True
        self._kept[stream] = min(kept + count, self._most)
        self.exceeded = self.exceeded or kept + count > self._most
        return count > 0

    def finish(self) -> None:
        """Once nothing of the check is left: reads the rest. No more than a pipe's content can be waiting."""
        for reader, stream in self.readers.items():
            for _ in range(64):
                before = self._kept[stream]
                if not self.take(reader) or self._kept[stream] == before:
                    break
            os.close(reader)

    def printed(self) -> tuple[memoryview, memoryview] | None:
        """What it wrote to standard output and error; None where it wrote nothing."""
        if not any(self._kept):
            return None
        stdout, stderr = (view[:kept] for view, kept in zip(self._views, self._kept))
        return stdout, stderr
