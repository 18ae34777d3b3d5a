"""The public door: order, threads, asyncio, abandoned iterators, refusals, statistics."""

import asyncio
import os
import subprocess
import sys
import tempfile
import threading
import time
import venv
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from reexec import Call, Check, EngineError, Executor, Outcome, Program, UsageError, load_policy
from tests.support.helpers import all_gone, wait_until

POLICY = load_policy("codeio", settings=["limits.cpu_s=2", "limits.idle_s=2"])
DOUBLE = Program("def f(n):\n    return 2 * n", "f")
NAP = Program("import time\ndef f(s):\n    time.sleep(s)\n    return s", "f")


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor(POLICY, workers=2) as executor:
        yield executor


def doubles(count: int) -> Iterator[Check]:
    for n in range(count):
        yield Check(DOUBLE, [n], 2 * n, id=n)


def test_the_example_of_the_readme() -> None:
    with Executor(workers=2) as executor:
        program = Program("def f(n): return n+1", "f")
        assert executor.submit(program, {"n": 4}).result().value == 5
        assert executor.check(program, {"n": 4}, 5).word == "accepted"


def test_calls_are_given_as_a_mapping_a_list_or_a_call(executor: Executor) -> None:
    program = Program("def f(a, b=2, *rest, c=3, **more):\n    return [a, b, list(rest), c, more]", "f")
    calls: list[tuple[Any, Any]] = [
        ({"a": 1, "d": 4}, [1, 2, [], 3, {"d": 4}]),
        ([1, 5, 6], [1, 5, [6], 3, {}]),
        ((1,), [1, 2, [], 3, {}]),
        (Call((1, 7), {"c": 8}), [1, 7, [], 8, {}]),
    ]
    for call, value in calls:
        assert executor.submit(program, call).result().value == value


def test_arguments_arrive_with_their_types(executor: Executor) -> None:
    program = Program("def f(*items):\n    return [type(item).__name__ for item in items]", "f")
    items = [(1, 2), {3}, frozenset({4}), b"5", 1 + 2j, {6: 7}, {"!": 8}, 10**400, float("inf"), "\ud800", None, True]
    outcome = executor.submit(program, items).result()
    assert outcome.value == [type(item).__name__ for item in items]


def test_verdicts_come_in_the_order_of_the_input(executor: Executor) -> None:
    naps = [Check(NAP, [0.05 * (n % 3 == 0)], 0.05 * (n % 3 == 0), id=n) for n in range(12)]
    checks = [item for pair in zip(naps, doubles(12), strict=True) for item in pair]
    verdicts = list(executor.check_many(checks))
    assert [verdict.id for verdict in verdicts] == [check.id for check in checks]
    assert {verdict.word for verdict in verdicts} == {"accepted"}


def test_unordered_verdicts_are_all_there_once(executor: Executor) -> None:
    verdicts = list(executor.check_many(doubles(5000), ordered=False))
    assert sorted(verdict.id for verdict in verdicts) == list(range(5000))
    assert all(verdict.accepted for verdict in verdicts)


def test_more_checks_than_the_window_holds(executor: Executor) -> None:
    ids = [verdict.id for verdict in executor.check_many(doubles(6000))]
    assert ids == list(range(6000))


def test_the_input_is_read_ahead_no_further_than_the_window(executor: Executor) -> None:
    read = 0

    def endless() -> Iterator[Check]:
        nonlocal read
        while True:
            read += 1
            yield Check(DOUBLE, [1], 2)

    verdicts = executor.check_many(endless())
    assert next(verdicts).accepted
    verdicts.close()  # type: ignore[attr-defined]
    assert read <= 2048 + 64


def test_an_abandoned_iterator_leaves_the_executor_in_order(executor: Executor) -> None:
    for _ in range(3):
        for verdict in executor.check_many(doubles(3000)):
            if verdict.id == 5:
                break
    assert executor.check(DOUBLE, [21], 42).accepted
    until = time.monotonic() + 60
    while True:  # what was already sent to a worker is completed there
        statistics = executor.statistics()
        if statistics.submitted == statistics.completed + statistics.cancelled:
            break
        assert time.monotonic() < until, statistics
        time.sleep(0.01)
    assert statistics.workers_started <= 2


def test_an_exception_of_the_input_reaches_the_caller_and_harms_nothing(executor: Executor) -> None:
    def broken() -> Iterator[Check]:
        yield from doubles(100)
        raise RuntimeError("the file ended badly")

    with pytest.raises(RuntimeError, match="the file ended badly"):
        list(executor.check_many(broken()))
    assert executor.check(DOUBLE, [21], 42).accepted


def test_map_and_empty_inputs(executor: Executor) -> None:
    outcomes: list[Outcome] = list(executor.map(DOUBLE, ([n] for n in range(10))))
    assert [outcome.value for outcome in outcomes] == [2 * n for n in range(10)]
    assert list(executor.check_many([])) == []
    assert list(executor.map(DOUBLE, [])) == []


def test_several_threads_share_an_executor(executor: Executor) -> None:
    def work(base: int) -> bool:
        checks = (Check(DOUBLE, [base + n], 2 * (base + n), id=n) for n in range(300))
        verdicts = list(executor.check_many(checks))
        return [v.id for v in verdicts] == list(range(300)) and all(v.accepted for v in verdicts)

    with ThreadPoolExecutor(6) as threads:
        assert all(threads.map(work, range(0, 6000, 1000)))


def test_asyncio_awaits_its_futures(executor: Executor) -> None:
    async def main() -> list[Any]:
        futures = [asyncio.wrap_future(executor.submit(DOUBLE, [n])) for n in range(50)]
        return [outcome.value for outcome in await asyncio.gather(*futures)]

    assert asyncio.run(main()) == [2 * n for n in range(50)]


def test_a_future_calls_back(executor: Executor) -> None:
    called = threading.Event()
    executor.submit(DOUBLE, [1]).add_done_callback(lambda future: called.set())
    assert called.wait(60)


def test_a_forked_child_is_refused(executor: Executor) -> None:
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork beside threads: what this test is about
        pid = os.fork()
    if pid == 0:
        text = "no error"
        try:
            executor.submit(DOUBLE, [1])
        except UsageError as error:
            text = str(error)
        except BaseException as error:
            text = repr(error)
        os.write(writer, text.encode())
        os._exit(0)
    os.close(writer)
    said = os.read(reader, 1000).decode()
    os.close(reader)
    os.waitpid(pid, 0)
    assert "os.fork()" in said
    assert executor.check(DOUBLE, [1], 2).accepted


def test_after_shutdown_it_refuses_and_a_second_shutdown_does_nothing() -> None:
    executor = Executor(POLICY, workers=1)
    assert executor.check(DOUBLE, [1], 2).accepted
    executor.shutdown()
    executor.shutdown()
    for attempt in (
        lambda: executor.submit(DOUBLE, [1]),
        lambda: executor.check(DOUBLE, [1], 2),
        lambda: list(executor.check_many(doubles(2))),
    ):
        with pytest.raises(UsageError, match="shut down"):
            attempt()


def test_a_shutdown_ends_what_waits_as_engine_error_and_leaves_no_process() -> None:
    executor = Executor(POLICY, workers=1)
    futures = [executor.submit(NAP, [1.5]) for _ in range(5)]
    processes = [psutil.Process(pid) for pid in executor.worker_pids()]
    executor.shutdown()
    assert {future.result(1).kind for future in futures} == {"engine-error"}
    all_gone(processes, 30)


def test_statistics_add_up() -> None:
    with Executor(POLICY, workers=2) as executor:
        list(executor.check_many(doubles(500)))
        executor.submit(DOUBLE, ["x"]).result()
        executor.submit(Program("import os\ndef f():\n    os._exit(3)", "f"), []).result()
        statistics = executor.statistics()
        assert statistics.submitted == statistics.completed + statistics.cancelled == 502
        assert (statistics.retried, statistics.engine_errors, statistics.worker_deaths, statistics.worker_kills) == (0, 0, 0, 0)
        assert 1 <= statistics.workers_started <= 2


@pytest.mark.parametrize("workers", [0, -1, 1.5, "2"])
def test_a_number_of_workers_that_is_none_is_a_usage_error(workers: Any) -> None:
    with pytest.raises(UsageError, match="1 or more"):
        Executor(POLICY, workers=workers)


@pytest.mark.parametrize(
    ("python", "message"),
    [
        ("/no/such/python", "no such file"),
        ("python3", "give a path"),
        ("/bin/true", "does not answer as a Python does"),
        ("/", "does not answer as a Python does"),
        ("/etc/passwd", "does not answer as a Python does"),
    ],
)
def test_a_python_that_is_none_is_a_usage_error(python: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Executor(POLICY, workers=1, python=python)


def test_an_interpreter_that_says_nothing_is_the_hosts_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = tmp_path / "python"
    silent.write_text("#!/bin/sh\nexec sleep 60\n")
    silent.chmod(0o755)
    monkeypatch.setattr("reexec.engine.jail.interpreter.ANSWER_S", 0.5)
    with pytest.raises(EngineError, match=r"no answer within 0\.5 s; it hangs, or this machine is too busy") as raised:
        Executor(POLICY, workers=1, python=silent)
    assert raised.value.retry_helps


def test_what_is_no_program_no_call_or_no_value_is_a_usage_error(executor: Executor) -> None:
    wrong: Any = "def f(): pass"
    with pytest.raises(UsageError, match="expected a Program, got str"):
        executor.submit(wrong, [])
    with pytest.raises(UsageError, match="a mapping, a list or a Call"):
        executor.submit(DOUBLE, 3)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="text keys"):
        executor.submit(DOUBLE, {1: 2})  # type: ignore[dict-item]
    with pytest.raises(UsageError, match="argument cannot be sent"):
        executor.submit(DOUBLE, [object()])
    with pytest.raises(UsageError, match="are text"):
        Program(b"x", "f")  # type: ignore[arg-type]


def test_a_level_that_is_not_there_is_refused_and_not_lowered() -> None:
    """As a user who may not make control groups."""
    code = (
        "import os\nfrom reexec import Executor, IsolationUnavailableError, load_policy\n"
        "from reexec.engine.jail import interpreter\ninterpreter.ask(None)\n"
        "if os.getuid() == 0:\n    os.setgid(65534)\n    os.setuid(65534)\n"
        "try:\n    settings = ['isolation.lowest=nsjail+cgroup', 'limits.memory_bytes=64MiB']\n"
        "    Executor(load_policy('codeio', settings=settings), workers=1)\n"
        "except IsolationUnavailableError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd="/tmp")
    assert "this host cannot give the isolation that the policy asks for: nsjail+cgroup: " in done.stdout, done.stderr
    assert "takes no new group" in done.stdout or "memory limit" in done.stdout or "mounted" in done.stdout


def test_watching_tells_changed_arguments_and_sources(executor: Executor) -> None:
    program = Program("import time\ndef f(items):\n    items.append(1)\n    return time.time() > 0", "f")
    outcome = executor.submit(program, [[]], watch_arguments=True, watch_sources=True).result()
    assert outcome.arguments_changed is True
    assert outcome.sources == ("clock",)
    plain = executor.submit(DOUBLE, [1], watch_arguments=True, watch_sources=True).result()
    assert (plain.arguments_changed, plain.sources) == (False, ())
    assert executor.submit(DOUBLE, [1]).result().arguments_changed is None


def test_more_programs_than_a_worker_keeps(executor: Executor) -> None:
    programs = [Program(f"def f():\n    return {n}", "f") for n in range(600)]
    checks = [Check(program, [], n, id=n) for n, program in enumerate(programs)]
    assert all(verdict.accepted for verdict in executor.check_many(checks + checks[:50]))


def test_long_checks_run_beside_each_other() -> None:
    spans = Program(
        "import time\ndef f(s):\n    began = time.monotonic()\n    time.sleep(s)\n    return [began, time.monotonic()]", "f"
    )
    with Executor(POLICY, workers=2) as executor:

        def both_are_up() -> bool:
            list(executor.map(NAP, [[0.3]] * 4))
            return len(executor.worker_pids()) == 2

        wait_until(both_are_up, 120)
        ran = sorted(outcome.value for outcome in executor.map(spans, [[1.5]] * 4))
        assert any(second[0] < first[1] for first, second in pairwise(ran)), f"one after the other: {ran}"


BURN = """
import os, time
def f(seconds, flag=''):
    began = time.process_time()
    while time.process_time() - began < seconds:
        if flag and os.path.exists(flag):
            break
    return 'through'
"""
"""Ends by itself after so many seconds of its processor, or once a file appears."""


def test_a_runaway_is_run_once_and_one_near_its_limit_twice() -> None:
    policy = load_policy("codeio", settings=["limits.cpu_s=0.5"])
    with Executor(policy, workers=2) as executor:
        outcome = executor.submit(Program("def f():\n    while True:\n        pass", "f"), []).result()
        assert (outcome.kind, outcome.attempts, outcome.disagreed_with) == ("cpu-limit", 1, None)
        outcome = executor.submit(Program(BURN, "f"), [0.505]).result()
        assert (outcome.kind, outcome.attempts, outcome.disagreed_with) == ("cpu-limit", 2, None)
        statistics = executor.statistics()
        assert (statistics.limits_confirmed, statistics.limit_disagreements, statistics.completed) == (1, 0, 2)
    with Executor(load_policy("codeio", settings=["limits.cpu_s=0.2", "limits.confirm=false"]), workers=1) as executor:
        assert executor.submit(Program(BURN, "f"), [0.202]).result().attempts == 1


def test_a_program_that_is_ended_by_chance_gets_its_value_and_the_disagreement_is_counted() -> None:
    """It ends just past its limit, or at once where a file is in site-packages, which the host makes between its runs."""
    with tempfile.TemporaryDirectory(prefix="reexec-chance-", dir="/tmp") as folder:
        venv.create(folder, with_pip=False, symlinks=True)
        Path(folder).chmod(0o755)
        flag = next(Path(folder).glob("lib/python*/site-packages")) / "flag"
        policy = load_policy("codeio", settings=["limits.cpu_s=0.5"])
        with Executor(policy, workers=1, python=f"{folder}/bin/python") as executor:
            future = executor.submit(Program(BURN, "f"), [0.505, str(flag)])
            while not future.done() and not flag.exists():
                if future.job is not None and future.job.history is not None:
                    flag.touch()
            outcome = future.result()
            assert (outcome.kind, outcome.value) == ("value", "through")
            assert (outcome.disagreed_with, outcome.attempts) == ("cpu-limit", 2)
            assert executor.statistics().limit_disagreements == 1
