"""What one check has of its own: limits lower than its policy's, and files in its writable folder.

The files are put there by the check's own child before its program begins, and read by another child once everything of the
check has ended. Their bytes lie in the task's buffer and in the region, never on the zygote's heap.
"""

from __future__ import annotations

import os
import stat
import sys
from typing import Callable, List, NamedTuple, Tuple

from ..protocol import files as wire
from ..protocol import frames
from ..protocol.setup import Setup
from .child import _json, _leave, _pack
from .task import Task

Action = Callable[[int, Task], None]

LATE_FACTOR, LATE_S = 1.05, 0.05  # a claim that comes later than this after the processor budget comes too late
SOON_MS = 20
BACKSTOP = 60  # times cpu_s, as policies have it


class Bounds(NamedTuple):
    """What the limits of a check amount to for its supervisor."""

    setup: Setup
    late_s: float
    first_wait_ms: float
    address_space: Tuple[int, int]
    """RLIMIT_AS of the child, soft and hard."""


def bounds_of(setup: Setup, address_space: Tuple[int, int]) -> Bounds:
    first_wait_ms = max(1.0, min(SOON_MS, 1000 * setup.cpu_s / setup.processes, 1000 * setup.idle_s))
    return Bounds(setup, setup.cpu_s * LATE_FACTOR + LATE_S, first_wait_ms, address_space)


def narrowed(usual: Bounds, own: frames.Own) -> Bounds:
    """Under the lower limits of one check; none is above the policy's."""
    setup = usual.setup
    cpu_s, idle_s = min(setup.cpu_s, own.cpu_us / 1e6), min(setup.idle_s, own.idle_us / 1e6)
    memory_bytes = min(setup.memory_bytes, own.memory_bytes)
    less = 0 if setup.memory_is_counted else setup.memory_bytes - memory_bytes
    soft, hard = usual.address_space
    narrow = setup._replace(
        cpu_s=cpu_s, idle_s=idle_s, wall_s=min(setup.wall_s, BACKSTOP * cpu_s + idle_s), memory_bytes=memory_bytes
    )
    return bounds_of(narrow, (soft - less, hard - less))


def with_files(action: Action, part: int) -> Action:
    """`action` in a child, once the files of this part of the task lie in its folder."""

    def run(fd: int, task: Task) -> None:
        try:
            _place(task.part(part))
            if task.options & frames.SCRIPT and not task.options & frames.COMMAND:
                sys.path.insert(0, os.getcwd())  # where an interpreter finds a script's neighbours
        except MemoryError:
            _leave(fd, _pack("memory-limit", b"{}"))
        except OSError as error:
            said = "its files cannot be put into its folder: %s" % error.strerror
            _leave(fd, _pack("exception", _json({"type": "OSError", "message": said, "lines": []})))
        action(fd, task)

    return run


def _place(data: memoryview) -> None:
    """The folder is empty, and the host has looked at the paths: none is absolute, none has `..`."""
    head, at = wire.head_of(data)
    for path, size in head["given"]:
        folder = os.path.dirname(path.encode("utf-8"))
        if folder:
            os.makedirs(folder, exist_ok=True)
        fd = os.open(path.encode("utf-8"), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        content = data[at : at + size]
        at += size
        while content:
            content = content[os.write(fd, content) :]
        os.close(fd)


def fetch(fd: int, task: Task) -> None:
    """In a child of its own: what lies there was left by a hostile program. Parts: the files' data."""
    head, _ = wire.head_of(task.part(0))
    left = task.setup.output_bytes
    found: List[Tuple[int, int]] = []
    contents: List[bytes] = []
    try:
        for number, path in enumerate(head["wanted"]):
            try:
                content = _content(path.encode("utf-8"), left)
            except OSError:
                continue
            if content is None:
                found.append((number, wire.TOO_LARGE))
                continue
            left -= len(content)
            found.append((number, len(content)))
            contents.append(content)
        frame = _pack("value", wire.pack_back(found, contents))
    except MemoryError:
        frame = _pack("memory-limit", b"{}")
    _leave(fd, frame)


def _content(path: bytes, most: int) -> bytes | None:
    """Of a regular file, reached without following a link; None where it is longer than `most`. Raises OSError."""
    *folders, name = path.split(b"/")
    at = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            below = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
            os.close(at)
            at = below
        # A pipe would wait for a writer.
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
    finally:
        os.close(at)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError("no regular file")
        parts: List[bytes] = []
        size = 0
        while True:
            part = os.read(file, min(1 << 16, most - size + 1))
            if not part:
                return b"".join(parts)
            size += len(part)
            if size > most:
                return None
            parts.append(part)
    finally:
        os.close(file)
