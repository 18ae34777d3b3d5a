"""Nodes that are processes of this machine: past what one process can hand out, and what the other nodes are like.

A node is `python -m reexec.runners.backends.node_process` with frames over its standard streams. It has a session of its own,
so that Ctrl-C reaches the driver alone, and ends when its input does. Its processors are every n-th of ours.
"""

import contextlib
import os
import queue
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Collection
from typing import IO

from reexec.engine.errors import EngineError

from .link import Link

LENGTH = struct.Struct("!Q")
END_S = 10.0


def default_count() -> int:
    """A node for every 16 processors, and two at least: with one there is nothing to gain."""
    return max(2, len(os.sched_getaffinity(0)) // 16)


class Processes:
    """The transport of `count` processes; one that is lost is started anew."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._processors = sorted(os.sched_getaffinity(0))

    def connect(self, taken: Collection[str]) -> list[Link]:
        made: list[Link] = []
        for number in range(self._count):
            name = f"process {number}"
            if name not in taken:
                made.append(Process(name, self._processors[number :: self._count]))
        return made

    def close(self) -> None:
        pass


class Process:
    def __init__(self, name: str, processors: list[int]) -> None:
        """Raises EngineError where no process can be started."""
        self.name = name
        command = [sys.executable, "-m", "reexec.runners.backends.node_process", ",".join(map(str, processors))]
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        except OSError as error:
            raise EngineError(f"no process for a node ({error})", stage="connect", retry_helps=True) from None
        self._out: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(self, heard: Callable[[bytes], None], ended: Callable[[str], None]) -> None:
        threading.Thread(target=self._write, daemon=True).start()
        threading.Thread(target=self._read, args=(heard, ended), daemon=True).start()

    def send(self, data: bytes) -> None:
        self._out.put(data)

    def close(self) -> None:
        self._out.put(None)
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _write(self) -> None:
        stream = self._process.stdin
        assert stream is not None
        with contextlib.suppress(OSError), stream:  # its end is seen by whoever reads
            while (data := self._out.get()) is not None:
                write_frame(stream, data)

    def _read(self, heard: Callable[[bytes], None], ended: Callable[[str], None]) -> None:
        stream = self._process.stdout
        assert stream is not None
        with stream:
            while (data := read_frame(stream)) is not None:
                heard(data)
        status = self._process.wait()
        ended(f"its process ended by signal {-status}" if status < 0 else f"its process ended with status {status}")


def write_frame(stream: IO[bytes], data: bytes) -> None:
    stream.write(LENGTH.pack(len(data)) + data)
    stream.flush()


def read_frame(stream: IO[bytes]) -> bytes | None:
    """None at the end of the stream, and where it breaks off."""
    first = stream.read(LENGTH.size)
    if len(first) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(first)
    data = stream.read(length)
    return data if len(data) == length else None
