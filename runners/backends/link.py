"""A node as the driver sees it: what a transport offers, and what the fleet keeps of it."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from reexec.engine.errors import ReexecError
from reexec.engine.program import Program

from . import losses, wire

ROWS_A_WORKER = 64
"""Tasks under way on a node, for each of its workers, at the most: its answers are on their way back while it runs the next."""
FIRST_ROWS_A_WORKER, LEAST_ROWS_A_WORKER = 8, 4
STAY_S = 3.0
"""What a node is given more of than it answers within this time waits there for nothing, while another node may be free."""
BYTES = 32 << 20
"""Of calls under way on a node."""
MOST_AT_ONCE = 256


class Link(Protocol):
    """One node. `send` returns at once, and may be called before the node is up; what cannot be sent shows as its end."""

    name: str

    def start(self, heard: Callable[[bytes], None], ended: Callable[[str], None]) -> None:
        """From now on frames of the node, and its end with the reason, are told in a thread of the link."""

    def send(self, data: bytes) -> None: ...

    def close(self) -> None:
        """Ends the node. Returns when it is gone, or after a few seconds."""


class Transport(Protocol):
    def connect(self, taken: Collection[str]) -> Sequence[Link]:
        """Nodes that are there, or can be made, beside those whose names are taken."""
        ...

    def close(self) -> None: ...


@dataclass(slots=True, eq=False)
class Task:
    """One call on its way. Owned by the fleet from `run` until it is delivered."""

    number: int
    executor: int
    program: Program
    line: bytes
    deliver: "Callable[[Task], None]"
    """In a thread of a link, once: there is an answer or an error."""
    tag: Any = None
    losses: int = 0
    given_at: float = 0.0
    cancelled: bool = False
    answer: bytes = b""
    error: Exception | None = None

    @property
    def size(self) -> int:
        return len(self.line) + len(self.program.source)

    def again(self, number: int) -> "Task":
        """The same call once more, as another task."""
        line = self.line.replace(b"[%d," % self.number, b"[%d," % number, 1)
        return Task(number, self.executor, self.program, line, self.deliver, self.tag)


@dataclass(slots=True, eq=False)
class Member:
    """A link, and what its node has."""

    link: Link
    abouts: dict[int, dict[str, Any]] = field(default_factory=dict)
    """What the node said of each executor that it has opened (likeness.about)."""
    refused: dict[int, ReexecError] = field(default_factory=dict)
    """Executors that it could not open, and why."""
    tasks: dict[int, Task] = field(default_factory=dict)
    bytes_on_way: int = 0
    rows_a_worker: float = FIRST_ROWS_A_WORKER
    """Grows while answers come soon, and shrinks where they do not."""
    heard_at: float = field(default_factory=time.monotonic)
    is_up: bool = False
    is_lost: bool = False
    counted: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Recalled and shared calls of each executor."""

    @property
    def name(self) -> str:
        return self.link.name

    @property
    def workers(self) -> int:
        return max(1, sum(int(about["workers"]) for about in self.abouts.values()))

    def room(self, of: Task) -> int:
        """How many more tasks may go there, the first of which is this one; 0 where it is worth waiting for more answers."""
        about = self.abouts.get(of.executor)
        if about is None:
            return 0
        usual = int(self.rows_a_worker * self.workers)
        under_way = len(self.tasks)
        most = min((losses.together(task.losses, usual) for task in (of, *self.tasks.values()) if task.losses), default=usual)
        if self.tasks and (self.bytes_on_way >= BYTES or (most == usual and under_way > usual * 3 // 4)):
            return 0
        return max(0, most - under_way)

    def take(self, tasks: Sequence[Task]) -> None:
        """Sends tasks, with each program once."""
        now = time.monotonic()
        for task in tasks:
            task.given_at = now
            self.tasks[task.number] = task
            self.bytes_on_way += task.size
        programs = {task.program.id: task.program for task in tasks}
        self.link.send(wire.frame(wire.run_head(programs.values()), [task.line for task in tasks]))

    def answered(self, number: int) -> Task | None:
        task = self.tasks.pop(number, None)
        if task is not None:
            self.bytes_on_way -= task.size
            if time.monotonic() - task.given_at < STAY_S:
                self.rows_a_worker = min(ROWS_A_WORKER, self.rows_a_worker + 1 / self.workers)
            else:
                self.rows_a_worker = max(LEAST_ROWS_A_WORKER, self.rows_a_worker * (1 - 0.1 / self.workers))
        return task
