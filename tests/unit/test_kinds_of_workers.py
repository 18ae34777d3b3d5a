"""What the I/O thread makes of a kind of worker that is given up, without any worker."""

import sys
from collections.abc import Iterator

import pytest

from reexec import load_policy
from reexec.engine.errors import EngineError
from reexec.engine.jail.interpreter import Interpreter
from reexec.engine.pool.job import Caller, Job
from reexec.engine.pool.loop import Loop
from reexec.policies.model import IsolationLevel
from tests.support.workers import PROGRAM

PLAIN, NUMPY = frozenset[str](), frozenset({"numpy"})


@pytest.fixture
def loop() -> Iterator[Loop]:
    policy = load_policy("codeio", settings=["isolation.lowest=none"])
    made = Loop(policy, Interpreter(sys.executable, (3, 12, 0), ()), IsolationLevel.NONE, 1)
    made._first.set()  # a worker was up before
    yield made
    made._let_everybody_go()


def waiting(loop: Loop, kinds: list[frozenset[str]], delivered: list[Job]) -> list[Job]:
    jobs = [Job(PROGRAM, b"", 0, delivered.append, Caller()) for _ in kinds]
    for job, kind in zip(jobs, kinds, strict=True):
        loop._come_in(job)
        job.key = kind
        loop._scheduler.add(job, 0.0)
    return jobs


def test_a_kind_that_is_given_up_ends_its_own_checks_and_no_others(loop: Loop) -> None:
    delivered: list[Job] = []
    jobs = waiting(loop, [NUMPY, PLAIN, NUMPY, PLAIN], delivered)
    loop._give_up(NUMPY, EngineError("it cannot start", stage="start"))
    assert delivered == jobs[::2]
    for job in delivered:
        assert job.answer is not None
        assert (job.answer.kind, job.answer.attempts) == ("engine-error", 1)
    assert len(loop._scheduler) == 2
    statistics = loop.statistics()
    assert (statistics.submitted, statistics.completed, statistics.engine_errors) == (4, 2, 2)
    assert not loop.is_ending
