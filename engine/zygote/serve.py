"""The warm process in the jail: PID 1 of its namespace, single-threaded. It forks a child for every check, holds the
deadlines, ends and reaps everything that a check left, and answers the host.

    what happens                        what the zygote does
    ----------------------------------  ------------------------------------------------------------------
    a final claim arrives               takes it, ends the check's processes, answers
    the child ends without a claim      answers from its exit status
    the processor budget is spent       ends it, cpu-limit
    asleep for longer than idle_s       asks the host for the time spent runnable, then ends it, wall-limit
    the host hangs up, at any time      ends everything and exits
    anything of our own goes wrong      says `Fails` with the traceback and exits

Nothing that a program controls is parsed or compiled here, and none of it lies on Python's heap: sources, code, calls and
claims stay bytes in the region that forks do not copy (secrets.py).
"""

from __future__ import annotations

import gc
import os
import resource
import select
import signal
import sys
import traceback
from time import monotonic
from typing import Any, Callable, NamedTuple

from ..protocol import claim, files, frames, unit
from ..protocol.claim import Ending
from ..protocol.endings import WorkerEnd
from . import batch, child, own_terms
from .capture import Capture
from .channel import Dropped, HostGone
from .ending import (
    CANCELLED,
    CODE_LIMIT,
    CPU_LIMIT_IN_DOUBT,
    KILLED,
    LIMITS_ON_TIME,
    MEMORY_LIMIT,
    OUTPUT_LIMIT,
    from_status,
    take,
)
from .feed import Feed
from .programs import Program
from .progress import Progress
from .start import heap
from .start.handshake import Link, Started, start
from .supervision import Watched, wait_for_end
from .task import Task

# Taken here so that the code between two forks looks up little.
POLLIN, O_CLOEXEC = select.POLLIN, os.O_CLOEXEC
pipe2, close, set_blocking = os.pipe2, os.close, os.set_blocking
setrlimit, RLIMIT_AS, gc_enable = resource.setrlimit, resource.RLIMIT_AS, gc.enable

HARNESS_BROKEN = 70  # exit code of a child whose program broke the harness around it
FLUSH_S = 0.02
LONG_BYTES = 1 << 16
LONG_COMPILATION_S = 0.5
# An answer or a wish about a check that had ended when it came, and what went back to the host.
_IGNORED = (frames.RunDelay, frames.Cancel, Dropped)
_RAN = (frames.Check, frames.Unit)
_CODE, _OUTPUT_LIMIT, _VALUE = claim.BYTE_OF["code"], claim.BYTE_OF["output-limit"], claim.BYTE_OF["value"]

Usage = Any  # resource.struct_rusage


class CannotForkError(Exception):
    """The fault is the host's."""


class End(NamedTuple):
    ending: Ending
    cpu_s: float
    wall_s: float
    peak_kib: int


class Zygote:
    def __init__(self, started: Started) -> None:
        setup = started.setup
        self._inbox, self._outbox, self._programs = started.inbox, started.outbox, started.programs
        self._claims, self._unit_claims = claim.Reader(started.region.view), unit.UnitReader(started.region.view)
        self._task = started.task
        self._pages = started.pages
        self._scratch = started.scratch
        self._progress = Progress()
        self._group, self._confinement = started.group, started.confinement
        self._alone = started.alone
        self._commands = started.commands
        self._fork: Callable[[], int] = started.fork
        self._resident_kib = started.resident_kib
        self._poller, self._idle_poller = select.poll(), select.poll()
        for poller in (self._poller, self._idle_poller):
            poller.register(self._inbox.fd, 0)  # hang-up is always told
        self._polled = -1
        self._ended = self._flushed = 0.0
        self._oom_kills = self._group.oom_kills() if self._group is not None else 0
        self._single = setup.rlimits.get("NPROC") == 2 or self._confinement is not None
        self._quick = setup.processes == 1
        self._usual = own_terms.bounds_of(setup, started.address_space)
        self._hold(self._usual)
        self._own: frames.Own | None = None
        self._output_bytes, self._blob_bytes = started.output_bytes, setup.blob_bytes

    def _hold(self, bounds: own_terms.Bounds) -> None:
        """From now on checks run under these."""
        self._setup, self._late_s, self._first_wait_ms, self._address_space = bounds

    # -- serving ----------------------------------------------------------------------------------------------

    def serve(self) -> None:
        inbox = self._inbox
        while True:
            layout = inbox.layout()
            if layout is None:
                self._wait_for_host()
                continue
            if layout.frame is frames.Check:
                self._check(layout)
            elif layout.frame is frames.Unit:
                self._unit(layout)
            elif layout.frame is frames.Load:
                self._programs.load(inbox.frame(layout))
            elif layout.frame is frames.Forget:
                self._programs.forget(inbox.frame(layout).program)
            elif layout.frame is frames.Own:
                self._own = inbox.frame(layout)
            elif layout.frame not in _IGNORED:
                raise frames.ProtocolError("unexpected %s" % layout.frame.__name__)
            inbox.drop()
            if self._scratch and layout.frame in _RAN and not all([folder.renew() for folder in self._scratch]):
                self._outbox.last_words(frames.Retires(b"a writable folder could not be renewed"))
                raise HostGone()

    def _wait_for_host(self) -> None:
        all_sent = self._outbox.send()
        if self._inbox.receive():
            return
        self._idle_poller.modify(self._inbox.fd, POLLIN | (0 if all_sent else select.POLLOUT))
        for _, event in self._idle_poller.poll():
            if event & ~(POLLIN | select.POLLOUT):
                raise HostGone()

    def _check(self, layout: frames.Layout) -> None:
        check = self._inbox.frame(layout)
        check_id = check.check_id
        program = self._programs.get(check.program)
        if check.options & frames.COMMAND:
            self._command(check, program)
            return
        own = self._own_of(check_id)
        if program.code is None and program.failure is None:
            end = self._compile(check_id, program)
            check = self._inbox.frame(layout)  # what came meanwhile may have moved it
        else:
            end = End(program.failure or claim.FORGED, 0.0, 0.0, 0)
        if program.code is None:
            self._answer(check_id, end, None)
            return
        programs = self._programs
        parts = (programs.entry(program), programs.code(program), check.call)
        if own is not None:
            self._run_own(check, own, parts)
            return
        self._task.fill(check.options, *parts)
        capture = None if self._pages is None else Capture(self._pages, self._setup.capture_bytes)
        self._claims.begin(self._outbox.place(), self._output_bytes, compiles=False)
        if check.options & frames.SCRIPT:
            end = self._run(check_id, child.run_script, self._claims, capture, self._stdin(check))
        else:
            end = self._run(check_id, child.run_call, self._claims, capture)
        self._answer(check_id, end, capture)

    def _stdin(self, check: frames.Check) -> Feed:
        (number,) = frames.LENGTH.unpack_from(check.call)
        return Feed(self._programs.source(self._programs.get(number)))

    def _own_of(self, check_id: int) -> frames.Own | None:
        """What the host said before this check; what it said before one that went back to it is nobody's."""
        own = self._own
        if own is None:
            return None
        self._own = None
        return own if own.check_id == check_id else None

    def _run_own(self, check: frames.Check, own: frames.Own, parts: tuple[memoryview, ...]) -> None:
        """One check under limits of its own, with files around it. Its files are read before anything is cleaned up."""
        programs, commands = self._programs, self._commands
        bounds = own_terms.narrowed(self._usual, own)
        data = None if not own.files else programs.source(programs.get(own.files))
        scripted = bool(check.options & frames.SCRIPT)
        action: own_terms.Action = child.run_script if scripted else child.run_call
        memory_bytes, most_bytes = bounds.setup.memory_bytes, self._usual.setup.memory_bytes
        grouped = self._group if memory_bytes < most_bytes else None
        if grouped is not None and not grouped.limit(memory_bytes):
            grouped = None
        if check.options & frames.COMMAND and commands is not None:
            action = commands.within(bounds.setup.cpu_s, most_bytes - memory_bytes, memory_bytes if grouped is None else -1)
        if data is not None:
            action = own_terms.with_files(action, len(parts))
            parts = (*parts, data)
        self._task.fill(check.options, *parts)
        capture = None if self._pages is None else Capture(self._pages, self._setup.capture_bytes)
        wanted = data if own.wanted else None
        self._claims.begin(self._outbox.place(), self._output_bytes if wanted is None else claim.REPORT_BYTES, compiles=False)
        self._hold(bounds)
        try:
            feed = self._stdin(check) if scripted else None
            end = self._run(check.check_id, action, self._claims, capture, feed)
        finally:
            self._hold(self._usual)
            if grouped is not None and not grouped.limit(most_bytes):
                raise OSError("the limit of the checks' group cannot be put back")
        self._answer(check.check_id, end, capture, None if wanted is None else self._fetch(check.check_id, end, wanted))

    def _fetch(self, check_id: int, end: End, data: memoryview) -> Ending | None:
        """The files that a check left, behind what it came to; None where they cannot be read."""
        if end.ending is CANCELLED:
            return None
        self._task.fill(0, data)
        self._claims.begin(self._claims.end, self._output_bytes + files.HEAD_BYTES, compiles=False)
        found = self._run(check_id, own_terms.fetch, self._claims, None).ending
        return found if found.kind == _VALUE and found.at >= 0 else None

    def _command(self, check: frames.Check, program: Program) -> None:
        """The child becomes the program that the loaded command line names; its exit status is what it comes to."""
        commands, pages = self._commands, self._pages
        if commands is None or pages is None:
            raise frames.ProtocolError("a command for a worker that runs none")
        own, line = self._own_of(check.check_id), self._programs.source(program)
        if own is not None:
            self._run_own(check, own, (line,))
            return
        self._task.fill(check.options, line)
        self._claims.begin(self._outbox.place(), self._output_bytes, compiles=False)
        capture = Capture(pages, self._setup.capture_bytes)
        end = self._run(check.check_id, commands.run, self._claims, capture, self._stdin(check))
        self._answer(check.check_id, end, capture)

    def _unit(self, layout: frames.Layout) -> None:
        """Many calls in one fork, under the limits of one. What it did not answer is the host's to run again."""
        wanted = self._inbox.frame(layout)
        program = self._programs.get(wanted.program)
        asks = program.shares is None and not wanted.options & frames.SHARE_ALWAYS
        if program.failure is None and (program.code is None or asks):
            self._compile(wanted.check_id, program, frames.EXAMINED if asks else 0)
            wanted = self._inbox.frame(layout)
        if program.code is None or not (program.shares or wanted.options & frames.SHARE_ALWAYS):
            self._answer(wanted.check_id, End(unit.REFUSAL, 0.0, 0.0, 0), None)
            return
        programs, claims = self._programs, self._unit_claims
        self._task.fill(wanted.options, programs.entry(program), programs.code(program), wanted.calls)
        claims.begin(self._outbox.place(), claim.room(self._output_bytes), self._output_bytes, wanted.number)
        progress = self._progress
        progress.open()
        end = self._run(wanted.check_id, lambda fd, task: batch.run_unit(fd, task, progress), claims, None)
        running = progress.close()
        ending = end.ending
        if ending.kind != unit.UNIT:  # it ended before it was complete
            if ending is CPU_LIMIT_IN_DOUBT:  # whose time it was, nothing tells
                claims.forget()
            ending = claims.ending(ending.kind, running)
        self._answer(wanted.check_id, end._replace(ending=ending), None)

    def _answer(self, check_id: int, end: End, capture: Capture | None, files: Ending | None = None) -> None:
        ending, cpu_s, wall_s, peak_kib = end
        printed = None if capture is None else capture.printed()
        self._outbox.put_result(check_id, ending, int(cpu_s * 1e6), int(wall_s * 1e6), peak_kib, printed, files)
        if self._pages is not None:
            self._pages.release()
        # Answers wait for each other a little, which spares both sides a wake-up for each; neither while nothing runs, nor
        # for a check that takes its time.
        if self._ended - self._flushed > FLUSH_S or ending.payload_bytes > LONG_BYTES:
            self._flushed = self._ended
            self._outbox.send()

    def _compile(self, check_id: int, program: Program, options: int = 0) -> End:
        """Keeps the code, or what every compilation of this program would come to. With EXAMINED, whether its checks may share
        a fork as well: reading the tree costs more than a fork, so only units ask for it."""
        programs = self._programs
        self._task.fill(options, programs.source(program))
        self._claims.begin(self._outbox.place(), self._blob_bytes, compiles=True)
        end = self._run(check_id, child.compile_program, self._claims, None)
        ending = end.ending
        if ending.kind == _CODE:
            programs.keep_code(program, ending.at, ending.payload_bytes)
            if options & frames.EXAMINED:
                program.shares = bool(ending.flags & claim.SHARES)
            if end.wall_s > LONG_COMPILATION_S:
                self._outbox.say(frames.Compiled(check_id))
                self._outbox.send()
            return end
        if ending.kind == _OUTPUT_LIMIT:
            end = end._replace(ending=CODE_LIMIT)
        # Compiling runs nothing of the program's; reading its tree takes time and memory that are not its own.
        if ending is not KILLED and ending is not CANCELLED and not options:
            programs.keep_failure(program, end.ending)
        return end

    def _run(
        self,
        check_id: int,
        action: Callable[[int, Task], None],
        claims: unit.AnyReader,
        capture: Capture | None,
        feed: Feed | None = None,
    ) -> End:
        """Forks a child that does `action(channel, task)`; what it claimed or what became of it.

        Between two forks every page that this process writes is copied, so the common case, a claim within the first
        wait, is spelled out here in few steps; all else is in supervision.py.
        """
        group, outbox = self._group, self._outbox
        group_cpu_s = group.cpu_s() if group is not None and not self._quick else None
        reader, writer = pipe2(O_CLOEXEC)
        set_blocking(reader, False)  # an open file description of our own: the child has the other end's alone
        began = monotonic()
        try:
            pid = self._fork()
        except OSError as error:  # nothing of an earlier check is left, so no program can be the cause
            raise CannotForkError("the host lets the worker start no process: %s" % error.strerror) from None
        if not pid:
            try:
                self._in_child(reader, capture, feed)
                action(writer, self._task)  # leaves through os._exit
            finally:
                os._exit(HARNESS_BROKEN)
        close(writer)
        ending = None
        if self._quick and capture is None:
            if reader != self._polled:
                if self._polled >= 0:
                    self._poller.unregister(self._polled)
                self._poller.register(reader, POLLIN)
                self._polled = reader
            for fd, _event in self._poller.poll(self._first_wait_ms):
                if fd != reader:
                    raise HostGone()
                ending, _ = take(reader, claims)
        if ending is not None:
            status, usage = self.end_all(pid)
            cpu = usage.ru_utime + usage.ru_stime
            if cpu > self._late_s:
                ending = CPU_LIMIT_IN_DOUBT
        else:
            watched = Watched(check_id, pid, reader, began, claims, capture, group, group_cpu_s, feed)
            ending, status, usage, cpu = self._wait(watched)
        close(reader)
        if feed is not None:
            feed.finish()
        outbox.reached(claims.end)
        if capture is not None:
            capture.finish()
            if capture.exceeded:
                ending = OUTPUT_LIMIT
        self._ended = ended = monotonic()
        peak_kib = max(0, usage.ru_maxrss - self._resident_kib)
        return End(from_status(status) if ending is None else ending, cpu, ended - began, peak_kib)

    def _in_child(self, reader: int, capture: Capture | None, feed: Feed | None) -> None:
        """What a child must not keep goes, and what limits it comes, before anything of the program's is looked at."""
        close(self._inbox.fd)
        close(reader)
        if self._group is not None:
            self._group.in_child()
        if capture is not None:
            capture.in_child()
        if feed is not None:
            feed.in_child()
        setrlimit(RLIMIT_AS, self._address_space)
        if self._confinement is not None:
            self._confinement.in_child()
        elif not self._alone:
            os.setpgid(0, 0)
        gc_enable()

    def _wait(self, watched: Watched) -> tuple[Ending | None, int, Usage, float]:
        """Nothing of the check is left when it returns `(ending or None, exit status, usage, cpu seconds)`."""
        if watched.capture is not None:
            watched.capture.in_parent()
        if watched.feed is not None:
            watched.feed.in_parent()
        ending, reaped = wait_for_end(watched, self._inbox, self._outbox, self._setup)
        cpu = watched.cpu_s()
        if reaped is not None:
            self.end_all(None)
            status, usage = reaped
            cpu = max(cpu, usage.ru_utime + usage.ru_stime)
        else:
            status, usage = self.end_all(watched.pid)
        if ending in LIMITS_ON_TIME or ending is OUTPUT_LIMIT:
            ending = watched.claims.provisional or ending
        elif ending is not CANCELLED and (watched.passed_s or (ending is not None and cpu > self._late_s)):
            ending = CPU_LIMIT_IN_DOUBT
        cpu = watched.passed_s or cpu  # what it used beyond its limit is the price of certainty, not its own
        if self._group is not None and (not self._quick or ending is None):
            kills, self._oom_kills = self._oom_kills, self._group.oom_kills()
            if self._oom_kills > kills:  # perhaps of a grandchild, which nothing else shows
                ending = MEMORY_LIMIT
        return ending, status, usage, cpu

    def end_all(self, pid: int | None) -> tuple[int, Usage]:
        """Kills everything the check started and reaps it; the exit status and usage of `pid`."""
        if self._single and pid is not None:  # the kernel refused every fork, so there is nothing else to look for
            os.kill(pid, signal.SIGKILL)
            return os.wait4(pid, 0)[1:]
        return end_tree(pid, self._alone)


def end_tree(pid: int | None, alone: bool) -> tuple[int, Usage]:
    if alone:
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
            got, status, usage = os.wait4(-1 if alone else pid or -1, 0)
        except ChildProcessError:
            return found  # type: ignore[no-any-return]
        if got == pid:
            found = (status, usage)
            if not alone:
                return found  # type: ignore[no-any-return]


def main(channel_fd: int, alone_in_namespace: bool) -> None:
    """Serves until the host hangs up. Returns only in the parent; children leave through os._exit."""
    # The harness keeps its own json; programs get a fresh module that they may break as they like.
    for name in [n for n in sys.modules if n.partition(".")[0] in ("json", "reexec_inside")]:
        del sys.modules[name]
    own_pid = os.getpid()
    link = Link(channel_fd)
    try:
        started = start(link, alone_in_namespace)
        zygote = Zygote(started)
        heap.make_immortal(zygote)
        gc.freeze()
        zygote.serve()
    except HostGone:
        if alone_in_namespace:
            end_tree(None, True)
    except Exception as error:
        if os.getpid() == own_pid:
            try:
                said = str(error) if isinstance(error, CannotForkError) else traceback.format_exc()
                words = said[-2000:].encode("utf-8", "replace")
            except MemoryError:
                words = b"MemoryError"
            link.last_words(frames.Fails(_end_of(error), words))
        raise


def _end_of(error: Exception) -> WorkerEnd:
    if isinstance(error, CannotForkError):
        return WorkerEnd.CANNOT_FORK
    return WorkerEnd.OUT_OF_MEMORY if isinstance(error, MemoryError) else WorkerEnd.BROKEN
