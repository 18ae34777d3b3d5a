"""Many calls at once through a fleet, as engine/stream.py has them through one pool: reads ahead within a window of rows and
bytes, keeps the order, and gives up what is left when its consumer goes. Runs in the consumer's thread."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from reexec.engine.errors import DeadlineExceededError
from reexec.engine.outcome import Outcome
from reexec.engine.pool.retry import may_vary, varies
from reexec.engine.program import Program
from reexec.engine.stream import WAIT, Repeat

from . import wire
from .fleet import Fleet
from .link import Task

WINDOW_BYTES = 64 << 20
"""Of calls on their way, and of answers that wait for those before them."""
_AT_ONCE = 64
_PATIENCE_S = 1.0

MakeTask = Callable[[Program, Any, Callable[[Task], None], Any], Task]


class _Entry:
    """An item of the source, until it is handed out."""

    __slots__ = ("asked", "is_done", "outcome", "size", "tag", "task")

    def __init__(self, tag: Any, task: Task | None) -> None:
        self.tag, self.task = tag, task
        self.outcome: Outcome | None = None
        self.is_done = task is None
        self.size = 0 if task is None else task.size
        self.asked: bool | None = None
        """Whether a second run gave another value."""


class NodesStream:
    """Iterates over `(outcome, tag)`; an item without a program has no outcome."""

    def __init__(
        self, fleet: Fleet, items: Iterator[tuple[Program | None, Any, Any]], make: MakeTask, *, ordered: bool,
        timeout: float | None, repeat: Repeat | None,
    ) -> None:  # fmt: skip
        self._fleet, self._items, self._make = fleet, items, make
        self._ordered, self._repeat = ordered, repeat
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._arrived: deque[Task] = deque()
        self._bell = threading.Condition()
        self._line: deque[_Entry] = deque()
        """In the order of the input, where there is one."""
        self._ready: deque[_Entry] = deque()
        self._on_way: dict[int, _Entry] = {}
        """By the number of the task, a second run's too."""
        self._held_bytes = 0
        self._out = 0
        """Entries not handed out."""
        self._exhausted = False

    def __iter__(self) -> Iterator[tuple[Outcome | None, Any]]:
        try:
            while True:
                read = self._read_ahead()
                if self._deadline is not None and time.monotonic() >= self._deadline:
                    raise DeadlineExceededError("the timeout is over; what was not done is cancelled")
                self._look_at_arrived()
                done = self._take_done()
                for entry in done:
                    self._held_bytes -= entry.size
                    self._out -= 1
                    outcome = entry.outcome
                    if outcome is not None and entry.asked is not None:
                        outcome = replace(outcome, varies=entry.asked)
                    yield outcome, entry.tag
                if done:
                    continue
                if self._exhausted and not self._out:
                    return
                if not read:
                    with self._bell:
                        self._bell.wait_for(lambda: self._arrived, self._patience_s())
        finally:
            left = [entry.task for entry in self._on_way.values() if entry.task is not None]
            if left:
                self._fleet.cancel(left)

    def _read_ahead(self) -> bool:
        """Takes a few more items where the window has room; whether it took any."""
        fresh: list[Task] = []
        read = 0
        room = min(_AT_ONCE, self._fleet.window_rows() - self._out)
        while not self._exhausted and read < room and self._held_bytes < WINDOW_BYTES:
            item = next(self._items, None)
            if item is None:
                self._exhausted = True
                break
            if item is WAIT:
                break
            program, call, tag = item
            task = None if program is None else self._make(program, call, self._deliver, tag)
            entry = _Entry(tag, task)
            if task is not None:
                self._on_way[task.number] = entry
                fresh.append(task)
            if self._ordered:
                self._line.append(entry)
            elif task is None:
                self._ready.append(entry)
            self._held_bytes += entry.size
            self._out += 1
            read += 1
        if fresh:
            self._fleet.run(fresh)
        return read > 0

    def _deliver(self, task: Task) -> None:
        """In a thread of a link."""
        with self._bell:
            self._arrived.append(task)
            self._bell.notify()

    def _look_at_arrived(self) -> None:
        while self._arrived:
            task = self._arrived.popleft()
            entry = self._on_way.pop(task.number)
            if task.error is not None:
                raise task.error
            outcome = wire.read_answer(task.answer)
            repeat = self._repeat
            if entry.outcome is None:
                entry.outcome = outcome
                entry.size += len(task.answer)
                self._held_bytes += len(task.answer)
                if repeat is not None and may_vary(task.program.source) and repeat.doubts(outcome, entry.tag):
                    again = task.again(self._fleet.number())
                    entry.task = again
                    self._on_way[again.number] = entry
                    self._fleet.run([again])
                    continue
            elif repeat is not None:
                entry.asked = varies(entry.outcome, outcome, repeat.rule)
            entry.task, entry.is_done = None, True
            if not self._ordered:
                self._ready.append(entry)

    def _take_done(self) -> list[_Entry]:
        done: list[_Entry] = []
        if self._ordered:
            while self._line and self._line[0].is_done:
                done.append(self._line.popleft())
        else:
            done, self._ready = list(self._ready), deque()
        return done

    def _patience_s(self) -> float:
        return _PATIENCE_S if self._deadline is None else min(_PATIENCE_S, max(0.0, self._deadline - time.monotonic()))
