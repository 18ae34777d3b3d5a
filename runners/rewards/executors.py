"""The executors of this process: one for each policy and number of workers, opened when it is first needed, and shut down at
the end of the process.

Trainers start processes by fork, spawn and forkserver, and fork with threads running. A child never uses what its parent had
open: after a fork the table is empty and the lock a new one. Children of `multiprocessing` that were forked end without
`atexit`, so the end is announced to both.
"""

import atexit
import os
import threading
import time

from reexec.engine.errors import EngineError
from reexec.engine.executor import Executor
from reexec.policies.model import Policy

_Key = tuple[str, int | None]

_lock = threading.Lock()
_open: dict[_Key, Executor] = {}
_inherited: list[Executor] = []
"""Of the parent, in a fork of it. They are kept, since dropping one would be an end, and never touched."""
_refused: dict[_Key, tuple[float, EngineError]] = {}
"""When no executor could be opened, and why: the calls of a batch must not wait for the same refusal one by one."""
_REFUSED_FOR_S = 5.0
_announced_for = 0


def executor_for(policy: Policy, workers: int | None) -> Executor:
    """The executor of this process for that policy. Raises EngineError where this host cannot run any.

    One that ended by a failure is replaced. Safe in any thread.
    """
    key = (policy.digest, workers)
    with _lock:
        found = _open.get(key)
        if found is not None and found.is_open:
            return found
        at, error = _refused.get(key, (0.0, None))
        if error is not None and time.monotonic() - at < _REFUSED_FOR_S:
            raise error
        _announce()
        _open.pop(key, None)
        try:
            found = _open[key] = Executor(policy, workers=workers)
        except EngineError as error:
            _refused[key] = (time.monotonic(), error)
            raise
        return found


def shutdown() -> None:
    """Shuts down what this process has open. The next reward opens executors anew."""
    with _lock:
        ending = list(_open.values())
        _open.clear()
        _refused.clear()
    for executor in ending:
        executor.shutdown()


def _announce() -> None:
    global _announced_for
    if _announced_for == os.getpid():
        return
    from multiprocessing import util

    _announced_for = os.getpid()
    util.Finalize(None, shutdown, exitpriority=10)
    atexit.register(shutdown)


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    _inherited.extend(_open.values())
    _open.clear()
    _refused.clear()


os.register_at_fork(after_in_child=_after_fork)
