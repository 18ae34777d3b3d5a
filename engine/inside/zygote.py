"""The warm process in the jail: PID 1 of its namespace, single-threaded. It forks a child for every check, holds the
deadlines, ends and reaps everything that a check left, and answers the host.

    what happens                        what the zygote does
    ----------------------------------  ------------------------------------------------------------------
    a final claim arrives               takes it, ends the check's processes, answers
    the child ends without a claim      answers from its exit status
    the processor budget is spent       ends it, cpu-limit
    asleep for longer than idle_s       asks the host for the time spent runnable, then ends it, wall-limit
    the host hangs up, at any time      ends everything and exits
    anything of our own goes wrong      says `fails` with the traceback and exits

Nothing that a program controls is parsed or compiled here: sources and claims stay bytes.
"""

from __future__ import annotations

import gc
import json
import marshal
import os
import select
import signal
import sys
import time
import traceback
from typing import Any, Callable, Tuple

from . import child, claim, forking, heap, lockdown, prelude, text, wire
from .claim import Claim
from .ending import CHUNK_BYTES, CPU_LIMIT, WALL_LIMIT, clock, drain, empty_scratch, from_status

# Taken here so that the code between two forks looks up little.
POLLIN, O_CLOEXEC = select.POLLIN, os.O_CLOEXEC
pipe2, close, read, monotonic = os.pipe2, os.close, os.read, time.monotonic
encode_result, read_whole = wire.encode_result, claim.read_whole

LATE_FACTOR, LATE_S = 1.05, 0.05  # a claim that comes later than this after the processor budget comes too late
ASK_AGAIN_S = 0.05
HARNESS_BROKEN = 70  # exit code of a child whose program broke the harness around it
FLUSH_S, SOON_MS = 0.012, 20
CHANNEL_BYTES = 1 << 20


class HostGone(BaseException):
    pass


Usage = Any  # resource.struct_rusage
Ending = Tuple[Claim, float, float, int]  # the claim, cpu_s, wall_s, peak_kib


class Program:
    __slots__ = ("code", "entry", "failure", "source")

    def __init__(self, source: bytes, entry: str) -> None:
        self.source = source
        self.entry = entry
        self.code: bytes | None = None
        self.failure: Ending | None = None  # the ending of its compilation, the same for all its checks


class Zygote:
    def __init__(self, channel: int, alone_in_namespace: bool) -> None:
        self._channel = channel
        self._alone = alone_in_namespace
        self._decoder = wire.Decoder(wire.HOST_SAYS, 1 << 30)
        self._frames: list[list[Any]] = []
        self._programs: dict[str, Program] = {}
        self._run_delay: tuple[int, float | None] | None = None  # (check id, seconds or None), the host's last answer
        self._resident_kib = 0
        self._config: dict[str, Any] = {}
        self._single = False
        self._fork: Callable[[], int] = os.fork
        self._poller = select.poll()
        self._polled = -1
        self._unsent: list[tuple[int, Ending]] = []
        self._ended = self._flushed = 0.0
        self._task = child.Task()  # filled anew for each check; a child has its own copy
        self._fillers: list[bytes] = []
        self._scratch = False
        self._late_s = self._first_wait_ms = 0.0
        self._output_bytes = 0

    # -- start ------------------------------------------------------------------------------------------------

    def set_up(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._config = config = json.loads(self._expect("setup")[1].decode("ascii"))
        prelude.import_random()
        missing = prelude.warm_up(config["warm"])
        names, absent = prelude.build(config["prelude"], set(config["lazy"]))
        self._task = self._make_task(names)
        info = {"version": list(sys.version_info[:3]), "missing": sorted(set(missing) | set(absent))}
        lockdown.forbid_inspection()
        self._say("hello", json.dumps(info).encode())
        _, address_space, resident, threads, text_start, text_bytes = self._expect("baseline")
        self._fork = forking.choose_fork(threads)
        text.move_to_huge_pages(text_start, text_bytes)
        self._resident_kib = resident >> 10
        limits = dict(config["rlimits"])
        if config["memory_bytes"]:
            limits["AS"] = address_space + config["memory_bytes"]
        lockdown.set_limits(limits)
        if config["filter"]:
            lockdown.install_filter(bytes.fromhex(config["filter"]))
        self._scratch = config["scratch"]
        self._late_s = config["cpu_s"] * LATE_FACTOR + LATE_S
        self._first_wait_ms = max(1.0, 1000 * min(config["cpu_s"] / config["processes"], config["idle_s"]))
        self._poller.register(self._channel, 0)  # hang-up is always told
        self._single = config["rlimits"].get("NPROC") == 2
        # Room for the report of an exception, whatever the limit on values; the host holds that limit as well.
        self._output_bytes = max(config["output_bytes"], CHUNK_BYTES)
        os.dup2(1, 2)  # /dev/null: so far this was the log, a file that programs must not share
        gc.collect()
        gc.disable()
        self._rehearse()
        heap.make_everything_immortal()
        self._fillers = heap.fill_holes()
        gc.freeze()

    def _make_task(self, prelude_names: dict[str, Any]) -> child.Task:
        """The task that every check fills in, with all done that a child would otherwise do after its fork: each write
        there is a page fault, and they are most of what a check costs."""
        task = child.Task()
        task.config = self._config
        task.space = child.make_module(prelude_names)
        sys.modules["random"].seed(self._config["random_seed"])
        task.numpy_seeded = "numpy" in sys.modules
        if task.numpy_seeded:
            child.seed_numpy(self._config)
        return task

    def _rehearse(self) -> None:
        """Runs a call as a child does, so that the interpreter has specialised and cached what every child needs."""
        rehearsal = child.Task()
        rehearsal.config, rehearsal.options, rehearsal.numpy_seeded = self._config, 0, True
        rehearsal.entry, rehearsal.call = "f", marshal.dumps([[], {"a": [1, "b", 2.5]}])
        code = compile("def f(a):\n    return {'x': a}\n", "", "exec")
        rehearsal.code = marshal.dumps(code)
        for _ in range(64):
            rehearsal.space = dict(self._task.space)
            child.perform(-1, rehearsal)

    def _expect(self, kind: str) -> list[Any]:
        frame = self._next_frame()
        if frame[0] != kind:
            raise wire.ProtocolError("%s before %s" % (frame[0], kind))
        return frame

    # -- the channel ------------------------------------------------------------------------------------------

    def _say(self, *frame: Any) -> None:
        self._flush()
        self._send(wire.encode(*frame))

    def last_words(self, words: str) -> None:
        try:
            self._say("fails", words[-2000:])
        except HostGone:
            pass

    def _flush(self) -> None:
        if self._unsent:
            frames = [
                encode_result(number, claimed[0], claimed[1], claimed[2], int(cpu_s * 1e6), int(wall_s * 1e6), peak, claimed[3])
                for number, (claimed, cpu_s, wall_s, peak) in self._unsent
            ]
            self._unsent.clear()
            self._send(b"".join(frames))

    def _send(self, data: bytes) -> None:
        try:
            sent = os.write(self._channel, data)
            while sent < len(data):
                sent += os.write(self._channel, memoryview(data)[sent:])
        except (BrokenPipeError, ConnectionResetError):
            raise HostGone() from None

    def _receive(self) -> None:
        try:
            data = os.read(self._channel, CHANNEL_BYTES)
        except ConnectionResetError:
            data = b""
        if not data:
            raise HostGone()
        for frame in self._decoder.feed(data):
            if frame[0] == "run_delay":
                self._run_delay = (frame[1], frame[2] / 1e6 if frame[2] >= 0 else None)
            else:
                self._frames.append(frame)

    def _next_frame(self) -> list[Any]:
        while not self._frames:
            self._flush()
            self._receive()
        return self._frames.pop(0)

    # -- serving ----------------------------------------------------------------------------------------------

    def serve(self) -> None:
        while True:
            frame = self._next_frame()
            kind = frame[0]
            if kind == "check":
                self._check(*frame[1:])
            elif kind == "program":
                self._programs[frame[1]] = Program(frame[2], frame[3])
            elif kind == "forget":
                del self._programs[frame[1]]
            else:
                raise wire.ProtocolError("unexpected %s" % kind)

    def _check(self, check_id: int, program_id: str, call: bytes, options: int) -> None:
        program = self._programs[program_id]
        if program.code is None and program.failure is None:
            self._compile(check_id, program)
        if program.failure is not None:
            ending = program.failure
        else:
            task = self._task
            task.code, task.entry, task.call, task.options = program.code or b"", program.entry, call, options
            ending = self._run(check_id, child.run_call, task, self._output_bytes)
            if ending[0][0] == "code":
                ending = (claim.FORGED,) + ending[1:]
        self._unsent.append((check_id, ending))
        # Answers wait for each other a little, which spares both sides a wake-up for each; neither while nothing runs, nor
        # for a check that takes its time.
        if self._ended - self._flushed > FLUSH_S or len(ending[0][1]) > CHUNK_BYTES:
            self._flushed = self._ended
            self._flush()
        if self._scratch and not empty_scratch():
            self._say("retires", "scratch space could not be emptied at once")
            raise HostGone()

    def _compile(self, check_id: int, program: Program) -> None:
        ending = self._run(check_id, child.compile_program, program.source, child.MAX_CODE_BYTES)
        kind, payload = ending[0][:2]
        if kind == "code":
            program.code = payload
            program.source = b""
        elif kind == "output-limit":
            program.failure = (("memory-limit", b"{}", b"", 0),) + ending[1:]
        else:
            program.failure = ending

    def _run(self, check_id: int, action: Callable[[int, Any], None], subject: Any, max_payload: int) -> Ending:
        """Forks a child that does `action(pipe, subject)`; what it claimed or what became of it, as
        `((kind, payload, note, flags), cpu_s, wall_s, peak_kib)`.

        Between two forks every page that this process writes is copied, so the common case, a claim within the first
        wait, is spelled out here in few steps; all else is in _supervise.
        """
        reader, writer = pipe2(O_CLOEXEC)
        began = monotonic()
        pid = self._fork()
        if not pid:
            close(self._channel)
            if not self._alone:
                os.setpgid(0, 0)
            gc.enable()
            try:
                action(writer, subject)  # leaves through os._exit
            finally:
                os._exit(HARNESS_BROKEN)
        close(writer)
        if reader != self._polled:
            if self._polled >= 0:
                self._poller.unregister(self._polled)
            self._poller.register(reader, POLLIN)
            self._polled = reader
        data = b""
        claimed = None
        for fd, _event in self._poller.poll(SOON_MS if self._unsent else self._first_wait_ms):
            if fd == reader:
                data = read(reader, CHUNK_BYTES)
                claimed = read_whole(data, max_payload)
            else:
                raise HostGone()
        if claimed is None:
            claimed, status, usage, cpu = self._supervise(check_id, pid, reader, began, max_payload, data)
        else:
            status, usage = self.end_all(pid)
            cpu = usage.ru_utime + usage.ru_stime
            if cpu > self._late_s:
                claimed = CPU_LIMIT
        close(reader)
        if claimed is None:
            claimed = from_status(status)
        self._ended = ended = monotonic()
        return claimed, cpu, ended - began, max(0, usage.ru_maxrss - self._resident_kib)

    def _supervise(
        self, check_id: int, pid: int, reader: int, began: float, max_payload: int, data: bytes
    ) -> tuple[Claim | None, int, Usage, float]:
        """Waits for the claim, the end or a limit of `pid`; nothing of the check is left when it returns
        `(claim or None, exit status, usage, cpu seconds)`."""
        cpu_clock = (~pid << 3) | 2  # the process's CPU clock, see clock_getcpuclockid(3)
        self._flush()
        claims = claim.Reader(max_payload)
        claimed = claims.feed(data) if data else None
        channel, config = self._channel, self._config
        tasks, cpu_s, idle_s, wall_s = config["processes"], config["cpu_s"], config["idle_s"], config["wall_s"]
        poller = select.poll()
        poller.register(reader, POLLIN)
        poller.register(channel, 0)  # hang-up is always told
        delay = 0.0  # time spent runnable, as far as known
        asked = False
        ask_again = cpu = 0.0
        pipe_open = True
        while claimed is None:
            wall = monotonic() - began
            cpu = clock(cpu_clock, cpu)
            idle = wall - cpu - delay
            if cpu >= cpu_s:
                claimed = CPU_LIMIT
                break
            if wall >= wall_s:
                claimed = WALL_LIMIT
                break
            if idle >= idle_s and not asked and wall >= ask_again:
                self._say("asks_run_delay", check_id)
                asked = True
                poller.modify(channel, POLLIN)
            pause = cpu_s - cpu
            if not asked:
                pause = min(pause / tasks, max(idle_s - idle, ask_again - wall))
            if not pipe_open:
                pause = min(pause, 0.005)
            elif tasks > 1:
                pause = min(pause, 0.05)
            pause = min(pause, wall_s - wall)
            for fd, event in poller.poll(max(1, pause * 1000 + 0.999)):
                if fd == reader:
                    data = read(reader, CHUNK_BYTES)
                    if data:
                        claimed = claims.feed(data)
                        if claimed is not None:
                            break
                    else:
                        pipe_open = False
                        poller.unregister(reader)
                elif event & POLLIN:
                    self._receive()
                    if self._run_delay is not None and self._run_delay[0] == check_id:
                        known, self._run_delay = self._run_delay[1], None
                        asked = False
                        poller.modify(channel, 0)
                        if known is None:
                            delay = wall_s  # this kernel does not tell: only the backstop can decide
                            continue
                        delay, ask_again = known, monotonic() - began + ASK_AGAIN_S
                        if monotonic() - began - clock(cpu_clock, cpu) - delay >= idle_s:
                            claimed = WALL_LIMIT
                            break
                else:
                    raise HostGone()
            if claimed is None and (not pipe_open or tasks > 1):
                got, status, usage = os.wait4(pid, os.WNOHANG)
                if got:
                    if pipe_open:  # its last words may still be in the pipe
                        os.set_blocking(reader, False)
                        claimed = drain(reader, claims)
                    self.end_all(None)
                    return claimed or claims.provisional, status, usage, usage.ru_utime + usage.ru_stime
        cpu = clock(cpu_clock, cpu)
        status, usage = self.end_all(pid)
        if claimed is not CPU_LIMIT and claimed is not WALL_LIMIT:
            if cpu > self._late_s:
                claimed = CPU_LIMIT
        elif claims.provisional is not None:
            claimed = claims.provisional
        return claimed, status, usage, cpu

    def end_all(self, pid: int | None) -> tuple[int, Usage]:
        """Kills everything the check started and reaps it; the exit status and usage of `pid`."""
        if self._single and pid is not None:  # the kernel refused every fork, so there is nothing else to look for
            os.kill(pid, signal.SIGKILL)
            return os.wait4(pid, 0)[1:]
        if self._alone:
            try:
                os.kill(-1, signal.SIGKILL)  # everything in this PID namespace but PID 1
            except ProcessLookupError:
                pass
        elif pid is not None:
            for send in (os.killpg, os.kill):
                try:
                    send(pid, signal.SIGKILL)
                except (ProcessLookupError, PermissionError):
                    pass
        found: Any = None
        while True:
            try:
                got, status, usage = os.wait4(-1 if self._alone else pid or -1, 0)
            except ChildProcessError:
                return found  # type: ignore[no-any-return]
            if got == pid:
                found = (status, usage)
                if not self._alone:
                    return found  # type: ignore[no-any-return]


def main(channel: int, alone_in_namespace: bool) -> None:
    """Serves until the host hangs up. Returns only in the parent; children leave through os._exit."""
    # The harness keeps its own json; programs get a fresh module that they may break as they like.
    for name in [n for n in sys.modules if n.partition(".")[0] in ("json", "msgpack", "reexec_inside")]:
        del sys.modules[name]
    zygote = Zygote(channel, alone_in_namespace)
    own_pid = os.getpid()
    try:
        zygote.set_up()
        zygote.serve()
    except HostGone:
        if alone_in_namespace:
            zygote.end_all(None)
    except Exception:
        if os.getpid() == own_pid:
            zygote.last_words(traceback.format_exc())
        raise
