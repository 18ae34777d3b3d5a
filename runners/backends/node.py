"""The node's side: executors, and the tasks that they have. A transport gives it frames and takes frames from it.

    work = NodeWork()
    work.give(frame)            # from the transport's thread; returns at once
    frame = work.take()         # what is to be sent back; after a second without anything, a word that the node lives
    work.close()

Every frame of tasks runs as streams of its own, whose outcomes go back as they come. What the driver has not taken yet is held
up to HELD_BYTES; then the streams wait, and with them the executors.
"""

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from reexec.engine.cache import CacheUnusableError, OutcomeCache
from reexec.engine.errors import IsolationUnavailableError, UsageError
from reexec.engine.executor import Executor
from reexec.engine.outcome import Outcome
from reexec.engine.program import Program
from reexec.policies.model import Policy

from . import wire
from .likeness import about
from .parts import part_of

HELD_BYTES = 64 << 20
FRAME_BYTES = 4 << 20
LIVES_S = 1.0


class NodeWork:
    def __init__(self, processors: int | None = None) -> None:
        """processors: how many workers an executor has where the driver asks for no number; the machine's where None."""
        self._processors = processors
        self._executors: dict[int, Executor] = {}
        self._caches: dict[str, OutcomeCache] = {}
        self._lock = threading.Lock()
        self._changed = threading.Condition()
        self._said: deque[bytes] = deque()
        """Frames to be taken before any answer."""
        self._answers: deque[bytes] = deque()
        self._held_bytes = 0
        self._closed = False

    # -- the transport's side ---------------------------------------------------------------------------------

    def give(self, data: bytes) -> None:
        head, lines = wire.opened(data)
        match head["do"]:
            case "open":
                _thread(self._open, head)
            case "close":
                _thread(self._close_executor, head["executor"])
            case "run":
                _thread(self._run, head["programs"], lines)

    def take(self, patience_s: float = LIVES_S) -> bytes:
        """The next frame for the driver; one that says nothing after `patience_s`, or where the node is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._said or self._answers or self._closed, patience_s)
            if self._said:
                return self._said.popleft()
            lines: list[bytes] = []
            size = 0
            while self._answers and size < FRAME_BYTES:
                lines.append(self._answers.popleft())
                size += len(lines[-1])
            self._held_bytes -= size
            self._changed.notify_all()
        return wire.frame(wire.head(do="answers", counted=self._counted()), lines) if lines else wire.head(do="lives")

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        with self._lock:
            executors, self._executors = list(self._executors.values()), {}
            caches, self._caches = list(self._caches.values()), {}
        for executor in executors:
            executor.shutdown()
        for cache in caches:
            cache.close()

    # -- threads ----------------------------------------------------------------------------------------------

    def _open(self, head: dict[str, Any]) -> None:
        number = head["executor"]
        try:
            executor = self._made(head)
        except Exception as error:
            kind = next((name for name, one in ERRORS.items() if isinstance(error, one)), "other")
            self._say(wire.head(do="failed", executor=number, kind=kind, why=str(error) or type(error).__name__))
            return
        with self._lock:
            self._executors[number] = executor
            closed = self._closed
        if closed:
            executor.shutdown()
        self._say(wire.head(do="opened", executor=number, about=about(executor)))

    def _made(self, head: dict[str, Any]) -> Executor:
        cache = None
        if head["cache"]:
            try:
                with self._lock:
                    cache = self._caches.get(head["cache"]) or OutcomeCache(Path(head["cache"]))
                    self._caches[head["cache"]] = cache
            except CacheUnusableError as error:  # it saves time and decides nothing
                self._say(wire.head(do="remark", text=f"no cache: {error}"))
        return Executor(
            Policy.model_validate(head["policy"]),
            workers=part_of(head["workers"] or self._processors, head["part"]),
            python=head["python"],
            isolation=head["isolation"],
            cache=cache,
            share_identical=head["share_identical"],
        )

    def _close_executor(self, number: int) -> None:
        with self._lock:
            executor = self._executors.pop(number, None)
        if executor is not None:
            executor.shutdown()

    def _run(self, programs: list[Any], lines: list[bytes]) -> None:
        """Puts the tasks into streams of like ones; those that share entropy one by one, as streams have no such option."""
        known = {program.id: program for program in map(Program.from_json, programs)}
        streams: dict[tuple[int, int], list[wire.Sent]] = {}
        for line in lines:
            task = wire.read_task(line)
            streams.setdefault((task.executor, task.how), []).append(task)
        for (number, how), tasks in streams.items():
            executor = self._executors.get(number)
            if executor is None:
                self._fail(tasks, "usage", "this executor is shut down")
            elif how & wire.SHARED_ENTROPY:
                self._submit(executor, how, tasks, known)
            else:
                _thread(self._stream, executor, how, tasks, known)

    def _stream(self, executor: Executor, how: int, tasks: Sequence[wire.Sent], known: dict[str, Program]) -> None:
        left = {task.number: task for task in tasks}
        items = [(known[task.program], task.call, task.number) for task in tasks]
        watch, sources = bool(how & wire.WATCH_ARGUMENTS), bool(how & wire.WATCH_SOURCES)
        try:
            for outcome, number in executor.run_many(items, ordered=False, watch_arguments=watch, watch_sources=sources):
                assert outcome is not None
                if outcome.kind == "engine-error" and not executor.is_open:
                    raise executor.failure or RuntimeError("its executor has ended")
                del left[number]
                self._answer(number, outcome)
        except UsageError as error:
            self._fail(left.values(), "usage" if executor.is_open else "node", str(error))
        except Exception as error:
            self._fail(left.values(), "node", f"{type(error).__name__}: {error}")

    def _submit(self, executor: Executor, how: int, tasks: Sequence[wire.Sent], known: dict[str, Program]) -> None:
        watch, sources = bool(how & wire.WATCH_ARGUMENTS), bool(how & wire.WATCH_SOURCES)
        for task in tasks:

            def done(future: "Future[Outcome]", task: wire.Sent = task) -> None:
                try:
                    outcome = future.result()
                except Exception as error:
                    self._fail([task], "node", f"{type(error).__name__}: {error}")
                else:
                    self._answer(task.number, outcome, waits=False)

            try:
                future = executor.submit(
                    known[task.program], task.call, watch_arguments=watch, watch_sources=sources, shared_entropy=True
                )
                future.add_done_callback(done)
            except UsageError as error:
                self._fail([task], "usage" if executor.is_open else "node", str(error))
            except Exception as error:
                self._fail([task], "node", f"{type(error).__name__}: {error}")

    # -- what goes back ---------------------------------------------------------------------------------------

    def _answer(self, number: int, outcome: Outcome, *, waits: bool = True) -> None:
        line = wire.answer_line(number, outcome)
        with self._changed:
            if waits:
                self._changed.wait_for(lambda: self._held_bytes < HELD_BYTES or self._closed)
            self._answers.append(line)
            self._held_bytes += len(line)
            self._changed.notify_all()

    def _fail(self, tasks: Any, kind: str, why: str) -> None:
        self._say(wire.head(do="not run", tasks=[task.number for task in tasks], kind=kind, why=why))

    def _say(self, data: bytes) -> None:
        with self._changed:
            self._said.append(data)
            self._changed.notify_all()

    def _counted(self) -> dict[int, list[int]]:
        with self._lock:
            counted = {number: executor.statistics() for number, executor in self._executors.items()}
        return {number: [each.recalled, each.shared] for number, each in counted.items()}


ERRORS: dict[str, type[Exception]] = {"usage": UsageError, "isolation": IsolationUnavailableError}
"""How a node's refusal to open an executor is raised by the driver; any other is an EngineError."""


def _thread(work: Any, *arguments: Any) -> None:
    threading.Thread(target=work, args=arguments, daemon=True).start()
