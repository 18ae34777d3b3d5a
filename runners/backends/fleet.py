"""The driver's side: every task that is not answered yet, and which node has it.

All of it is under one lock. Links tell of frames and ends in threads of their own, streams call `run`; whoever
changes something gives nodes what they have room for. A keeper thread looks for nodes that say nothing, and for nodes that
have come.
"""

import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any

from reexec.engine.errors import EngineError, IsolationUnavailableError, UsageError

from . import losses, wire
from .likeness import difference
from .link import MOST_AT_ONCE, ROWS_A_WORKER, Link, Member, Task, Transport

SILENT_S = 60.0
"""Without a word: a node says that it lives every second."""
START_S = 300.0
"""For a node to be up; one that is not is left alone."""
NONE_LEFT_S = 60.0
LOOK_S = 10.0
FAILURES_ALLOWED = 5
"""Losses of a node, one after the other without an answer, before it is left alone."""


class Fleet:
    """Nodes and what they do. Raises EngineError where there are none.

    tell: hears a line for a person when a node is lost or comes.
    """

    def __init__(self, transport: Transport, *, tell: Callable[[str], None] = lambda _: None) -> None:
        self._transport, self._tell = transport, tell
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._members: dict[str, Member] = {}
        self._opens: dict[int, bytes] = {}
        """What opens each executor, for nodes that come later."""
        self._alike: dict[int, tuple[str, dict[str, Any]]] = {}
        """A node of each executor, which the others must be like."""
        self._waiting: deque[Task] = deque()
        self._again: deque[Task] = deque()
        """Tasks of lost nodes: these go first."""
        self._failures: Counter[str] = Counter()
        self._gone_counts: dict[int, tuple[int, int]] = {}
        self._last_loss, self._lost_one = "", False
        self._none_since: float | None = None
        self._tasks_made = self._executors_made = 0
        self._closed = False
        self.failure: EngineError | None = None
        self._keeper: threading.Thread | None = None
        self._look()
        if not self._members:
            raise EngineError("there are no nodes", stage="connect")
        self._keeper = threading.Thread(target=self._keep, name="reexec-fleet", daemon=True)
        self._keeper.start()

    # -- executors --------------------------------------------------------------------------------------------

    def open(self, **settings: Any) -> tuple[int, list[dict[str, Any]]]:
        """Opens an executor on every node: its number, and what the nodes say of it. Raises what a node raised, UsageError
        where nodes differ, EngineError where none is left."""
        with self._changed:
            number = self._executors_made = self._executors_made + 1
            self._opens[number] = wire.head(do="open", executor=number, **settings)
            for member in self._members.values():
                member.link.send(self._opens[number])
            self._changed.wait_for(lambda: self._closed or self.failure or self._all_opened(number))
            self._check_open()
            refused = [(member.name, member.refused[number]) for member in self._members.values() if number in member.refused]
            if refused:
                self._forget(number)
                raise refused[0][1]
            members = [member for member in self._members.values() if number in member.abouts]
            if not members:
                self._forget(number)
                raise EngineError(f"no node came up: {self._last_loss}", stage="connect")
            first = members[0]
            for other in members[1:]:
                fault = difference(first.name, first.abouts[number], other.name, other.abouts[number])
                if fault:
                    self._forget(number)
                    raise UsageError(fault)
            self._alike[number] = (first.name, first.abouts[number])
            return number, [member.abouts[number] for member in members]

    def _all_opened(self, number: int) -> bool:
        return all(number in member.abouts or number in member.refused for member in self._members.values())

    def _forget(self, number: int) -> None:
        self._opens.pop(number, None)
        self._alike.pop(number, None)
        for member in self._members.values():
            member.abouts.pop(number, None)
            member.refused.pop(number, None)
            member.link.send(wire.head(do="close", executor=number))

    def close_executor(self, number: int) -> None:
        with self._lock:
            if not self._closed:
                self._forget(number)

    def counted(self, number: int) -> tuple[int, int]:
        """Calls of an executor that were recalled from caches, and that shared an identical one's outcome."""
        with self._lock:
            each = [member.counted.get(number, (0, 0)) for member in self._members.values()]
            each.append(self._gone_counts.get(number, (0, 0)))
            return sum(one for one, _ in each), sum(two for _, two in each)

    # -- tasks ------------------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        return not self._closed and self.failure is None

    def number(self) -> int:
        """For the next task."""
        with self._lock:
            self._tasks_made += 1
            return self._tasks_made

    def run(self, tasks: Sequence[Task]) -> None:
        """Takes tasks; each is delivered once, unless it is cancelled."""
        with self._lock:
            self._check_open()
            self._waiting.extend(tasks)
            self._give()

    def cancel(self, tasks: Sequence[Task]) -> None:
        """Nobody waits for these any more. What a node has of them it still runs."""
        with self._lock:
            for task in tasks:
                task.cancelled = True
            self._waiting = deque(task for task in self._waiting if not task.cancelled)
            self._again = deque(task for task in self._again if not task.cancelled)

    def window_rows(self) -> int:
        """How many tasks keep every node busy, however fast."""
        with self._lock:
            return 2 * ROWS_A_WORKER * max(1, sum(member.workers for member in self._members.values()))

    def _check_open(self) -> None:
        if self.failure is not None:
            raise self.failure
        if self._closed:
            raise UsageError("these nodes are closed")

    def _give(self) -> None:
        """Under the lock: nodes get what they have room for, in rounds with a share for each, the least busy first."""
        given = True
        while given:
            given = False
            for member in sorted(self._members.values(), key=lambda each: len(each.tasks) / each.workers):
                source = self._again or self._waiting
                room = member.room(source[0]) if source else 0
                if not room:
                    continue
                given = True
                share = math.ceil(len(source) / (2 * len(self._members)))
                batch: list[Task] = []
                for _ in range(min(room, max(share, member.workers), MOST_AT_ONCE, len(source))):
                    if batch and (source[0].executor not in member.abouts or source[0].losses > batch[0].losses):
                        break
                    batch.append(source.popleft())
                member.take(batch)

    # -- what links tell --------------------------------------------------------------------------------------

    def _heard(self, member: Member, data: bytes) -> None:
        head, lines = wire.opened(data)
        done: list[Task] = []
        lost = ""
        with self._changed:
            member.heard_at, member.is_up = time.monotonic(), True
            if member.is_lost:
                return
            match head["do"]:
                case "answers":
                    self._failures.pop(member.name, None)
                    member.counted = {int(number): tuple(each) for number, each in head["counted"].items()}
                    for line in lines:
                        number, body = wire.number_of(line)
                        task = member.answered(number)
                        if task is not None:
                            task.answer = body
                            done.append(task)
                case "not run":
                    if head["kind"] == "node":
                        lost = head["why"]
                    else:
                        for task in filter(None, map(member.answered, head["tasks"])):
                            task.error = UsageError(head["why"])
                            done.append(task)
                case "opened":
                    lost = self._opened(member, head["executor"], head["about"])
                case "failed":
                    member.refused[head["executor"]] = _error(head["kind"], f"{member.name}: {head['why']}")
                    if head["executor"] in self._alike:  # a node that has come later
                        lost = head["why"]
                case "remark":
                    self._tell(f"{member.name}: {head['text']}")
            self._changed.notify_all()
            self._give()
        _deliver(done)
        if lost:
            self._ended(member, lost)

    def _opened(self, member: Member, number: int, about: dict[str, Any]) -> str:
        """Why the node cannot be used, "" where it can."""
        if number not in self._opens:
            return ""
        alike = self._alike.get(number)
        fault = "" if alike is None else difference(*alike, member.name, about)
        if fault:
            self._failures[member.name] = FAILURES_ALLOWED
            return fault
        member.abouts[number] = about
        return ""

    def _ended(self, member: Member, why: str) -> None:
        """A node is lost: its tasks go elsewhere."""
        done: list[Task] = []
        with self._changed:
            if member.is_lost or self._closed:
                return
            member.is_lost = True
            del self._members[member.name]
            self._failures[member.name] += 1
            self._last_loss, self._lost_one = f"{member.name}: {why}", True
            for number, (recalled, shared) in member.counted.items():
                before = self._gone_counts.get(number, (0, 0))
                self._gone_counts[number] = before[0] + recalled, before[1] + shared
            back: list[Task] = []
            for task in member.tasks.values():
                task.losses += 1
                if task.losses < losses.BELIEVED:
                    back.append(task)
                else:
                    task.answer = wire.answer_line(task.number, losses.given_up(why)).partition(b" ")[2]
                    done.append(task)
            back = [task for task in back if not task.cancelled]
            self._again.extendleft(reversed(back))
            if not self._members:
                self._none_since = time.monotonic()
            self._give()
            self._changed.notify_all()
        _deliver(done)
        what = f"; its {len(back):,} checks run elsewhere" if back else ""
        self._tell(f"{member.name} was lost ({why}){what}")
        threading.Thread(target=member.link.close, daemon=True).start()

    # -- nodes that come and go -------------------------------------------------------------------------------

    def _keep(self) -> None:
        looked = time.monotonic()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._lost_one, 1.0)
                if self._closed or self.failure:
                    return
                lost_one, self._lost_one = self._lost_one, False
                now = time.monotonic()
                silent = [
                    member
                    for member in self._members.values()
                    if now - member.heard_at > (SILENT_S if member.is_up else START_S)
                ]
            for member in silent:
                if not member.is_up:
                    self._failures[member.name] = FAILURES_ALLOWED
                self._ended(member, f"no word for {time.monotonic() - member.heard_at:.0f} s")
            if lost_one or now - looked > LOOK_S:
                self._look()
                looked = time.monotonic()
            with self._lock:
                over = self._none_since is not None and time.monotonic() - self._none_since > NONE_LEFT_S
            if over:
                self._fail(EngineError(f"no node is left: {self._last_loss}", stage="run", retry_helps=True))

    def _look(self) -> None:
        """Takes in nodes that have come."""
        with self._lock:
            beaten = {name for name, count in self._failures.items() if count >= FAILURES_ALLOWED}
            taken = {*self._members, *beaten}
        try:
            links = self._transport.connect(taken)
        except EngineError as error:
            self._last_loss = str(error)
            if not self._members and self._keeper is None:
                raise
            return
        for link in links:
            self._take_in(link)

    def _take_in(self, link: Link) -> None:
        member = Member(link)
        with self._changed:
            if self._closed:
                threading.Thread(target=link.close, daemon=True).start()
                return
            self._members[link.name] = member
            self._none_since = None
            for data in self._opens.values():
                link.send(data)
        link.start(lambda data: self._heard(member, data), lambda why: self._ended(member, why))

    def _fail(self, error: EngineError) -> None:
        with self._changed:
            self.failure = error
            left = [*self._again, *self._waiting]
            self._again.clear()
            self._waiting.clear()
            self._changed.notify_all()
        for task in left:
            task.error = error
        _deliver(left)

    def close(self) -> None:
        """Ends all nodes. Tasks that are not done get a UsageError; a second close does nothing."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            members = list(self._members.values())
            left = [*self._again, *self._waiting, *(task for member in members for task in member.tasks.values())]
            self._changed.notify_all()
        for task in left:
            task.error = self.failure or UsageError("these nodes are closed")
        _deliver(left)
        ends = [threading.Thread(target=member.link.close, daemon=True) for member in members]
        for thread in ends:
            thread.start()
        for thread in ends:
            thread.join()
        if self._keeper is not None:
            self._keeper.join()
        self._transport.close()


def _deliver(tasks: Sequence[Task]) -> None:
    for task in tasks:
        if not task.cancelled:
            task.deliver(task)


def _error(kind: str, why: str) -> EngineError | UsageError:
    if kind == "usage":
        return UsageError(why)
    if kind == "isolation":
        return IsolationUnavailableError(why, stage="start worker")
    return EngineError(why, stage="start worker")
