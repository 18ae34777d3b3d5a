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
from collections.abc import Sequence
from enum import Enum
from typing import Any, NamedTuple

from reexec.policies.model import Limits

from ..addresses import loaded_bytes
from ..errors import EngineError
from ..jail.launch import Launched, baseline_of
from ..jail.progress import used_by
from ..jail.run_delay import RunDelays
from ..own_terms import CallLimits
from ..protocol import claim, files, frames
from ..protocol.endings import LAST_WORDS, WorkerEnd
from .answer import CANCELLED, UNIT, Answer, of_result
from .job import Job
from .starts import Patience

MAX_PROGRAMS = 256
MAX_IN_FLIGHT = 64
MAX_IN_FLIGHT_BYTES = 1 << 20
MAX_ANSWER_BYTES = 8 << 20
IN_FLIGHT_S = 0.05
LOOK_S = 0.5
"""Between two looks at the processes of a worker that is overdue."""
LONG_S = 0.02
"""Nothing is given to a worker whose check has run for longer; what is behind it comes back."""
RECEIVE_BYTES, LONG_RECEIVE_BYTES = 1 << 15, 1 << 18
"""Taken at once, and what is taken then where that was filled. A buffer of the larger size is a mapping of its own each time,
which costs as much as several results."""


class State(Enum):
    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    DRAINING = "draining"
    DEAD = "dead"


class Kills(NamedTuple):
    """So far, and nobody says whose doing."""

    of_workers: int
    """Of this pool, from outside."""
    for_memory: int | None
    """Of any process of this host, by the kernel."""


class WorkerDiedError(Exception):
    """The worker is gone or cannot be trusted any more: `end` says why to the rules, the message to a person."""

    def __init__(self, end: WorkerEnd, message: str) -> None:
        super().__init__(message)
        self.end = end

    @property
    def words(self) -> str:
        """The last line of the message."""
        return str(self).strip().splitlines()[-1] if str(self).strip() else ""


class Worker:
    def __init__(self, launched: Launched, key: frozenset[str], setup: bytes, limits: Limits, index: int) -> None:
        self.launched = launched
        self.key = key
        self.index = index
        self.state = State.STARTING
        self.in_flight: deque[Job] = deque()
        self._returned: list[Job] = []
        self.head_since = time.monotonic()
        self.idle_since = self.head_since
        self._overdue: tuple[float, Patience] | None = None
        """Since when the head was overdue that was looked at last, and its time since then."""
        self._looked_at = 0.0
        self._overdue_s = 0.0
        self.fresh = True
        self.answered = 0
        self.info: dict[str, Any] = {}
        self.zygote_pid: int | None = None
        self.kills_before: Kills | None = None
        """As it was started."""
        self._run_delays: RunDelays | None = None
        self._bytes_in_flight = 0
        self._programs: OrderedDict[str, tuple[int, int]] = OrderedDict()
        """By id: the number that the zygote knows it by, and its bytes."""
        self._next_program = 0
        self._program_bytes, self._most_program_bytes = 0, loaded_bytes()
        self._decoder = frames.Decoder(frames.ZYGOTE_SAYS, limits.output_bytes + 2 * limits.capture_bytes + (1 << 20))
        self._limits, self._capture_bytes = limits, limits.capture_bytes
        self._most_files_bytes = max(limits.output_bytes, claim.REPORT_BYTES) + files.HEAD_BYTES
        self._out = bytearray(frames.encode(frames.SetUp(setup)))
        self.waits_for_room = False
        """Whether the I/O thread is to be told when its socket takes more; the thread's own."""
        self._next_id = 0
        self._death: WorkerDiedError | None = None
        self.mean_s = 0.001
        self._mean_bytes = 0.0
        launched.channel.setblocking(False)

    def fileno(self) -> int:
        return self.launched.channel.fileno()

    # -- sending ----------------------------------------------------------------------------------------------

    def room(self, now: float) -> bool:
        """Whether one more check may be sent: enough in flight hides the host's latency, more only delays others."""
        if self.state is State.IDLE:
            return True
        count = len(self.in_flight)
        return (
            self.state is State.BUSY
            and count < MAX_IN_FLIGHT
            and self._bytes_in_flight < MAX_IN_FLIGHT_BYTES
            and count * self.mean_s < IN_FLIGHT_S
            and count * self._mean_bytes < MAX_ANSWER_BYTES
            and now - self.head_since < LONG_S
            and not self.in_flight[0].alone
        )

    def give(self, job: Job) -> None:
        program, stdin, call = job.program, job.stdin, job.call
        job.sent_bytes = len(call)
        number = self._loaded(job, program.id, program.entry, program.source)
        if stdin is not None:
            call = frames.LENGTH.pack(self._loaded(job, stdin.id, "", stdin.data))
        self._next_id += 1
        if job.limits is not None or job.files is not None:
            self._out += frames.encode(self._own(job))
        job.tag = self._next_id
        job.worker = self
        job.attempts += 1
        if job.members:
            self._out += frames.encode(frames.Unit(self._next_id, number, job.options, len(job.members), call))
        else:
            self._out += frames.encode_check(self._next_id, number, job.options, call)
        if not self.in_flight:
            self.head_since = time.monotonic()
        self.in_flight.append(job)
        self._bytes_in_flight += job.sent_bytes
        self.state = State.BUSY
        self.fresh = False

    def _own(self, job: Job) -> frames.Own:
        """What goes before a check that has terms of its own."""
        bounds = (job.limits or CallLimits()).under(self._limits)
        if job.files is None:
            return frames.Own(self._next_id, *bounds, 0, 0)
        number = self._loaded(job, job.files.id, "", job.files.data)
        return frames.Own(self._next_id, *bounds, number, len(job.files.wanted))

    def cancel_head(self) -> None:
        """Asks for the end of the check that is next to be answered, or runs; it is answered all the same."""
        self._out += frames.encode(frames.Cancel(self.in_flight[0].tag))

    def _loaded(self, job: Job, digest: str, entry: str, source: str | bytes) -> int:
        """The number under which the zygote knows a program, or a standard input; sends it where it is new."""
        known = self._programs.get(digest)
        if known is not None:
            self._programs.move_to_end(digest)
            return known[0]
        data = source if isinstance(source, bytes) else source.encode("utf-8", "surrogatepass")
        # What is in flight must stay; it is the newest, so the oldest goes first.
        needed = {each for flying in (job, *self.in_flight) for each in flying.loaded}
        while len(self._programs) >= MAX_PROGRAMS or self._program_bytes > self._most_program_bytes:
            oldest = next(iter(self._programs))
            if oldest in needed:
                break
            number, size = self._programs.pop(oldest)
            self._program_bytes -= size
            self._out += frames.encode(frames.Forget(number))
        self._next_program = (self._next_program + 1) % (1 << 32)
        self._out += frames.encode(frames.Load(self._next_program, entry.encode("utf-8", "surrogatepass"), data))
        self._programs[digest] = self._next_program, len(data)
        self._program_bytes += len(data)
        job.sent_bytes += len(data)
        return self._next_program

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

    def receive(self) -> list[tuple[Job, Answer]]:
        """Answered jobs; those before a lie or last words in the same breath count, and the next
        call raises. Raises WorkerDiedError."""
        if self._death is not None:
            raise self._death
        try:
            data = self.launched.channel.recv(RECEIVE_BYTES)
            if len(data) == RECEIVE_BYTES:
                with contextlib.suppress(OSError):  # told by the next call
                    data += self.launched.channel.recv(LONG_RECEIVE_BYTES)
        except BlockingIOError:
            return []
        except OSError as error:
            raise WorkerDiedError(WorkerEnd.HUNG_UP, f"the worker hung up ({error.strerror})") from None
        if not data:
            raise WorkerDiedError(WorkerEnd.HUNG_UP, "the worker hung up")
        done: list[tuple[Job, Answer]] = []
        try:
            now = time.monotonic()
            for frame in self._decoder.feed(data):
                if type(frame) is frames.Result:
                    done.append(self._answered(frame, now))
                else:
                    self._take(frame)
            return done
        except frames.ProtocolError as error:
            self._death = WorkerDiedError(WorkerEnd.BROKE_PROTOCOL, f"the worker broke the protocol: {error}")
        except WorkerDiedError as death:
            self._death = death
        if not done:
            raise self._death
        self.state = State.DEAD  # no more jobs for it
        with contextlib.suppress(OSError):
            self.launched.channel.shutdown(socket.SHUT_RDWR)  # readable at once, so that the end is seen in the next round
        return done

    def take_returned(self) -> list[Job]:
        """Checks that the zygote handed back since the last look; also after `receive` has raised."""
        returned, self._returned = self._returned, []
        return returned

    def _answered(self, frame: frames.Result, now: float) -> tuple[Job, Answer]:
        in_flight = self.in_flight
        answer = of_result(frame)
        kind = answer.kind
        job = in_flight[0] if in_flight and in_flight[0].tag == frame.check_id else self._head_job(frame.check_id)
        if (answer.stdout or answer.stderr) and max(len(answer.stdout), len(answer.stderr)) > self._capture_bytes:
            raise frames.ProtocolError("more was printed than is kept")
        if answer.files and (job.files is None or not job.files.wanted or len(answer.files) > self._most_files_bytes):
            raise frames.ProtocolError("files that nobody wanted")
        if kind == CANCELLED and not job.cancelled:
            raise frames.ProtocolError("nobody cancelled it")
        if (kind == UNIT) != bool(job.members):
            raise frames.ProtocolError("a unit for a check, or a check for a unit")
        in_flight.popleft()
        job.worker = None
        self._bytes_in_flight -= job.sent_bytes
        self.answered += 1
        self.mean_s += (answer.wall_us / 1e6 - self.mean_s) * 0.2
        self._mean_bytes += (len(answer.payload) - self._mean_bytes) * 0.2
        self.head_since = now
        if not in_flight and self.state is State.BUSY:
            self.state = State.IDLE
            self.idle_since = now
        return job, answer

    def _take(self, frame: Any) -> None:
        """Any other frame."""
        match frame:
            case frames.Compiled():
                self._head_job(frame.check_id)
                self.head_since = time.monotonic()
            case frames.Hello():
                self._begin(bytes(frame.info))
            case frames.AsksRunDelay():
                self._head_job(frame.check_id)
                if self._run_delays is None:
                    raise frames.ProtocolError("a question before hello")
                self._out += frames.encode(frames.RunDelay(frame.check_id, *self._run_delays.of(frame.check_id)))
            case frames.Returns():
                self._take_back(frame.check_id)
            case frames.Fails():
                if frame.end not in LAST_WORDS:
                    raise frames.ProtocolError(f"an end that is none: {frame.end}")
                raise WorkerDiedError(WorkerEnd(frame.end), str(frame.words, "utf-8", "replace"))
            case frames.Retires():
                if self.state is State.STARTING:
                    raise frames.ProtocolError("retires before hello")
                self.state = State.DRAINING

    def _head_job(self, check_id: int) -> Job:
        """The check that the zygote must be at. Raises ProtocolError where it speaks of another one."""
        if not self.in_flight or self.in_flight[0].tag != check_id:
            raise frames.ProtocolError("an answer about a check that is not the next one")
        return self.in_flight[0]

    def _take_back(self, last_id: int) -> None:
        """Checks behind the running one, up to `last_id`, were not begun."""
        if len(self.in_flight) < 2 or not self.in_flight[1].tag <= last_id <= self.in_flight[-1].tag:
            raise frames.ProtocolError("returns checks that it does not have")
        while len(self.in_flight) > 1 and self.in_flight[1].tag <= last_id:
            job = self.in_flight[1]
            del self.in_flight[1]
            job.worker = None
            self._bytes_in_flight -= job.sent_bytes
            self._returned.append(job)

    def _begin(self, info: bytes) -> None:
        """Step 4 of the handshake (launch.py)."""
        if self.state is not State.STARTING:
            raise frames.ProtocolError("a second hello")
        try:
            self.info = json.loads(info)
        except (ValueError, RecursionError):
            raise frames.ProtocolError("hello is not JSON") from None
        if not isinstance(self.info, dict):
            raise frames.ProtocolError("hello is not an object")
        self.zygote_pid = self.launched.zygote_pid()
        try:
            if self.zygote_pid is None:
                raise OSError("its zygote is gone")
            baseline = baseline_of(self.zygote_pid)
        except OSError as error:
            raise WorkerDiedError(WorkerEnd.HUNG_UP, f"the worker died while starting ({error})") from None
        self._run_delays = RunDelays(self.zygote_pid)
        self.launched.forget_folder()
        self._out += frames.encode(baseline)
        self.state = State.IDLE
        self.idle_since = time.monotonic()

    def overdue_s(self, now: float, limit_s: float) -> float:
        """For how long of its own time (starts.py) this worker has owed an answer, or its hello, past `limit_s`."""
        if now - self.head_since <= limit_s:
            return 0.0
        if self._overdue is not None and self._overdue[0] == self.head_since and now - self._looked_at < LOOK_S:
            return self._overdue_s
        if self.zygote_pid is None:
            used = used_by(self.launched.process.pid, self.launched.zygote_pid())
        else:  # one that is stopped under a check is replaced seconds after the backstop, which has had its minutes
            used = used_by(self.zygote_pid)._replace(stopped=False)
        if self._overdue is None or self._overdue[0] != self.head_since:
            self._overdue = self.head_since, Patience(now, used)
        self._looked_at = now
        self._overdue_s = self._overdue[1].had_s(now, used)
        return self._overdue_s

    # -- the end ----------------------------------------------------------------------------------------------

    def end(self) -> tuple[int, str]:
        """Kills and reaps it; its exit status and what it left in its log."""
        self.state = State.DEAD
        log = self.launched.log_text()
        return self.launched.dispose(), log

    def __repr__(self) -> str:
        return f"<worker {self.index} {self.state.value} of {os.getpid()}>"


def ahead_of(workers: Sequence[Worker], active: int) -> float:
    """Seconds for which each busy worker has checks, as far as anybody can tell; 0 where one more could be busy, or one starts
    or ends."""
    busy = [worker for worker in workers if worker.state is State.BUSY]
    if len(busy) < active or any(worker.state is not State.IDLE for worker in workers if worker.state is not State.BUSY):
        return 0.0
    return min((len(worker.in_flight) * worker.mean_s for worker in busy), default=0.0)


def start_error(log: str, reason: str) -> EngineError:
    """Why a worker did not come up, in nsjail's or Python's own last words."""
    lines = [line for line in log.splitlines() if line.strip() and not line.startswith(("[W]", "[I]"))]
    if lines and (lines[-1].startswith(" ") or "Traceback" in lines[-1]):  # a traceback that was still being written
        lines = reason.strip().splitlines()
    said = next((line for line in lines if line.startswith(("[E]", "[F]"))), lines[-1] if lines else reason)
    if "Couldn't launch the child process" in said:
        said = "nsjail may not make namespaces here: user.max_user_namespaces is 0, or a container's filter forbids it"
    return EngineError(f"a worker did not come up: {said}", stage="start worker", retry_helps=True)
