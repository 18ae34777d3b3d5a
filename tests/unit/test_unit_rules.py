"""Which checks may share a fork, and what an answer to a unit amounts to."""

from typing import Any

import pytest

from reexec import Policy, Program, load_policy
from reexec.engine.pool.answer import Answer
from reexec.engine.pool.job import Caller, Job
from reexec.engine.pool.retry import LOST_UNIT
from reexec.engine.pool.sharing import (
    FIRST_UNIT,
    MOST_BYTES,
    MOST_CALLS,
    MOST_SOURCE,
    SLOW_US,
    UNIT_US,
    End,
    Shared,
    Sharing,
    check_shares,
    is_same,
    policy_shares,
    split,
)
from reexec.engine.program import Script, Stdin
from reexec.engine.protocol import claim, frames, unit

PLAIN = Program("def f(n):\n    return n", "f")


def policy(*settings: str) -> Policy:
    return load_policy("codeio", settings=settings)


def job(program: Program = PLAIN, options: int = 0, call: bytes = b"") -> Job:
    return Job(program, call, options, lambda _: None, Caller())


@pytest.mark.parametrize("execution", ["auto", "batch"])
def test_checks_under_the_usual_policies_may_share(execution: str) -> None:
    assert policy_shares(policy(f"execution={execution}")) == ""
    assert Sharing(policy(f"execution={execution}")).shares(job())


@pytest.mark.parametrize(
    "setting",
    [
        "execution=call",
        "limits.capture_bytes=100",
        "limits.scratch_bytes=1MiB",
        "limits.processes=2",
        "determinism.clock_shift_s=5",
        "determinism.entropy_seed=1",
        "determinism.fixed_addresses=false",
    ],
)
def test_policies_under_which_no_check_shares(setting: str) -> None:
    assert policy_shares(policy("execution=batch", setting))
    assert not Sharing(policy("execution=batch", setting)).shares(job())


@pytest.mark.parametrize("options", [0, frames.PYTHON_VALUES, frames.TAGGED_CALL])
def test_checks_that_need_only_a_value_may_share(options: int) -> None:
    assert check_shares(job(options=options)) == ""


@pytest.mark.parametrize(
    "alone",
    [
        job(options=frames.WATCH_ARGUMENTS),
        job(options=frames.WATCH_SOURCES),
        job(options=frames.SHARED_ENTROPY),
        job(Script("print(1)"), options=frames.SCRIPT),
        job(Program("class A:\n    def f(self): pass", "A.f")),
        job(Program("import time\ndef f():\n    return time.time()", "f")),
        job(Program("import random\ndef f():\n    return random.random()", "f")),
        job(Program("def f(x):\n    return id(x)", "f")),
        job(call=b"x" * MOST_BYTES),
        job(Program("#" * MOST_SOURCE + "\ndef f(): pass", "f")),
    ],
)
def test_checks_that_need_more_than_a_value_or_may_vary_do_not_share(alone: Job) -> None:
    assert check_shares(alone)
    assert not Sharing(policy("execution=batch")).shares(alone)


def test_a_standard_input_does_not_share() -> None:
    script = job()
    script.stdin = Stdin(b"")
    assert check_shares(script)


def test_refused_and_distrusted_programs_do_not_share() -> None:
    sharing = Sharing(policy())
    other = job(Program("def g(n):\n    return n", "g"))
    assert sharing.shares(job())
    sharing.refuse(PLAIN.id)
    assert not sharing.shares(job())
    assert sharing.is_believed(PLAIN.id)
    sharing.distrust(other.program.id)
    sharing.distrust(other.program.id)
    assert not sharing.shares(other)
    assert not sharing.is_believed(other.program.id)
    assert (sharing.changes, sharing.counts["unit_disagreements"]) == (1, 1)


def test_units_are_as_large_as_their_calls_are_quick() -> None:
    sharing = Sharing(policy())
    assert sharing.shares(job())
    assert sharing.most(PLAIN.id) == FIRST_UNIT
    sharing.used(PLAIN.id, 1000, 100)
    assert sharing.most(PLAIN.id) == MOST_CALLS
    for _ in range(20):
        sharing.used(PLAIN.id, 100 * 1000, 100)
    assert sharing.most(PLAIN.id) == pytest.approx(UNIT_US / 1000, abs=1)


def test_slow_calls_share_only_where_the_policy_insists() -> None:
    auto, batch = Sharing(policy("execution=auto")), Sharing(policy("execution=batch"))
    for sharing in (auto, batch):
        assert sharing.shares(job())
        sharing.used(PLAIN.id, 10 * SLOW_US, 1)
    assert not auto.shares(job())
    assert batch.shares(job())
    assert batch.fewest() == 2 < auto.fewest()


def claims(*values: bytes) -> bytes:
    return b"".join(claim.pack("value", value) for value in values)


def answer(payload: bytes, flags: int = 0, running: int = 0) -> Answer:
    return Answer("unit", payload, unit.LENGTH.pack(running), cpu_us=300, flags=flags)


def test_a_whole_unit_has_an_answer_for_each_call() -> None:
    found = split(answer(claims(b"1", b"2", b"3")), 3)
    assert found.end is End.WHOLE
    assert found.answered == [Shared("value", value, 100) for value in (b"1", b"2", b"3")]


@pytest.mark.parametrize("word", ["cpu-limit", "wall-limit", "early-exit", "memory-limit", "output-limit", "process-limit"])
def test_a_unit_that_ended_early_keeps_what_it_answered(word: str) -> None:
    number = next(number for number, known in claim.WORDS.items() if known == word)
    found = split(answer(claims(b"1"), number, running=2), 4)
    assert (found.end, len(found.answered), found.running) == (End.SPLIT, 1, 2)


@pytest.mark.parametrize(
    "said",
    [
        answer(claims(b"1", b"2")),
        answer(claims(b"1", b"2", b"3", b"4")),
        answer(claims(b"1", b"2", b"3")[:-1]),
        answer(claims(b"1"), claim.BYTE_OF["bad-result"]),
        answer(claims(b"1"), 11),
        answer(claims(b"1"), 200),
        answer(claims(b"1"), claim.BYTE_OF["early-exit"], running=3),
        answer(b"no claim at all"),
        answer(claim.pack("exception", b"{}", flags=claim.PROVISIONAL) * 3),
        Answer("value", b"1"),
    ],
)
def test_of_what_no_honest_unit_says_nothing_is_believed(said: Answer) -> None:
    found = split(said, 3)
    assert (found.end, found.answered) == (End.DISTRUSTED, [])


def test_refused_and_lost_units_answered_nothing() -> None:
    assert split(answer(b"", unit.REFUSED), 3) == (End.REFUSED, [], 0)
    assert split(answer(claims(b"1"), claim.KILLED), 3) == (End.LOST, [], 0)
    assert split(LOST_UNIT, 3) == (End.LOST, [], 0)


@pytest.mark.parametrize(
    ("shared", "alone", "same"),
    [
        (("value", b"1"), ("value", b"1"), True),
        (("value", b"1"), ("value", b"1.0"), False),
        (("value", b"1"), ("exception", b"1"), False),
        (("exception", b"{}"), ("value", b"1"), False),
        (("exception", b"a"), ("exception", b"b"), True),
        (("value", b"1"), ("cpu-limit", b"{}"), False),
    ],
)
def test_a_call_said_the_same_alone(shared: Any, alone: Any, same: bool) -> None:
    assert is_same(Shared(shared[0], shared[1], 0), Answer(*alone)) is same


def test_execution_is_no_part_of_the_digest() -> None:
    assert len({policy(f"execution={word}").digest for word in ("auto", "call", "batch")}) == 1
    assert policy("limits.cpu_s=1").digest != policy().digest
