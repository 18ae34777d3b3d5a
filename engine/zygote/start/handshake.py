"""What a zygote does before it serves, in order; jail/launch.py numbers the same steps from the host's side."""

from __future__ import annotations

import gc
import json
import os
import resource
import select
import signal
import sys
from typing import Any, Callable, List, NamedTuple, Optional, Tuple

from ...protocol import claim, files, frames
from ...protocol.setup import Setup
from .. import child, determinism, forking
from ..capture import Pages
from ..channel import HostGone, Inbox, Outbox
from ..command import Commands
from ..group import CheckGroup
from ..programs import Programs
from ..scratch import Scratch
from ..secrets import Region, TaskBuffer
from ..task import Task
from . import heap, lockdown, measure, prelude, text
from .confine import Confinement
from .rehearsal import rehearse

_TASK_BYTES = 1 << 20  # beside code and call
_PYTHONS_OWN = {signal.SIGPIPE, signal.SIGXFSZ}  # ignored by every interpreter
_START_BYTES = 8 << 20  # of addresses that the zygote still takes after its Hello


class Started(NamedTuple):
    """A zygote that is ready to serve."""

    setup: Setup
    alone: bool
    region: Region
    inbox: Inbox
    outbox: Outbox
    programs: Programs
    pages: Optional[Pages]
    task: Task
    scratch: List[Scratch]
    group: Optional[CheckGroup]
    confinement: Optional[Confinement]
    commands: Optional[Commands]
    fork: Callable[[], int]
    address_space: Tuple[int, int]
    """RLIMIT_AS of every child, soft and hard."""
    resident_kib: int
    output_bytes: int
    kept: List[object]
    """What fills the holes of the heap."""


class Link:
    """The socket to the host before there is a region, and for the last words whenever they come."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.outbox: Optional[Outbox] = None

    def first_frame(self) -> Setup:
        """The only bytes from the host that ever lie on the heap: its own, nothing of a program's."""
        (size,) = frames.LENGTH.unpack(self._read(frames.LENGTH.size))
        body = memoryview(frames.LENGTH.pack(size) + self._read(size))
        layout = frames.whole(body, 0, len(body), frames.HOST_SAYS, size)
        if layout is None or layout.frame is not frames.SetUp:
            raise frames.ProtocolError("something else before SetUp")
        return Setup.from_json(bytes(layout.decode(body, 0).message))

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = os.read(self.fd, size - len(data))
            if not more:
                raise HostGone()
            data += more
        return data

    def last_words(self, frame: Any) -> None:
        if self.outbox is not None:
            self.outbox.last_words(frame)


def forget_ignored_signals() -> None:
    """What the host's own parent ignored (`nohup` does SIGHUP) is inherited through every exec, and no program's business."""
    for number in signal.valid_signals() - _PYTHONS_OWN:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def start(link: Link, alone: bool) -> Started:
    """Raises HostGone, and whatever a broken host or interpreter makes it raise."""
    forget_ignored_signals()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    setup = link.first_frame()
    output_bytes = max(setup.output_bytes, claim.REPORT_BYTES)  # the host holds its own limit as well
    blob_bytes = setup.blob_bytes
    needed = claim.room(max(output_bytes, blob_bytes)) + Pages.bytes(setup.capture_bytes)
    if setup.emptied and setup.capture_bytes:  # a script's files may come back behind what it came to
        needed += claim.room(claim.REPORT_BYTES) + files.HEAD_BYTES
    sizes = Inbox.bytes(blob_bytes), Outbox.bytes(needed), Programs.bytes(blob_bytes), Pages.bytes(setup.capture_bytes)
    region = Region(sum(sizes) + len(sizes) * 2 * (1 << 16))
    inbox, outbox = Inbox(link.fd, region, blob_bytes), Outbox(link.fd, region, needed)
    link.outbox = outbox
    os.set_blocking(link.fd, False)  # children close it, so nobody else can change that

    prelude.import_random()
    determinism.install(setup)
    missing = prelude.warm_up(setup.warm)
    names, absent = prelude.build(setup.prelude, set(setup.lazy))
    # The host removes that folder now; its name must not tell one worker from another.
    os.environ["MPLCONFIGDIR"] = "/cache"
    task = _make_task(setup, names)
    _refuse_too_little(len(region.view), setup.memory_bytes)
    lockdown.forbid_inspection()
    info = {"version": list(sys.version_info[:3]), "missing": sorted(set(missing) | set(absent))}
    baseline = _exchange(inbox, outbox, frames.Hello(json.dumps(info).encode()))

    threads = baseline.threads
    if not threads:  # the host has no /proc
        threads = measure.threads() if "NPROC" in setup.rlimits else 0
    fork = forking.choose_fork(threads)
    text.move_to_huge_pages(baseline.text_start, baseline.text_bytes)
    limits = dict(setup.rlimits)
    if "NPROC" in limits:  # a library that was warmed up may have started threads: they are no program's
        limits["NPROC"] += threads - 1
    lockdown.set_limits(limits)
    commands = Commands(setup.commands) if setup.commands else None
    confinement = None
    if setup.confinement:
        confinement = Confinement(setup.confinement)
        confinement.of_zygote()
    if setup.filter:
        lockdown.install_filter(bytes.fromhex(setup.filter))
    group = CheckGroup(setup.group) if setup.group else None
    programs = Programs(region, blob_bytes)
    pages = Pages(region, setup.capture_bytes) if setup.capture_bytes else None
    scratch = [Scratch(path, fork) for path in setup.emptied]
    os.chdir(setup.working_folder)
    os.dup2(1, 2)  # /dev/null: so far this was the log, a file that programs must not share

    gc.collect()
    gc.disable()
    rehearse(task)
    heap.make_everything_immortal()
    kept: List[object] = list(heap.fill_holes())
    if setup.mix_addresses:
        kept += heap.mix_free_blocks(setup.random_seed)
    gc.freeze()
    child_has = measure.inherited(fork, lambda: rehearse(task, 1))
    address_space = child_has.address_space + setup.memory_bytes
    most: Tuple[int, int] = (address_space, address_space)
    if setup.memory_is_counted:
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        most = (hard, hard)
    return Started(
        setup, alone, region, inbox, outbox, programs, pages, task, scratch, group, confinement, commands, fork,
        most, child_has.resident_kib, output_bytes, kept,
    )  # fmt: skip


def _make_task(setup: Setup, prelude_names: dict[str, Any]) -> Task:
    """The task that every check fills in, with all done that a child would otherwise do after its fork: each write
    there is a page fault, and they are most of what a check costs."""
    space = child.make_module(prelude_names)
    sys.modules["random"].seed(setup.random_seed)
    numpy_seeded = "numpy" in sys.modules
    if numpy_seeded:
        child.seed_numpy(setup)
    return Task(setup, space, numpy_seeded, TaskBuffer(2 * setup.blob_bytes + _TASK_BYTES))


def _exchange(inbox: Inbox, outbox: Outbox, hello: frames.Hello) -> frames.Baseline:
    """Says hello and waits for the answer to it."""
    outbox.say(hello)
    poller = select.poll()
    while True:
        poller.register(inbox.fd, select.POLLIN | (0 if outbox.send() else select.POLLOUT))
        poller.poll()
        inbox.receive()
        layout = inbox.layout()
        if layout is None:
            continue
        if layout.frame is not frames.Baseline:
            raise frames.ProtocolError("%s before Baseline" % layout.frame.__name__)
        baseline: frames.Baseline = inbox.frame(layout)
        inbox.drop()
        return baseline


def _refuse_too_little(region_bytes: int, memory_bytes: int) -> None:
    """Raises OSError where this host does not allow what a check was promised: programs would run out of memory for no fault
    of theirs, and nobody would see it in the verdict."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if hard == resource.RLIM_INFINITY:
        return
    left = hard - (measure.address_space() - region_bytes) - _START_BYTES
    if memory_bytes > left:
        raise OSError(
            "limits.memory_bytes is %d MiB, and the limit on addresses here (ulimit -Hv) leaves %d MiB to a check"
            % (memory_bytes >> 20, max(left, 0) >> 20)
        )
