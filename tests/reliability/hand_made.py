"""A real Worker whose other end is held by a test: it says whatever the test wants, in frames or in bytes."""

import socket
import subprocess
import tempfile
from types import TracebackType
from typing import Any, Self

from reexec import Program, load_policy
from reexec.engine.jail.folders import StartFolder
from reexec.engine.jail.launch import Launched
from reexec.engine.pool.job import Caller, Job
from reexec.engine.pool.worker import Worker
from reexec.engine.protocol import claim, frames

LIMITS = load_policy("codeio", settings=["limits.output_bytes=4096", "limits.capture_bytes=1024"]).limits
PROGRAM = Program("def f():\n    return 1", "f")
INFO = b'{"version": [3, 12, 0], "missing": []}'


class HandMade:
    """A worker over a socket pair; its process is one that only waits."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(["sleep", "100000"])
        self._folder = StartFolder()
        self._log = tempfile.TemporaryFile(dir=self._folder.path)  # noqa: SIM115 - the worker closes it
        self._connect()

    def _connect(self) -> None:
        ours, self.theirs = socket.socketpair()
        self.theirs.settimeout(5)
        launched = Launched(self._process, ours, self._log, None, self._folder)
        self.worker = Worker(launched, frozenset(), b"{}", LIMITS, 1)

    def renew(self) -> None:
        """Another worker over another socket; the process behind it stays the same."""
        self.theirs.close()
        self.worker.launched.channel.close()
        self._connect()

    def say(self, *said: tuple[Any, ...] | bytes) -> None:
        """Frames, or bytes as they are, in one piece."""
        self.theirs.sendall(b"".join(frame if isinstance(frame, bytes) else frames.encode(frame) for frame in said))

    def give(self, job: Job | None = None) -> Job:
        job = job or Job(PROGRAM, b"", 0, lambda job: None, Caller())
        self.worker.give(job)
        return job

    def said_by_host(self) -> None:
        """Takes what the host has to say out of its buffer and out of the socket."""
        self.worker.flush()
        self.theirs.setblocking(False)
        try:
            while self.theirs.recv(1 << 16):
                pass
        except BlockingIOError:
            pass
        self.theirs.settimeout(5)

    def close(self) -> None:
        self.theirs.close()
        self.worker.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def result(
    check_id: int, payload: bytes = b"1", kind: int = claim.BYTE_OF["value"], stdout: bytes = b"", stderr: bytes = b""
) -> frames.Result:
    """It names its check once more in the place of its processor time, so that an Answer says which one it is."""
    return frames.Result(check_id, kind, 0, check_id, 20, 30, payload, b"", stdout, stderr)
