"""One worker as the I/O thread holds it: a zygote with its jail, what it was sent and has not answered.

state      from        to                 meaning
starting   -           idle, dead         its processes run, `hello` has not come
idle       starting    busy, dead         nothing in flight
busy       idle        idle, draining     checks in flight, answered in the order sent
draining   busy        dead               asked to be replaced; gets no more checks
dead       any         -                  nothing more is taken from it; its processes are killed and reaped
"""

import contextlib
import json
import os
import socket
import time
from collections import OrderedDict, deque
from enum import Enum
from typing import Any

from reexec.policies.model import Limits

from ..errors import EngineError
from ..jail.launch import Launched, baseline_of
from ..jail.run_delay import run_delay_us
from ..protocol import wire
from ..protocol.endings import LAST_WORDS, WorkerEnd
from .job import Job

MAX_PROGRAMS = 256
MAX_PROGRAM_BYTES = 32 << 20
MAX_IN_FLIGHT = 64
MAX_IN_FLIGHT_BYTES = 1 << 20
IN_FLIGHT_S = 0.05
_RECEIVE_BYTES = 1 << 18


class State(Enum):
    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    DRAINING = "draining"
    DEAD = "dead"


class WorkerDiedError(Exception):
    """The worker is gone or cannot be trusted any more: `end` says why to the rules, the message to a person."""

    def __init__(self, end: WorkerEnd, message: str) -> None:
        super().__init__(message)
        self.end = end


class Worker:
    def __init__(self, launched: Launched, key: frozenset[str], setup: bytes, limits: Limits, index: int) -> None:
        self.launched = launched
        self.key = key
        self.index = index
        self.state = State.STARTING
        self.in_flight: deque[Job] = deque()
        self.returned: list[Job] = []
        """Not begun by this worker; the loop takes them out."""
        self.head_since = time.monotonic()
        self.idle_since = self.head_since
        self.fresh = True
        self.answered = 0
        self.info: dict[str, Any] = {}
        self.zygote_pid: int | None = None
        self._bytes_in_flight = 0
        self._programs: OrderedDict[str, int] = OrderedDict()
        self._program_bytes = 0
        self._decoder = wire.Decoder(wire.ZYGOTE_SAYS, limits.output_bytes + 2 * limits.capture_bytes + (1 << 20))
        self._capture_bytes = limits.capture_bytes
        self._out = bytearray(wire.encode("setup", setup))
        self._next_id = 0
        self._death: WorkerDiedError | None = None
        self.mean_s = 0.001
        launched.channel.setblocking(False)

    def fileno(self) -> int:
        return self.launched.channel.fileno()

    # -- sending ----------------------------------------------------------------------------------------------

    def room(self) -> bool:
        """Whether one more check may be sent: enough in flight hides the host's latency, more only delays others."""
        if self.state is State.IDLE:
            return True
        count = len(self.in_flight)
        return (
            self.state is State.BUSY
            and count < MAX_IN_FLIGHT
            and self._bytes_in_flight < MAX_IN_FLIGHT_BYTES
            and count * self.mean_s < IN_FLIGHT_S
            and not self.in_flight[0].alone
        )

    def give(self, job: Job) -> None:
        program = job.program
        if program.id in self._programs:
            self._programs.move_to_end(program.id)
        else:
            self._send_program(job)
        self._next_id += 1
        job.tag = self._next_id
        job.attempts += 1
        self._out += wire.encode_check(self._next_id, program.id, job.call, job.options)
        if not self.in_flight:
            self.head_since = time.monotonic()
        self.in_flight.append(job)
        self._bytes_in_flight += len(job.call)
        self.state = State.BUSY
        self.fresh = False

    def _send_program(self, job: Job) -> None:
        source = job.program.source.encode("utf-8", "surrogatepass")
        # Programs in flight must stay; they are the newest, so the oldest go first.
        needed = {job.program.id} | {flying.program.id for flying in self.in_flight}
        while len(self._programs) >= MAX_PROGRAMS or self._program_bytes > MAX_PROGRAM_BYTES:
            oldest = next(iter(self._programs))
            if oldest in needed:
                break
            self._program_bytes -= self._programs.pop(oldest)
            self._out += wire.encode("forget", oldest)
        self._out += wire.encode("program", job.program.id, source, job.program.entry)
        self._programs[job.program.id] = len(source)
        self._program_bytes += len(source)

    def wants_to_write(self) -> bool:
        return bool(self._out)

    def flush(self) -> None:
        """Writes what the socket takes. Raises WorkerDiedError."""
        try:
            while self._out:
                sent = self.launched.channel.send(memoryview(self._out)[: 1 << 18])
                del self._out[:sent]
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            self._out.clear()  # its last words may still be unread: the end shows in receive()
        except OSError as error:
            raise WorkerDiedError(WorkerEnd.HUNG_UP, f"the worker hung up ({error.strerror})") from None

    # -- receiving --------------------------------------------------------------------------------------------

    def receive(self) -> list[tuple[Job, list[Any]]]:
        """Answered jobs with their `result` frames; those before a lie or last words in the same breath count, and the next
        call raises. Raises WorkerDiedError."""
        if self._death is not None:
            raise self._death
        try:
            data = self.launched.channel.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return []
        except OSError as error:
            raise WorkerDiedError(WorkerEnd.HUNG_UP, f"the worker hung up ({error.strerror})") from None
        if not data:
            raise WorkerDiedError(WorkerEnd.HUNG_UP, "the worker hung up")
        done: list[tuple[Job, list[Any]]] = []
        try:
            for frame in self._decoder.feed(data):
                done += self._take(frame)
            return done
        except wire.ProtocolError as error:
            self._death = WorkerDiedError(WorkerEnd.BROKE_PROTOCOL, f"the worker broke the protocol: {error}")
        except WorkerDiedError as death:
            self._death = death
        if not done:
            raise self._death
        self.state = State.DEAD  # no more jobs for it
        with contextlib.suppress(OSError):
            self.launched.channel.shutdown(socket.SHUT_RDWR)  # readable at once, so that the end is seen in the next round
        return done

    def _take(self, frame: list[Any]) -> list[tuple[Job, list[Any]]]:
        match frame[0]:
            case "result":
                if not self.in_flight or self.in_flight[0].tag != frame[1]:
                    raise wire.ProtocolError("a result for a check that is not the next one")
                job = self.in_flight.popleft()
                self._bytes_in_flight -= len(job.call)
                self.answered += 1
                self.mean_s += (frame[6] / 1e6 - self.mean_s) * 0.2
                self.head_since = time.monotonic()
                if not self.in_flight and self.state is State.BUSY:
                    self.state = State.IDLE
                    self.idle_since = self.head_since
                return [(job, frame)]
            case "printed":
                _, check_id, stdout, stderr = frame
                if not self.in_flight or self.in_flight[0].tag != check_id:
                    raise wire.ProtocolError("a print of a check that is not the next one")
                if max(len(stdout), len(stderr)) > self._capture_bytes:
                    raise wire.ProtocolError("more was printed than is kept")
                self.in_flight[0].printed = (stdout, stderr)
            case "hello":
                self._begin(frame[1])
            case "asks_run_delay":
                if not self.in_flight or self.in_flight[0].tag != frame[1] or self.zygote_pid is None:
                    raise wire.ProtocolError("a question about a check that is not the next one")
                self._out += wire.encode("run_delay", frame[1], run_delay_us(self.zygote_pid))
            case "fails":
                if frame[1] not in LAST_WORDS:
                    raise wire.ProtocolError(f"an end that is none: {frame[1]}")
                raise WorkerDiedError(WorkerEnd(frame[1]), f"the zygote failed: {frame[2]}")
            case "returns":
                self._take_back(frame[1])
            case "retires":
                if self.state is State.STARTING:
                    raise wire.ProtocolError("retires before hello")
                self.state = State.DRAINING
        return []

    def _take_back(self, last_id: int) -> None:
        """Checks behind the running one, up to `last_id`, were not begun."""
        if len(self.in_flight) < 2 or not self.in_flight[1].tag <= last_id <= self.in_flight[-1].tag:
            raise wire.ProtocolError("returns checks that it does not have")
        while len(self.in_flight) > 1 and self.in_flight[1].tag <= last_id:
            job = self.in_flight[1]
            del self.in_flight[1]
            self._bytes_in_flight -= len(job.call)
            self.returned.append(job)

    def _begin(self, info: bytes) -> None:
        """Step 4 of the handshake (launch.py)."""
        if self.state is not State.STARTING:
            raise wire.ProtocolError("a second hello")
        try:
            self.info = json.loads(info)
        except (ValueError, RecursionError):
            raise wire.ProtocolError("hello is not JSON") from None
        if not isinstance(self.info, dict):
            raise wire.ProtocolError("hello is not an object")
        self.zygote_pid = self.launched.zygote_pid()
        try:
            if self.zygote_pid is None:
                raise OSError("its zygote is gone")
            baseline = baseline_of(self.zygote_pid)
        except OSError as error:
            raise WorkerDiedError(WorkerEnd.HUNG_UP, f"the worker died while starting ({error})") from None
        self.launched.forget_folder()
        self._out += wire.encode("baseline", *baseline)
        self.state = State.IDLE
        self.idle_since = time.monotonic()

    # -- the end ----------------------------------------------------------------------------------------------

    def end(self) -> tuple[int, str]:
        """Kills and reaps it; its exit status and what it left in its log."""
        self.state = State.DEAD
        log = self.launched.log_text()
        return self.launched.dispose(), log

    def __repr__(self) -> str:
        return f"<worker {self.index} {self.state.value} of {os.getpid()}>"


def start_error(log: str, reason: str) -> EngineError:
    """Why a worker did not come up, in nsjail's or Python's own last words."""
    lines = [line for line in log.splitlines() if line.strip()]
    said = next((line for line in lines if line.startswith(("[E]", "[F]"))), lines[-1] if lines else reason)
    if "Couldn't launch the child process" in said:
        said = "nsjail may not make namespaces here: user.max_user_namespaces is 0, or a container's filter forbids it"
    return EngineError(f"a worker did not come up: {said}", stage="start worker", retry_helps=True)
