"""When a worker takes one more check, and which frames of its zygote the host refuses: each condition by itself."""

from collections.abc import Iterator

import pytest

from reexec.engine.pool.job import Caller
from reexec.engine.pool.worker import (
    IN_FLIGHT_S,
    LONG_S,
    MAX_ANSWER_BYTES,
    MAX_IN_FLIGHT,
    MAX_IN_FLIGHT_BYTES,
    RECEIVE_BYTES,
    State,
    WorkerDiedError,
    start_error,
)
from reexec.engine.protocol import claim, frames
from tests.support.workers import ScriptedWorker, job_for

CALLER = Caller()
VALUE = claim.BYTE_OF["value"]


@pytest.fixture
def worker() -> Iterator[ScriptedWorker]:
    worker = ScriptedWorker()
    worker.hello()
    worker.mean_s = 1e-9
    yield worker
    worker.close()


def room(worker: ScriptedWorker, after_s: float = 0.0) -> bool:
    return worker.room(worker.head_since + after_s)


def result(tag: int, kind: int = VALUE, payload: bytes = b"1", wall_us: int = 1) -> frames.Result:
    return frames.Result(tag, kind, 0, 1, wall_us, 0, payload, b"", b"", b"")


def test_an_idle_worker_has_room_and_one_that_starts_or_drains_has_none(worker: ScriptedWorker) -> None:
    assert room(worker)
    for state in (State.STARTING, State.DRAINING, State.DEAD):
        worker.state = state
        assert not room(worker)


def test_so_many_checks_travel_ahead_and_no_more(worker: ScriptedWorker) -> None:
    for number in range(MAX_IN_FLIGHT):
        assert room(worker), number
        worker.give(job_for(CALLER))
    assert not room(worker)


def test_so_many_bytes_travel_ahead_and_they_are_given_back_with_the_answers(worker: ScriptedWorker) -> None:
    worker.give(job_for(CALLER))
    large = job_for(CALLER, call=b"x" * MAX_IN_FLIGHT_BYTES)
    worker.give(large)
    assert not room(worker)
    worker.answer(wall_us=0)
    worker.answer(wall_us=0)
    worker.mean_s = 1e-9
    worker.give(job_for(CALLER))
    assert room(worker), "the window in bytes must grow again"


def test_what_is_ahead_takes_no_longer_than_a_bound(worker: ScriptedWorker) -> None:
    worker.give(job_for(CALLER))
    worker.mean_s = IN_FLIGHT_S
    assert not room(worker)
    worker.mean_s = IN_FLIGHT_S / 2
    assert room(worker)


def test_answers_that_are_expected_have_a_bound_in_bytes(worker: ScriptedWorker) -> None:
    worker.give(job_for(CALLER))
    worker._mean_bytes = MAX_ANSWER_BYTES
    assert not room(worker)


def test_nothing_is_given_behind_a_check_that_takes_its_time(worker: ScriptedWorker) -> None:
    worker.give(job_for(CALLER))
    assert room(worker, LONG_S / 2)
    assert not room(worker, LONG_S * 1.001)  # the sum with a clock rounds


def test_nothing_is_given_behind_a_check_that_must_be_alone(worker: ScriptedWorker) -> None:
    job = job_for(CALLER)
    job.alone = True
    worker.give(job)
    assert not room(worker)


def refused(worker: ScriptedWorker, *said: tuple[object, ...]) -> None:
    with pytest.raises(WorkerDiedError, match="broke the protocol"):
        worker.say(*said)


def test_an_answer_is_about_the_check_that_comes_next(worker: ScriptedWorker) -> None:
    first, second = job_for(CALLER), job_for(CALLER)
    worker.give(first)
    worker.give(second)
    refused(worker, result(second.tag))


def test_an_answer_without_a_check_is_refused(worker: ScriptedWorker) -> None:
    refused(worker, result(1))


def test_nobody_but_the_host_cancels(worker: ScriptedWorker) -> None:
    job = job_for(CALLER)
    worker.give(job)
    refused(worker, result(job.tag, claim.CANCELLED, b""))


def test_a_cancelled_check_may_be_answered_as_such(worker: ScriptedWorker) -> None:
    job = job_for(CALLER)
    worker.give(job)
    job.cancelled = True
    ((answered, answer),) = worker.say(result(job.tag, claim.CANCELLED, b""))
    assert (answered, answer.kind) == (job, "cancelled")


def test_a_worker_that_has_not_said_hello_cannot_retire(worker: ScriptedWorker) -> None:
    worker.state = State.STARTING
    refused(worker, frames.Retires(b"tired"))


def test_a_worker_that_retires_drains(worker: ScriptedWorker) -> None:
    worker.give(job_for(CALLER))
    worker.say(frames.Retires(b"tired"))
    assert worker.state is State.DRAINING


def test_more_than_is_kept_of_prints_is_refused(worker: ScriptedWorker) -> None:
    job = job_for(CALLER)
    worker.give(job)
    refused(worker, frames.Result(job.tag, VALUE, 0, 1, 1, 0, b"1", b"", b"printed", b""))


def test_only_what_waits_behind_the_running_check_is_handed_back(worker: ScriptedWorker) -> None:
    jobs = [job_for(CALLER) for _ in range(3)]
    for job in jobs:
        worker.give(job)
    worker.say(frames.Returns(jobs[1].tag))
    assert worker.take_returned() == [jobs[1]]
    assert list(worker.in_flight) == [jobs[0], jobs[2]]
    refused(worker, frames.Returns(jobs[0].tag))


def test_a_long_result_and_those_behind_it_are_taken_in_one_go(worker: ScriptedWorker) -> None:
    jobs = [job_for(CALLER) for _ in range(3)]
    for job in jobs:
        worker.give(job)
    payloads = [b"1", b"2" * 100_000, b"3"]
    done = worker.say(*(result(job.tag, payload=payload) for job, payload in zip(jobs, payloads, strict=True)))
    assert [(job, answer.payload) for job, answer in done] == list(zip(jobs, payloads, strict=True))


def test_results_that_fill_a_receive_count_where_nothing_is_behind_them(worker: ScriptedWorker) -> None:
    job = job_for(CALLER)
    worker.give(job)
    said = frames.encode(result(job.tag, payload=b"1" * (RECEIVE_BYTES - len(frames.encode(result(job.tag, payload=b""))))))
    assert len(said) == RECEIVE_BYTES
    worker.theirs.sendall(said)
    ((answered, answer),) = worker.receive()
    assert (answered, answer.kind) == (job, "value")
    worker.theirs.close()
    with pytest.raises(WorkerDiedError, match="hung up"):
        worker.receive()


def test_what_kept_a_worker_from_starting_is_no_warning_of_nsjail() -> None:
    warning = "[W][2026-11-27T04:07:27+0000][1] containPrepareEnv():124 setpriority(19)"
    assert str(start_error(f"OSError: no memory\n{warning}", "hung up")).endswith("did not come up: OSError: no memory")
    assert str(start_error(warning, "hung up")).endswith("did not come up: hung up")
