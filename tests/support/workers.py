"""A real Worker whose zygote is the test itself: frames go through a socket pair, and there is no process behind it."""

import os
import socket
from types import SimpleNamespace
from typing import Any, cast

from reexec import Program, load_policy
from reexec.engine.jail.launch import Launched
from reexec.engine.pool import worker as worker_module
from reexec.engine.pool.answer import Answer
from reexec.engine.pool.job import Caller, Job
from reexec.engine.pool.worker import State, Worker
from reexec.engine.protocol import claim, frames

LIMITS = load_policy("codeio").limits
PROGRAM = Program("def f():\n    return 1", "f")
PLAIN = frozenset[str]()


class ScriptedWorker(Worker):
    """The test answers for it: `hello`, `answer`, `hand_back`, `say`."""

    def __init__(self, key: frozenset[str] = PLAIN, index: int = 1) -> None:
        ours, self.theirs = socket.socketpair()
        process = SimpleNamespace(pid=os.getpid())
        folder = SimpleNamespace(remove=lambda: None)
        launched = Launched(cast(Any, process), ours, None, None, cast(Any, folder))
        super().__init__(launched, key, b"{}", LIMITS, index)

    def say(self, *said: tuple[Any, ...]) -> list[tuple[Job, Answer]]:
        """Sends frames to the host's side and lets it read them."""
        self._drop_what_the_host_said()
        self.theirs.sendall(b"".join(map(frames.encode, said)))
        return self.receive()

    def hello(self) -> None:
        """It is up, without the handshake: that looks at a process."""
        self.state = State.IDLE
        self.idle_since = vars(worker_module)["time"].monotonic()

    def answer(self, kind: str = "value", wall_us: int = 1000) -> Job:
        """The check at the head is done."""
        number = next(number for number, word in claim.WORDS.items() if word == kind)
        tag = self.in_flight[0].tag
        ((job, _),) = self.say(frames.Result(tag, number, 0, 10, wall_us, 0, b"1", b"", b"", b""))
        return job

    def hand_back(self) -> list[Job]:
        """As a zygote does whose check has run for 20 ms."""
        self.say(frames.Returns(self.in_flight[-1].tag))
        return self.take_returned()

    def said_by_host(self) -> list[Any]:
        """Frames that the host has sent since the last look."""
        self.flush()
        self.theirs.setblocking(False)
        try:
            data = self.theirs.recv(1 << 20)
        except BlockingIOError:
            return []
        return frames.Decoder(frames.HOST_SAYS, 1 << 30).feed(data)

    def _drop_what_the_host_said(self) -> None:
        self._out.clear()

    def close(self) -> None:
        self.theirs.close()
        self.launched.channel.close()


def job_for(
    caller: Caller, key: frozenset[str] = PLAIN, sequence: int = 0, call: bytes = b"", program: Program = PROGRAM
) -> Job:
    job = Job(program, call, 0, lambda job: None, caller)
    job.key, job.sequence = key, sequence
    return job
