"""Nobody waits for what nobody wants: closed iterators, timeouts, cancelled futures and Ctrl-C give their workers back at once.
Bounds hold on a busy machine: a check that would have to wait waits for minutes."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError

import pytest

from reexec import Check, DeadlineExceededError, EngineError, Executor, Program, ReexecError, load_policy
from reexec.engine.pool import loop
from reexec.engine.pool.worker import Worker

LIMIT_S = 120
POLICY = load_policy("codeio", settings=[f"limits.cpu_s={LIMIT_S}", f"limits.idle_s={LIMIT_S}"])
DOUBLE = Program("def f(n):\n    return 2 * n", "f")
LOOP = Program("def f():\n    while True:\n        pass", "f")
SLEEP = Program("import time\ndef f():\n    time.sleep(1000)", "f")
BOUND_S = 40.0
"""The promise is 0.2 s; this machine may be far too busy. Who waited for a check would wait for LIMIT_S."""


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor(POLICY, workers=2) as executor:
        yield executor


def is_free(executor: Executor, bound_s: float = BOUND_S) -> None:
    """Both workers take new checks at once."""
    began = time.monotonic()
    assert all(verdict.accepted for verdict in executor.check_many([Check(DOUBLE, [n], 2 * n) for n in range(8)]))
    assert time.monotonic() - began < bound_s


def adds_up(executor: Executor) -> None:
    """Every call is counted once, as done or as cancelled."""
    until = time.monotonic() + 60
    while (counts := executor.statistics()).submitted != counts.completed + counts.cancelled:
        assert time.monotonic() < until, counts
        time.sleep(0.01)


def all_running(executor: Executor) -> bool:
    return sum(bool(worker.in_flight) for worker in executor._loop._workers) >= 2


def wait_for(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.mark.parametrize("program", [LOOP, SLEEP], ids=["loop", "sleep"])
def test_a_closed_iterator_gives_its_workers_back(executor: Executor, program: Program) -> None:
    before = executor.statistics()
    checks = [Check(DOUBLE, [1], 2), *[Check(program, [], None)] * 200]
    verdicts = executor.check_many(checks)
    assert next(verdicts).accepted
    wait_for(lambda: all_running(executor))
    verdicts.close()  # type: ignore[attr-defined]
    is_free(executor)
    adds_up(executor)
    after = executor.statistics()
    submitted = after.submitted - before.submitted
    assert 9 < submitted <= 1 + 200 + 8  # what still waited for others of its program was not submitted
    assert after.completed - before.completed == 1 + 8
    assert after.cancelled - before.cancelled == submitted - 9


def test_a_cancelled_check_costs_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "RECALL_S", 30.0)  # the zygote of a busy machine does not get to it within 0.1 s
    with Executor(POLICY, workers=1) as executor:
        for program in (LOOP, SLEEP) * 4:
            future = executor.submit(program, [])
            wait_for(future.running)
            time.sleep(0.05)
            assert future.cancel()
            assert executor.check(DOUBLE, [4], 8).accepted
        assert executor.statistics().workers_started == 1


def test_the_timeout_of_check_many_is_the_callers_time(executor: Executor) -> None:
    found = []
    began = time.monotonic()
    with pytest.raises(DeadlineExceededError):  # noqa: PT012 - what came before counts
        for verdict in executor.check_many([Check(DOUBLE, [3], 6), *[Check(SLEEP, [], None)] * 50], timeout=0.5):
            found.append(verdict.word)
    assert time.monotonic() - began < BOUND_S
    assert found in ([], ["accepted"]), "a timeout is no verdict"
    is_free(executor)
    adds_up(executor)


@pytest.mark.parametrize("program", [LOOP, SLEEP], ids=["loop", "sleep"])
def test_the_timeout_of_check_and_submit(executor: Executor, program: Program) -> None:
    began = time.monotonic()
    with pytest.raises(DeadlineExceededError):
        executor.check(program, [], None, timeout=0.2)
    future = executor.submit(program, [], timeout=0.2)
    with pytest.raises(DeadlineExceededError):
        future.result(60)
    assert time.monotonic() - began < BOUND_S
    is_free(executor)
    adds_up(executor)


def test_the_end_of_a_timeout_is_an_error_of_this_package_and_a_timeout_error(executor: Executor) -> None:
    with pytest.raises(ReexecError):
        executor.check(SLEEP, [], None, timeout=0.1)
    with pytest.raises(TimeoutError):
        executor.check(SLEEP, [], None, timeout=0.1)


def test_a_timeout_that_is_not_needed_changes_nothing(executor: Executor) -> None:
    assert executor.check(DOUBLE, [2], 4, timeout=60).accepted
    assert executor.submit(DOUBLE, [2], timeout=60).result().value == 4
    assert [v.word for v in executor.check_many([Check(DOUBLE, [1], 2)], timeout=60)] == ["accepted"]


def test_a_future_that_waits_is_never_begun(executor: Executor) -> None:
    before = executor.statistics().cancelled
    busy = [executor.submit(SLEEP, []) for _ in range(2)]
    wait_for(lambda: all_running(executor))
    waiting = [executor.submit(DOUBLE, [n]) for n in range(20)]
    assert all(future.cancel() for future in waiting)
    assert all(future.cancelled() and not future.running() for future in waiting)
    with pytest.raises(CancelledError):
        waiting[0].result()
    assert all(future.cancel() for future in busy)
    is_free(executor)
    adds_up(executor)
    assert executor.statistics().cancelled - before == 22
    assert all(future.job is not None and future.job.attempts == 0 for future in waiting)


def test_a_future_that_is_done_is_not_cancelled(executor: Executor) -> None:
    future = executor.submit(DOUBLE, [2])
    assert future.result().value == 4
    assert not future.cancel()
    assert future.result().value == 4


def test_asyncio_wait_for_gives_the_workers_back(executor: Executor) -> None:
    async def main() -> None:
        calls = [asyncio.wrap_future(executor.submit(LOOP, [])) for _ in range(20)]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*calls), 0.3)

    asyncio.run(main())
    is_free(executor)
    adds_up(executor)


def test_ctrl_c_in_check_ends_the_check(executor: Executor) -> None:
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - wherever it is by then
        timer.start()
        executor.check(LOOP, [], None)
    timer.join()
    is_free(executor)
    adds_up(executor)


def test_ctrl_c_in_a_stream_ends_the_process_soon() -> None:
    script = (
        "from reexec import Check, Executor, Program, load_policy\n"
        f"policy = load_policy('codeio', settings=['limits.cpu_s={LIMIT_S}', 'limits.memory_bytes=64MiB'])\n"
        "loop = Program('def f():\\n    while True: pass', 'f')\n"
        "with Executor(policy, workers=2) as executor:\n"
        "    print('up', flush=True)\n"
        "    list(executor.check_many([Check(loop, [], 1)] * 100))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    time.sleep(0.5)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert time.monotonic() - began < BOUND_S
    assert b"KeyboardInterrupt" in errors


def test_callbacks_may_wait_for_other_calls(executor: Executor) -> None:
    """In the I/O thread this would wait for itself."""
    found: list[object] = []
    done = threading.Event()

    def callback(future: object) -> None:
        found.append(executor.submit(DOUBLE, [21]).result().value)
        done.set()

    executor.submit(DOUBLE, [1]).add_done_callback(callback)
    assert done.wait(60)
    assert found == [42]


def test_what_a_program_returns_is_decoded_by_the_reader_and_not_by_the_io_thread(
    executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reexec.engine import executor as module

    threads: list[str] = []
    real = vars(module)["read_outcome"]

    def watched(*arguments: object) -> object:
        threads.append(threading.current_thread().name)
        return real(*arguments)

    monkeypatch.setattr(module, "read_outcome", watched)
    future = executor.submit(DOUBLE, [1])
    future.add_done_callback(lambda done: done.result())
    assert future.result().value == 2
    assert list(executor.map(DOUBLE, [[n] for n in range(50)]))
    assert executor.check(DOUBLE, [1], 2).accepted
    assert threads
    assert "reexec-io" not in threads


def test_an_io_thread_that_fails_at_a_cancellation_leaves_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(worker: Worker) -> None:
        raise OSError("out of room")

    with Executor(POLICY, workers=3) as executor:
        cancelled, also_cancelled, waiting = (executor.submit(SLEEP, []) for _ in range(3))
        wait_for(lambda: sum(bool(worker.in_flight) for worker in executor._loop._workers) == 3)
        monkeypatch.setattr(Worker, "cancel_head", fails)
        executor._loop.cancel(future.job for future in (cancelled, also_cancelled) if future.job is not None)
        assert waiting.result(timeout=60).kind == "engine-error"
        with pytest.raises(EngineError, match="out of room"):
            executor.submit(DOUBLE, [1]).result(timeout=60)
