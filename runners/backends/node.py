"""The node's side: executors, and the tasks that they have. A transport gives it frames and takes frames from it.

    work = NodeWork()
    work.give(frame)            # from the transport's thread; returns at once
    frame = work.take()         # what is to be sent back; after a second without anything, a word that the node lives
    work.close()

Tasks run in streams, whose outcomes go back as they come. A stream takes what has come when it begins; there are two more of
them than an executor has workers, so that streams that wait for a slow check leave no worker idle. What the driver has not
taken yet is held up to HELD_BYTES; then the streams wait, and with them the executors.
"""

import threading
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from reexec.engine.cache import CacheUnusableError, OutcomeCache
from reexec.engine.errors import IsolationUnavailableError, UsageError
from reexec.engine.executor import Executor
from reexec.engine.outcome import Outcome
from reexec.engine.program import Call, Program, Stdin
from reexec.engine.protocol import frames

from . import wire
from .likeness import about, agreed
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
        self._waiting: dict[Stream, deque[Item]] = {}
        self._running: Counter[Stream] = Counter()
        self._changed = threading.Condition()
        self._said: deque[bytes] = deque()
        """Frames to be taken before any answer."""
        self._answers: deque[bytes] = deque()
        self._held_bytes = 0
        self._closed = False

    # -- the transport's side ---------------------------------------------------------------------------------

    def give(self, data: bytes) -> None:
        """Takes a frame of the driver's. Where that fails, the node says so and is of no more use."""
        try:
            self._give(data)
        except Exception as error:  # a host that may start no thread; a transport may tell nobody
            self._fail([], "node", f"{type(error).__name__}: {error}")

    def _give(self, data: bytes) -> None:
        head, lines = wire.opened(data)
        match head["do"]:
            case "open":
                _thread(self._open, head)
            case "close":
                _thread(self._close_executor, head["executor"])
            case "run":
                self._run(head["programs"], lines)

    def take(self, patience_s: float = LIVES_S) -> bytes:
        """The next frame for the driver; after `patience_s` without one, the word that the node lives."""
        with self._changed:
            self._changed.wait_for(lambda: self._said or self._answers, patience_s)
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
        policy, cache = agreed(head), None
        if head["cache"]:
            try:
                with self._lock:
                    cache = self._caches.get(head["cache"]) or OutcomeCache(Path(head["cache"]))
                    self._caches[head["cache"]] = cache
            except CacheUnusableError as error:  # it saves time and decides nothing
                self._say(wire.head(do="remark", text=f"no cache: {error}"))
        return Executor(
            policy,
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
        """Puts tasks where streams of like ones take them; those that share entropy run one by one: no stream can do that."""
        known = {program.id: program for program in map(Program.from_json, programs)}
        found: dict[Stream, list[Item]] = {}
        for line in lines:
            task = wire.read_task(line)
            found.setdefault((task.executor, task.options), []).append((known[task.program], task.call, task.number))
        for stream, items in found.items():
            executor = self._executors.get(stream[0])
            if executor is None:
                self._fail(_numbers(items), "usage", "this executor is shut down")
            elif stream[1] & frames.SHARED_ENTROPY:
                self._submit(executor, stream[1], items)
            else:
                self._enqueue(executor, stream, items)

    def _enqueue(self, executor: Executor, stream: "Stream", items: list["Item"]) -> None:
        with self._lock:
            self._waiting.setdefault(stream, deque()).extend(items)
            if self._running[stream] >= executor.workers + 2:
                return
            self._running[stream] += 1
        try:
            _thread(self._streams, executor, stream)
        except RuntimeError as error:  # this host has no room for a thread
            with self._lock:
                self._running[stream] -= 1
                left = list(self._waiting.pop(stream)) if not self._running[stream] else []
            if left:
                self._fail(_numbers(left), "node", f"it may start no thread ({error})")

    def _streams(self, executor: Executor, stream: "Stream") -> None:
        while True:
            with self._lock:
                items = list(self._waiting.pop(stream, ()))
                if not items:
                    self._running[stream] -= 1
                    return
            self._stream(executor, stream[1], items)

    def _stream(self, executor: Executor, options: int, items: Sequence["Item"]) -> None:
        left = set(_numbers(items))
        watch, sources = bool(options & frames.WATCH_ARGUMENTS), bool(options & frames.WATCH_SOURCES)
        try:
            for outcome, number in executor.run_many(items, ordered=False, watch_arguments=watch, watch_sources=sources):
                assert outcome is not None
                if outcome.kind == "engine-error" and not executor.is_open:
                    raise executor.failure or RuntimeError("its executor has ended")
                left.remove(number)
                self._answer(number, outcome)
        except UsageError as error:
            self._fail(left, "usage" if executor.is_open else "node", str(error))
        except Exception as error:
            self._fail(left, "node", f"{type(error).__name__}: {error}")

    def _submit(self, executor: Executor, options: int, items: Sequence["Item"]) -> None:
        watch, sources = bool(options & frames.WATCH_ARGUMENTS), bool(options & frames.WATCH_SOURCES)
        for program, call, number in items:

            def done(future: "Future[Outcome]", number: int = number) -> None:
                try:
                    outcome = future.result()
                except Exception as error:
                    self._fail([number], "node", f"{type(error).__name__}: {error}")
                else:
                    self._answer(number, outcome, waits=False)

            try:
                future = executor.submit(program, call, watch_arguments=watch, watch_sources=sources, shared_entropy=True)
                future.add_done_callback(done)
            except UsageError as error:
                self._fail([number], "usage" if executor.is_open else "node", str(error))
            except Exception as error:
                self._fail([number], "node", f"{type(error).__name__}: {error}")

    # -- what goes back ---------------------------------------------------------------------------------------

    def _answer(self, number: int, outcome: Outcome, *, waits: bool = True) -> None:
        line = wire.answer_line(number, outcome)
        with self._changed:
            if waits:
                self._changed.wait_for(lambda: self._held_bytes < HELD_BYTES or self._closed)
            self._answers.append(line)
            self._held_bytes += len(line)
            self._changed.notify_all()

    def _fail(self, numbers: Iterable[int], kind: str, why: str) -> None:
        self._say(wire.head(do="not run", tasks=list(numbers), kind=kind, why=why))

    def _say(self, data: bytes) -> None:
        with self._changed:
            self._said.append(data)
            self._changed.notify_all()

    def _counted(self) -> dict[int, list[int]]:
        with self._lock:
            counted = {number: executor.statistics() for number, executor in self._executors.items()}
        return {number: [each.recalled, each.shared] for number, each in counted.items()}


Stream = tuple[int, int]
"""An executor and what is asked of it: tasks of one go into the same streams."""
Item = tuple[Program, Call | Stdin, int]
"""With the number of the task."""
ERRORS: dict[str, type[Exception]] = {"usage": UsageError, "isolation": IsolationUnavailableError}
"""How a node's refusal to open an executor is raised by the driver; any other is an EngineError."""


def _numbers(items: Iterable[Item]) -> list[int]:
    return [number for _, _, number in items]


def _thread(work: Any, *arguments: Any) -> None:
    threading.Thread(target=work, args=arguments, daemon=True).start()
