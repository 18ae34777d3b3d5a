"""Lying workers in a real pool: they are given up, their checks run again elsewhere, no verdict is wrong, nobody waits in
vain. The same lie from every worker ends the checks as `denied` or `engine-error`, never as a value that was not theirs."""

import marshal
import os
import queue
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from reexec import Outcome, Program, load_policy
from reexec.engine.decoding import read_outcome
from reexec.engine.jail.interpreter import Interpreter
from reexec.engine.pool.job import Caller, Job
from reexec.engine.pool.loop import Loop
from reexec.policies.model import IsolationLevel
from tests.reliability.liar import LIES, OWN_CHECK_LIES, START_LIES

SHORT = ["limits.cpu_s=0.5", "limits.idle_s=0.5", "limits.wall_s=1"]  # and with them the pool's own backstop
POLICY = load_policy("codeio", settings=[*SHORT, "limits.capture_bytes=1000", "isolation.lowest=none"])
DOUBLE = Program("def f(n):\n    return 2 * n", "f")
CHECKS = 40
WAIT_S = 60


@contextmanager
def pool_of(lie: str, liars: int, folder: Path) -> Iterator[Loop]:
    """A pool of one worker; the first `liars` of its workers tell the lie, those that replace them are honest."""
    script = folder / "python"
    liar = Path(__file__).with_name("liar.py")
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -S {liar} {lie} {liars} {folder / "counter"} "$@"\n')
    script.chmod(0o755)
    loop = Loop(POLICY, Interpreter(str(script), (3, 12, 0), ()), IsolationLevel.NONE, 1)
    before = set(psutil.Process().children())
    loop.start()
    try:
        yield loop
    finally:
        loop.stop()
    assert set(psutil.Process().children()) <= before, "a worker outlives its pool"
    assert not list(folder.glob("reexec-*"))


def outcomes(loop: Loop, count: int) -> list[Outcome]:
    """Of f(0), f(1), ..., in this order; each delivered once."""
    delivered: queue.Queue[tuple[int, Job]] = queue.Queue()

    def job_of(n: int) -> Job:
        return Job(DOUBLE, marshal.dumps(([n], {}), 2), 0, lambda job: delivered.put((n, job)), Caller())

    jobs = [job_of(n) for n in range(count)]
    loop.submit(jobs)
    found: dict[int, Outcome] = {}
    for _ in range(count):
        n, job = delivered.get(timeout=WAIT_S)
        assert n not in found, "delivered twice"
        assert job.answer is not None
        found[n] = read_outcome(job.answer)
    assert delivered.empty()
    return [found[n] for n in range(count)]


ALWAYS_RUN = ("other_id", "right_then_other", "right_then_fails", "twice", "garbage", "truncated", "slowly", "hello_is_no_json")


def marked(lies: Iterable[str]) -> list[Any]:
    """Each costs a pool or two, so the default run has some of each sort."""
    return [pytest.param(lie, marks=[] if lie in ALWAYS_RUN else [pytest.mark.slow]) for lie in lies]


ONCE = marked(lie for lie in LIES if lie not in OWN_CHECK_LIES)


@pytest.mark.parametrize("lie", ONCE)
def test_a_worker_that_lies_once_costs_no_check_its_verdict(lie: str, tmp_path: Path) -> None:
    with pool_of(lie, 1, tmp_path) as loop:
        assert [outcome.value for outcome in outcomes(loop, CHECKS)] == [2 * n for n in range(CHECKS)]
        statistics = loop.statistics()
    assert (statistics.submitted, statistics.completed, statistics.cancelled) == (CHECKS, CHECKS, 0)
    assert (statistics.engine_errors, statistics.worker_kills) == (0, 0)
    assert statistics.worker_deaths == (0 if lie in ("slowly", "retires") else 1)
    assert (tmp_path / "counter").stat().st_size == (1 if lie == "slowly" else 2), "the workers that were started"


@pytest.mark.parametrize("lie", marked(START_LIES))
def test_workers_that_lie_from_the_start_are_replaced(lie: str, tmp_path: Path) -> None:
    """The first one comes up honest: it is killed, and the next two lie."""
    (tmp_path / "counter").write_text("")
    with pool_of("none", 0, tmp_path) as loop:
        assert outcomes(loop, 1)[0].value == 0
        script = tmp_path / "python"
        script.write_text(script.read_text().replace(" none 0 ", f" {lie} 3 "))
        (zygote,) = loop.worker_pids()
        os.kill(zygote, 9)
        assert [outcome.value for outcome in outcomes(loop, CHECKS)] == [2 * n for n in range(CHECKS)]
        assert loop.statistics().engine_errors == 0


@pytest.mark.parametrize("lie", marked(["twice", "exits", "oversize", "unknown_kind"]))
def test_where_every_worker_lies_no_check_gets_a_value_that_is_not_its_own(lie: str, tmp_path: Path) -> None:
    with pool_of(lie, 10_000, tmp_path) as loop:
        found = outcomes(loop, 12)
        statistics = loop.statistics()
    for n, outcome in enumerate(found):
        assert outcome.kind in ("value", "denied", "memory-limit"), outcome
        if outcome.kind == "value":
            assert outcome.value == 2 * n
    assert statistics.submitted == statistics.completed == 12
    assert statistics.worker_kills == sum(outcome.kind != "value" for outcome in found)


@pytest.mark.parametrize("lie", marked(START_LIES))
def test_where_no_worker_ever_comes_up_checks_end_as_engine_errors_of_the_host(lie: str, tmp_path: Path) -> None:
    with pool_of("none", 0, tmp_path) as loop:
        script = tmp_path / "python"
        script.write_text(script.read_text().replace(" none 0 ", f" {lie} 10000 "))
        (zygote,) = loop.worker_pids()
        os.kill(zygote, 9)
        assert {outcome.kind for outcome in outcomes(loop, 5)} == {"engine-error"}


@pytest.mark.parametrize("lie", OWN_CHECK_LIES)
def test_nonsense_about_a_check_of_its_own_is_a_bad_result_of_that_check_alone(lie: str, tmp_path: Path) -> None:
    with pool_of(lie, 1, tmp_path) as loop:
        found = outcomes(loop, CHECKS)
    assert [n for n, outcome in enumerate(found) if outcome.kind == "bad-result"] == [2]
    assert all(outcome.value == 2 * n for n, outcome in enumerate(found) if n != 2)
