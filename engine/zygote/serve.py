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
from typing import Any, Callable

from ..protocol import claim, wire
from ..protocol.claim import Claim
from ..protocol.endings import WorkerEnd
from . import child, forking
from .capture import Capture
from .channel import Channel, Ending, HostGone, Printed
from .ending import (
    CANCELLED,
    CHUNK_BYTES,
    CPU_LIMIT_IN_DOUBT,
    KILLED,
    LIMITS_ON_TIME,
    MEMORY_LIMIT,
    OUTPUT_LIMIT,
    empty_scratch,
    from_status,
)
from .group import CheckGroup
from .start import heap, lockdown, measure, prelude, text
from .start.confine import Confinement
from .supervision import Watched, wait_for_end

# Taken here so that the code between two forks looks up little.
POLLIN, O_CLOEXEC = select.POLLIN, os.O_CLOEXEC
pipe2, close, read, monotonic = os.pipe2, os.close, os.read, time.monotonic
read_whole = claim.read_whole

LATE_FACTOR, LATE_S = 1.05, 0.05  # a claim that comes later than this after the processor budget comes too late
HARNESS_BROKEN = 70  # exit code of a child whose program broke the harness around it
FLUSH_S, SOON_MS = 0.012, 20

Usage = Any  # resource.struct_rusage


class CannotForkError(Exception):
    """The fault is the host's."""


class Program:
    __slots__ = ("code", "entry", "failure", "source")

    def __init__(self, source: bytes, entry: str) -> None:
        self.source = source
        self.entry = entry
        self.code: bytes | None = None
        self.failure: Ending | None = None  # the ending of its compilation, the same for all its checks


class Zygote:
    def __init__(self, channel: Channel, alone_in_namespace: bool) -> None:
        self._channel = channel
        self._unsent = channel.unsent
        self._alone = alone_in_namespace
        self._programs: dict[str, Program] = {}
        self._resident_kib = 0
        self._config: dict[str, Any] = {}
        self._single = self._quick = False
        self._fork: Callable[[], int] = os.fork
        self._poller = select.poll()
        self._polled = -1
        self._ended = self._flushed = 0.0
        self._task = child.Task()  # filled anew for each check; a child has its own copy
        self._fillers: list[object] = []
        self._scratch = False
        self._group: CheckGroup | None = None
        self._confinement: Confinement | None = None
        self._oom_kills = 0
        self._capture_bytes = 0
        self._late_s = self._first_wait_ms = 0.0
        self._output_bytes = 0

    # -- start ------------------------------------------------------------------------------------------------

    def set_up(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._config = config = json.loads(self._channel.expect("setup")[1].decode("ascii"))
        prelude.import_random()
        missing = prelude.warm_up(config["warm"])
        names, absent = prelude.build(config["prelude"], set(config["lazy"]))
        self._task = self._make_task(names)
        info = {"version": list(sys.version_info[:3]), "missing": sorted(set(missing) | set(absent))}
        lockdown.forbid_inspection()
        self._channel.say("hello", json.dumps(info).encode())
        _, address_space, resident, threads, text_start, text_bytes = self._channel.expect("baseline")
        if not address_space:
            address_space, resident = measure.address_space(), measure.resident()
            if "NPROC" in config["rlimits"]:
                threads = measure.threads()
        self._fork = forking.choose_fork(threads)
        text.move_to_huge_pages(text_start, text_bytes)
        self._resident_kib = resident >> 10
        limits = dict(config["rlimits"])
        if "NPROC" in limits:  # a library that was warmed up may have started threads: they are no program's
            limits["NPROC"] += threads - 1
        if config["memory_bytes"]:
            limits["AS"] = address_space + config["memory_bytes"]
        lockdown.set_limits(limits)
        if config["confinement"]:
            self._confinement = Confinement(config["confinement"])
            self._confinement.of_zygote()
        if config["filter"]:
            lockdown.install_filter(bytes.fromhex(config["filter"]))
        if config["group"]:
            self._group = CheckGroup(config["group"])
            self._oom_kills = self._group.oom_kills()
        self._scratch = config["scratch"]
        self._capture_bytes = config["capture_bytes"]
        self._late_s = config["cpu_s"] * LATE_FACTOR + LATE_S
        self._first_wait_ms = max(1.0, min(SOON_MS, 1000 * config["cpu_s"] / config["processes"], 1000 * config["idle_s"]))
        self._poller.register(self._channel.fd, 0)  # hang-up is always told
        self._single = config["rlimits"].get("NPROC") == 2 or self._confinement is not None
        self._quick = config["processes"] == 1
        # Room for the report of an exception, whatever the limit on values; the host holds that limit as well.
        self._output_bytes = max(config["output_bytes"], CHUNK_BYTES)
        os.dup2(1, 2)  # /dev/null: so far this was the log, a file that programs must not share
        gc.collect()
        gc.disable()
        self._rehearse()
        heap.make_everything_immortal()
        self._fillers += heap.fill_holes()
        if config["mix_addresses"]:
            self._fillers += heap.mix_free_blocks(config["random_seed"])
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

    # -- serving ----------------------------------------------------------------------------------------------

    def serve(self) -> None:
        while True:
            frame = self._channel.next_frame()
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
        printed = None
        ending = program.failure
        if self._channel.is_cancelled(check_id):
            ending = (CANCELLED, 0.0, 0.0, 0)
        if program.code is None and ending is None:
            ending = self._compile(check_id, program)
        if ending is None:
            task = self._task
            task.code, task.entry, task.call, task.options = program.code or b"", program.entry, call, options
            ending, printed = self._run(check_id, child.run_call, task, self._output_bytes, self._capture_bytes)
            if ending[0][0] == "code":
                ending = (claim.FORGED,) + ending[1:]
        self._unsent.append((check_id, ending, printed))
        # Answers wait for each other a little, which spares both sides a wake-up for each; neither while nothing runs, nor
        # for a check that takes its time.
        if self._ended - self._flushed > FLUSH_S or len(ending[0][1]) > CHUNK_BYTES:
            self._flushed = self._ended
            self._channel.flush()
        if self._scratch and not empty_scratch():
            self._channel.say("retires", "scratch space could not be emptied at once")
            raise HostGone()

    def _compile(self, check_id: int, program: Program) -> Ending | None:
        """Keeps the code; where none came of it, the ending, which is kept too if every compilation would come to it."""
        ending, _ = self._run(check_id, child.compile_program, program.source, child.MAX_CODE_BYTES, 0)
        kind, payload = ending[0][:2]
        if kind == "code":
            program.code = payload
            program.source = b""
            return None
        if kind == "output-limit":
            ending = (("memory-limit", b"{}", b"", 0),) + ending[1:]
        if ending[0] is not KILLED and ending[0] is not CANCELLED:  # compiling runs nothing of the program's
            program.failure = ending
        return ending

    def _run(
        self, check_id: int, action: Callable[[int, Any], None], subject: Any, max_payload: int, capture_bytes: int
    ) -> tuple[Ending, Printed | None]:
        """Forks a child that does `action(pipe, subject)`; what it claimed or what became of it, and what it printed.

        Between two forks every page that this process writes is copied, so the common case, a claim within the first
        wait, is spelled out here in few steps; all else is in supervision.py.
        """
        capture = Capture(capture_bytes) if capture_bytes else None
        group = self._group
        group_cpu_s = group.cpu_s() if group is not None and not self._quick else None
        reader, writer = pipe2(O_CLOEXEC)
        began = monotonic()
        try:
            pid = self._fork()
        except OSError as error:  # nothing of an earlier check is left, so no program can be the cause
            raise CannotForkError("the host lets the worker start no process: %s" % error.strerror) from None
        if not pid:
            try:
                close(self._channel.fd)
                if group is not None:
                    group.in_child()
                if capture is not None:
                    capture.in_child()
                if self._confinement is not None:
                    self._confinement.in_child()
                elif not self._alone:
                    os.setpgid(0, 0)
                gc.enable()
                action(writer, subject)  # leaves through os._exit
            finally:
                os._exit(HARNESS_BROKEN)
        close(writer)
        data = b""
        claimed = None
        if self._quick and capture is None:
            if reader != self._polled:
                if self._polled >= 0:
                    self._poller.unregister(self._polled)
                self._poller.register(reader, POLLIN)
                self._polled = reader
            for fd, _event in self._poller.poll(self._first_wait_ms):
                if fd == reader:
                    data = read(reader, CHUNK_BYTES)
                    claimed = read_whole(data, max_payload)
                else:
                    raise HostGone()
        if claimed is not None:
            status, usage = self.end_all(pid)
            cpu = usage.ru_utime + usage.ru_stime
            if cpu > self._late_s:
                claimed = CPU_LIMIT_IN_DOUBT
        else:
            claims = claim.Reader(max_payload)
            claimed = claims.feed(data) if data else None
            watched = Watched(pid, reader, began, claims, capture, group, group_cpu_s)
            claimed, status, usage, cpu = self._wait(check_id, watched, claimed)
        close(reader)
        printed = None
        if capture is not None:
            printed = capture.finish()
            if capture.exceeded:
                claimed = OUTPUT_LIMIT
        if claimed is None:
            claimed = from_status(status)
        self._ended = ended = monotonic()
        return (claimed, cpu, ended - began, max(0, usage.ru_maxrss - self._resident_kib)), printed

    def _wait(self, check_id: int, watched: Watched, claimed: Claim | None) -> tuple[Claim | None, int, Usage, float]:
        """Nothing of the check is left when it returns `(claim or None, exit status, usage, cpu seconds)`."""
        if watched.capture is not None:
            watched.capture.in_parent()
        claimed, reaped = wait_for_end(check_id, watched, self._channel, self._config, claimed)
        cpu = watched.cpu_s()
        if reaped is not None:
            self.end_all(None)
            status, usage = reaped
            cpu = max(cpu, usage.ru_utime + usage.ru_stime)
        else:
            status, usage = self.end_all(watched.pid)
        if claimed in LIMITS_ON_TIME or claimed is OUTPUT_LIMIT:
            claimed = watched.claims.provisional or claimed
        elif claimed is not CANCELLED and (watched.passed_s or (claimed is not None and cpu > self._late_s)):
            claimed = CPU_LIMIT_IN_DOUBT
        cpu = watched.passed_s or cpu  # what it used beyond its limit is the price of certainty, not its own
        if self._group is not None and (not self._quick or claimed is None):
            kills, self._oom_kills = self._oom_kills, self._group.oom_kills()
            if self._oom_kills > kills:  # perhaps of a grandchild, which nothing else shows
                claimed = MEMORY_LIMIT
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


def main(channel_fd: int, alone_in_namespace: bool) -> None:
    """Serves until the host hangs up. Returns only in the parent; children leave through os._exit."""
    # The harness keeps its own json; programs get a fresh module that they may break as they like.
    for name in [n for n in sys.modules if n.partition(".")[0] in ("json", "msgpack", "reexec_inside")]:
        del sys.modules[name]
    channel = Channel(channel_fd)
    zygote = Zygote(channel, alone_in_namespace)
    own_pid = os.getpid()
    try:
        zygote.set_up()
        zygote.serve()
    except HostGone:
        if alone_in_namespace:
            zygote.end_all(None)
    except Exception as error:
        if os.getpid() == own_pid:
            try:
                words = traceback.format_exc()
            except MemoryError:
                words = "MemoryError"
            channel.last_words(_end_of(error), words)
        raise


def _end_of(error: Exception) -> WorkerEnd:
    if isinstance(error, CannotForkError):
        return WorkerEnd.CANNOT_FORK
    return WorkerEnd.OUT_OF_MEMORY if isinstance(error, MemoryError) else WorkerEnd.BROKEN
