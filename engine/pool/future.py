"""The futures of `submit`: decoded where they are read, cancelled until they are done, with callbacks on a thread of their own.

The I/O thread only puts bytes into a future. A callback of the user's may read the result, wait or submit more, so it never
runs in that thread.
"""

import contextlib
import queue
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import Any

from ..errors import EngineError
from ..outcome import Outcome
from .answer import Answer
from .job import Job


class Callbacks:
    """A thread that runs callbacks which would otherwise run in the I/O thread. It starts when the first one is asked for:
    where this host has no room for a thread, who asks is told, and no callback is lost."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[Callable[[Any], object], Any] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self.io_thread: int | None = None

    def wrap(self, callback: Callable[[Any], object]) -> Callable[[Any], object]:
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="reexec-callbacks", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:
                    message = f"this process may start no thread ({error})"
                    raise EngineError(message, stage="add_done_callback", retry_helps=True) from None
                self._thread = thread

        def run(future: Any) -> None:
            if threading.get_ident() != self.io_thread:
                callback(future)
            else:
                self._queue.put((callback, future))

        return run

    def stop(self) -> None:
        """Lets the thread end once it has run what is queued; waits for nothing."""
        self._queue.put(None)

    def _run(self) -> None:
        while (entry := self._queue.get()) is not None:
            callback, future = entry
            try:
                callback(future)
            except Exception:
                threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))


class OutcomeFuture(Future[Outcome]):
    """`result()` gives the Outcome; the first reader decodes it, in the reader's own thread."""

    def __init__(self, decode: Callable[[Job, Answer], Outcome], recall: Callable[[Job], None], callbacks: Callbacks) -> None:
        super().__init__()
        self._decode, self._recall, self._callbacks = decode, recall, callbacks
        self._decoding = threading.Lock()
        self._outcome: Outcome | None = None
        self.job: Job | None = None
        self._files = b""

    def result(self, timeout: float | None = None) -> Outcome:
        """The Outcome. Raises TimeoutError after `timeout` seconds (the call goes on), CancelledError where it was cancelled,
        and DeadlineExceededError where `submit` was given a timeout that is over."""
        super().result(timeout)
        with self._decoding:
            if self._outcome is None:
                assert self.job is not None
                assert self.job.answer is not None
                self._outcome = self._decode(self.job, self.job.answer)
                self._files = self.job.answer.files
                self.job.answer = None
            return self._outcome

    def files(self) -> dict[str, bytes]:
        """Of those that `submit` was asked to bring back, the ones that were regular files when the run had ended, once it has
        a result. A file with which all of them would be more than `limits.output_bytes` is left out."""
        self.result()
        wanted = None if self.job is None else self.job.files
        return {} if wanted is None else wanted.read(self._files)

    def running(self) -> bool:
        """Whether a worker has it."""
        return not self.done() and self.job is not None and self.job.worker is not None

    def cancel(self) -> bool:
        """Takes the call back: one that waits is never begun, one that runs is ended. False where it was done already."""
        if self.cancelled():
            return True
        if not super().cancel():
            return False
        self.set_running_or_notify_cancel()
        if self.job is not None:
            self._recall(self.job)
        return True

    def add_done_callback(self, fn: Callable[[Future[Outcome]], object]) -> None:
        """`fn` runs in the thread that completes or cancels the future, or in a thread of its own; never in the I/O thread."""
        super().add_done_callback(self._callbacks.wrap(fn))

    # -- the I/O thread's side ----------------------------------------------------------------------------------

    def deliver(self, _job: Job) -> None:
        with contextlib.suppress(InvalidStateError):  # cancelled in this moment
            self.set_result(None)  # type: ignore[arg-type]  # the answer is bytes until it is read

    def expire(self, error: Exception) -> None:
        with contextlib.suppress(InvalidStateError):
            self.set_exception(error)
