"""What of a unit's answers is believed, what is confirmed first, and what is run again alone: the rules of 0051, with a pool
that this file plays. The real one runs them in tests/integration/test_shared_forks_run.py."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from reexec import Program, load_policy
from reexec.engine import units
from reexec.engine.cache.reuse import Reuse, Spared
from reexec.engine.outcome import Outcome
from reexec.engine.pool.answer import Answer
from reexec.engine.pool.job import Caller, Job
from reexec.engine.pool.sharing import FIRST_UNIT, Sharing
from reexec.engine.protocol import claim, frames, unit
from reexec.engine.stream import Stream

PLAIN = Program("def f(n):\n    return n", "f")
SPLITTING = claim.BYTE_OF["early-exit"]


class Pool:
    """Takes what a stream's units send and answers as a worker would. A check is right where its value is its number."""

    def __init__(self) -> None:
        self.sharing = Sharing(load_policy("codeio", settings=["execution=batch"]))
        self.caller = Caller()
        self.sent: list[Job] = []
        self.all_sent: list[Job] = []
        self.arrived_bytes = self.given_back_bytes = 0
        self.units = units.Units(
            self.sharing, self.caller, lambda _: None, self._take,
            lambda _, answer: Outcome("value", int(answer.payload)), lambda job, outcome: outcome.value == job.item,
            self._let_go,
        )  # fmt: skip

    def _take(self, jobs: list[Job]) -> None:
        self.sent += jobs
        self.all_sent += jobs

    def _let_go(self, count: int) -> None:
        self.given_back_bytes += count

    def checks(self, count: int, options: int = 0) -> list[Job]:
        """So many checks of one program, given to the units, and what is sent of them."""
        jobs = [Job(PLAIN, b"%d" % n, options, lambda _: None, self.caller, n) for n in range(count)]
        assert all(self.units.takes(job) for job in jobs)
        self._take(self.units.all())
        return jobs

    def next(self) -> Job:
        return self.sent.pop(0)

    def answer(self, carrier: Job, answer: Answer) -> list[Job]:
        """The checks that are finished by it."""
        carrier.answer, carrier.held_bytes = answer, answer.size()
        self.arrived_bytes += answer.size()
        return self.units.answered(carrier)

    def answer_unit(
        self, carrier: Job, value: Callable[[int], int] = int, answered: int | None = None, flags: int = 0, running: int = 0
    ) -> list[Job]:
        """`value` of each call's number; only the first `answered` of them."""
        numbers = [member.item for member in carrier.members[:answered]]
        payload = b"".join(claim.pack("value", b"%d" % value(number)) for number in numbers)
        return self.answer(carrier, Answer("unit", payload, unit.LENGTH.pack(running), cpu_us=300, flags=flags))

    def answer_alone(self, carrier: Job, value: int | None = None) -> list[Job]:
        assert not carrier.members
        return self.answer(carrier, Answer("value", b"%d" % (carrier.item if value is None else value)))

    def rest(self) -> list[Job]:
        """Everything else is answered alone, and rightly."""
        done = []
        while self.sent:
            done += self.answer_alone(self.next())
        return done


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Pool:
    """Without confirmations that are drawn."""
    monkeypatch.setattr(units.Draw, "takes", lambda *_: False)
    return Pool()


def numbers(jobs: list[Job]) -> list[int]:
    return [job.item for job in jobs]


def by_unit(jobs: list[Job]) -> set[int]:
    return {job.item for job in jobs if job.answer is not None and job.answer.shared}


# -- accepted answers ---------------------------------------------------------------------------------------------------


def test_of_a_programs_first_unit_the_last_call_is_run_alone_before_anything_is_handed_out(pool: Pool) -> None:
    pool.checks(8)
    assert pool.answer_unit(pool.next()) == []
    (alone,) = pool.sent
    assert (alone.call, alone.members) == (b"7", ())
    done = pool.answer_alone(pool.next())
    assert sorted(numbers(done)) == list(range(8))
    assert by_unit(done) == set(range(7))


def test_later_units_wait_for_the_first_confirmation_of_their_program(pool: Pool) -> None:
    pool.checks(2 * FIRST_UNIT)
    first, second = pool.next(), pool.next()
    assert pool.answer_unit(first) == []
    assert pool.answer_unit(second) == []
    (alone,) = pool.sent
    assert pool.units.carrier_of(first.members[-1]) is alone
    assert len(pool.rest()) == 2 * FIRST_UNIT
    pool.checks(8)
    assert len(pool.answer_unit(pool.next())) == 8, "a program that was confirmed is believed at once"


def test_a_hundredth_of_accepted_answers_is_confirmed_as_the_calls_draw_it() -> None:
    def confirmed() -> tuple[int, list[bytes]]:
        pool = Pool()
        pool.checks(4000)
        while any(job.members for job in pool.sent):
            pool.sent.sort(key=lambda job: not job.members)
            pool.answer_unit(pool.next())
        calls = [job.call for job in pool.sent]
        assert len(by_unit(pool.rest())) > 3000
        return pool.sharing.counts["unit_confirmations"], calls

    count, calls = confirmed()
    assert 15 < count < 80
    assert confirmed() == (count, calls), "the same from run to run"


def test_answers_of_which_a_confirmation_says_otherwise_are_not_believed(pool: Pool) -> None:
    jobs = pool.checks(8)
    pool.answer_unit(pool.next())
    done = pool.answer_alone(pool.next(), value=70)
    assert numbers(done) == [7]
    assert not pool.sharing.is_believed(PLAIN.id)
    assert sorted(numbers(pool.rest())) == list(range(7))
    assert by_unit(jobs) == set()
    assert not pool.units.takes(jobs[0]), "a program that is not believed shares no more"


def test_a_confirmation_at_which_the_host_fails_says_nothing_of_the_program(pool: Pool) -> None:
    pool.checks(8)
    pool.answer_unit(pool.next())
    done = pool.answer(pool.next(), Answer("engine-error", b'{"reason": "no worker"}'))
    assert sorted(numbers(done)) == list(range(8))
    assert pool.sharing.is_believed(PLAIN.id)


def test_what_was_taken_back_runs_again_alone(pool: Pool) -> None:
    pool.checks(8)
    pool.answer_unit(pool.next())
    done = pool.answer_alone(pool.next())
    job = done[0]
    pool.units.take_back(job)
    assert (job.answer, job.outcome, job.held_bytes) == (None, None, 0)
    (alone,) = pool.sent
    assert (alone.call, alone.checks) == (job.call, 0)


# -- answers that are not accepted --------------------------------------------------------------------------------------


def test_a_value_that_is_not_accepted_is_asked_for_alone_and_that_word_counts(pool: Pool) -> None:
    jobs = pool.checks(8)
    assert pool.answer_unit(pool.next(), lambda n: n + 100 * (n == 3)) == []
    assert sorted(job.item for job in pool.sent) == [3, 7], "the wrong one, and the confirmation"
    wrong, confirmation = sorted(pool.sent, key=lambda job: job.item)
    assert numbers(pool.answer_alone(wrong, value=103)) == [3]
    assert jobs[3].answer is not None
    assert not jobs[3].answer.shared
    assert jobs[3].outcome is None, "its unit's outcome is forgotten"
    assert sorted(numbers(pool.answer_alone(confirmation))) == [0, 1, 2, 4, 5, 6, 7]


def test_a_guess_that_is_another_one_alone_ends_the_sharing(pool: Pool) -> None:
    pool.checks(8)
    pool.answer_unit(pool.next(), lambda n: n + 100 * (n == 3))
    wrong, confirmation = sorted(pool.sent, key=lambda job: job.item)
    pool.sent.clear()
    pool.answer_alone(wrong, value=3)
    pool.answer_alone(confirmation)
    assert not pool.sharing.is_believed(PLAIN.id)
    assert sorted(job.item for job in pool.sent) == [0, 1, 2, 4, 5, 6]


# -- units that end otherwise -------------------------------------------------------------------------------------------


def test_of_a_forged_unit_nothing_is_believed(pool: Pool) -> None:
    jobs = pool.checks(8)
    assert pool.answer(pool.next(), Answer("unit", b"forged")) == []
    assert sorted(numbers(pool.rest())) == list(range(8))
    assert by_unit(jobs) == set()
    assert not pool.sharing.is_believed(PLAIN.id)


@pytest.mark.parametrize("flags", [unit.REFUSED, claim.KILLED])
def test_a_unit_that_was_refused_or_killed_is_run_call_by_call_and_is_the_last(pool: Pool, flags: int) -> None:
    jobs = pool.checks(8)
    assert pool.answer_unit(pool.next(), flags=flags) == []
    assert all(not job.members for job in pool.sent)
    assert len(pool.rest()) == 8
    assert not pool.units.takes(jobs[0])
    assert pool.sharing.is_believed(PLAIN.id)


def test_of_a_unit_that_ended_early_the_running_call_is_run_alone_and_the_others_from_the_other_end(pool: Pool) -> None:
    jobs = pool.checks(8)
    pool.answer_unit(pool.next(), answered=2, flags=SPLITTING, running=4)
    (second,) = (job for job in pool.sent if job.members)
    assert numbers(list(second.members)) == [7, 6, 5, 3, 2]
    assert sorted(job.item for job in pool.sent if not job.members) == [1, 4], "the confirmation, and what was running"
    pool.sent.remove(second)
    pool.answer_unit(second, answered=1, flags=SPLITTING, running=1)
    assert not any(job.members for job in pool.sent), "there is no third unit"
    pool.rest()
    assert all(job.answer is not None for job in jobs)
    assert by_unit(jobs) == {0, 7}
    assert sum(job.checks for job in pool.all_sent) == 8, "each check is counted once"
    assert [job.shared_runs for job in jobs] == [0, 1, 2, 2, 1, 2, 2, 1]


def test_where_the_host_fails_all_members_hear_it_and_nothing_is_sent_again(pool: Pool) -> None:
    jobs = pool.checks(8)
    assert pool.answer(pool.next(), Answer("engine-error", b'{"reason": "shut down"}')) == jobs
    assert {job.answer.kind for job in jobs if job.answer} == {"engine-error"}
    assert pool.sent == []
    assert pool.sharing.is_believed(PLAIN.id)


# -- groups and bytes ---------------------------------------------------------------------------------------------------


def test_two_checks_are_a_unit_under_batch_and_one_is_none(pool: Pool) -> None:
    pool.checks(2)
    assert len(pool.next().members) == 2
    pool.checks(1)
    assert pool.next().members == ()


def test_checks_that_are_asked_for_differently_share_no_unit(pool: Pool) -> None:
    jobs = [
        Job(PLAIN, b"%d" % n, options, lambda _: None, pool.caller, n)
        for n, options in enumerate([0, frames.PYTHON_VALUES] * 4)
    ]
    assert all(pool.units.takes(job) for job in jobs)
    made = pool.units.all()
    assert sorted(job.options for job in made) == sorted([0, frames.PYTHON_VALUES])
    assert all({member.options for member in job.members} == {job.options} for job in made)


@pytest.mark.parametrize("ends", [{}, {"answered": 3, "flags": SPLITTING, "running": 3}, {"flags": unit.REFUSED}])
def test_every_byte_that_arrived_is_held_by_a_check_or_given_back(pool: Pool, ends: dict[str, int]) -> None:
    jobs = pool.checks(20)
    pool.answer_unit(pool.next(), lambda n: n + 100 * (n == 1), **ends)
    while pool.sent:
        carrier = pool.next()
        if carrier.members:
            pool.answer_unit(carrier)
        else:
            pool.answer_alone(carrier, 101 if carrier.item == 1 else None)
    assert all(job.answer is not None for job in jobs)
    assert sum(job.held_bytes for job in jobs) + pool.given_back_bytes == pool.arrived_bytes
    assert pool.units.in_flight == 0
    assert not list(pool.units.on_their_way())


# -- answers that wait to be handed out ---------------------------------------------------------------------------------


class Loop:
    """In place of a pool's: what a stream sends."""

    def __init__(self) -> None:
        self.sent: list[Job] = []

    def submit(self, jobs: list[Job]) -> None:
        self.sent += jobs


@pytest.mark.parametrize("ordered", [True, False])
def test_of_a_program_that_is_believed_no_more_what_units_gave_and_nobody_has_seen_is_asked_for_again(ordered: bool) -> None:
    loop: Any = Loop()
    sharing = Sharing(load_policy("codeio", settings=["execution=batch"]))
    stream = Stream(
        loop, iter(()), lambda *_: None, lambda *_: Outcome("value"), ordered=ordered,  # type: ignore[arg-type]
        require_open=lambda: None, reuse=Reuse(None, False, Spared(), threading.Lock()), sharing=sharing,
        accepts=lambda *_: True,
    )  # fmt: skip
    other = Program("def g(n):\n    return n", "g")
    by_its_unit, by_another, alone, open_yet = (
        Job(program, b"%d" % n, 0, lambda _: None, Caller(), n) for n, program in enumerate([PLAIN, other, PLAIN, PLAIN])
    )
    for job, shared in ((by_its_unit, True), (by_another, True), (alone, False)):
        job.answer = Answer("value", b"1", shared=shared)
    jobs = [by_its_unit, by_another, alone, open_yet]
    (stream._line.extend if ordered else stream._crowd.update)(jobs)
    stream._ready.extend(jobs[:3])
    sharing.distrust(PLAIN.id)
    stream._take_back(sharing)
    assert [job.call for job in loop.sent] == [by_its_unit.call]
    assert by_its_unit.answer is None
    assert by_another.answer is not None
    assert alone.answer is not None
    assert ordered or list(stream._ready) == [by_another, alone]
