"""The end of an executor: it comes once, whatever is on its way, and touches nothing that is not its own."""

import gc
import os
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from reexec import Executor, Outcome, Program, UsageError, load_policy

POLICY = load_policy("codeio", settings=["limits.cpu_s=1", "limits.idle_s=1"])
SAME = Program("def f(n):\n    return n", "f")


def test_a_second_end_writes_into_no_file_that_was_opened_since(tmp_path: Path) -> None:
    executor = Executor(POLICY, workers=1)
    executor.shutdown()
    files = [(tmp_path / str(number)).open("wb") for number in range(20)]
    executor.shutdown()
    del executor
    gc.collect()
    for file in files:
        file.close()
    assert [path.name for path in tmp_path.iterdir() if path.stat().st_size] == []


def test_statistics_add_up_after_a_shutdown_in_the_middle() -> None:
    for _ in range(3):
        executor = Executor(POLICY, workers=1)
        futures = [executor.submit(SAME, [n]) for n in range(2_000)]
        executor.shutdown()
        statistics = executor.statistics()
        assert statistics.submitted == 2_000 == statistics.completed + statistics.cancelled
        kinds = [future.result(0).kind for future in futures]
        assert kinds.count("value") == statistics.completed - statistics.engine_errors


def submit_until_refused(executor: Executor, futures: list[Future[Outcome]], refused: threading.Event) -> None:
    try:
        while True:
            futures.append(executor.submit(SAME, [1]))
            if len(futures) % 10 == 0:
                time.sleep(0.001)  # or it is faster than the pool, and memory is what ends first
    except UsageError:
        refused.set()


def test_calls_that_meet_the_shutdown_are_refused_or_answered() -> None:
    for _ in range(3):
        executor = Executor(POLICY, workers=1)
        futures: list[Future[Outcome]] = []
        refused = threading.Event()
        thread = threading.Thread(target=submit_until_refused, args=(executor, futures, refused))
        thread.start()
        executor.submit(SAME, [2]).result(10)
        executor.shutdown()
        thread.join(10)
        assert refused.is_set()
        assert futures
        assert {future.result(10).kind for future in futures} <= {"value", "engine-error"}


def test_a_stream_ends_when_its_executor_does() -> None:
    executor = Executor(POLICY, workers=1)
    stream = executor.map(SAME, ([n] for n in range(10_000)))
    assert [next(stream).value for _ in range(10)] == list(range(10))
    executor.shutdown()
    with pytest.raises(UsageError, match="shut down"):
        list(stream)


def test_a_fork_of_the_caller_ends_without_ending_its_parents_workers() -> None:
    with Executor(POLICY, workers=1) as executor:
        (zygote,) = executor.worker_pids()
        pid = os.fork()
        if not pid:
            executor._loop.stop()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        assert executor.submit(SAME, [7]).result(10).value == 7
        assert executor.worker_pids() == [zygote]
