"""How often a start may fail and how much time one has, with the clock in the test's hand; and what /proc says of a process."""

import signal
import subprocess
import sys
import time

import pytest

from reexec.engine.jail.progress import Used, is_leaving, status_of_zombie, used_by
from reexec.engine.pool.fleet import _from_outside
from reexec.engine.pool.starts import (
    FAILED_STARTS_ALLOWED,
    KILLED_FOR_S,
    KILLED_STARTS_ALLOWED,
    LONGEST_PAUSE_S,
    SHORTEST_PAUSE_S,
    START_S,
    STARTS_WITHOUT_PAUSE,
    STOPPED_S,
    Attempts,
    Patience,
)

PLAIN, NUMPY = frozenset[str](), frozenset({"numpy"})


def test_the_first_start_may_fail_never_and_be_killed_thirty_times_without_a_pause() -> None:
    assert not Attempts().failed(PLAIN, 0.0)
    attempts = Attempts()
    ruled = [attempts.killed(PLAIN, 0.0) for _ in range(KILLED_STARTS_ALLOWED + 1)]
    assert ruled == [True] * KILLED_STARTS_ALLOWED + [False]
    assert not attempts.paused(0.0)


def attempts_of_a_pool_that_is_up() -> Attempts:
    attempts = Attempts()
    attempts.came_up(PLAIN)
    return attempts


def test_kills_cost_a_pool_that_has_been_up_nothing_for_minutes_however_many() -> None:
    attempts = attempts_of_a_pool_that_is_up()
    assert all(attempts.killed(PLAIN, KILLED_FOR_S * n / 1000) for n in range(1000))
    assert not attempts.killed(PLAIN, KILLED_FOR_S)
    assert attempts.killed(PLAIN, KILLED_FOR_S), "who comes next has as much patience"


def test_kills_of_long_ago_are_forgotten() -> None:
    attempts = attempts_of_a_pool_that_is_up()
    for hour in range(3):
        assert all(attempts.killed(PLAIN, 3600.0 * hour) for _ in range(KILLED_STARTS_ALLOWED + 1))


def test_a_worker_that_comes_up_makes_up_for_all_before() -> None:
    attempts = attempts_of_a_pool_that_is_up()
    for _ in range(5):
        assert all(attempts.killed(PLAIN, 0.0) for _ in range(KILLED_STARTS_ALLOWED))
        assert all(attempts.failed(PLAIN, 0.0) for _ in range(FAILED_STARTS_ALLOWED - 1))
        assert attempts.paused(0.0)
        attempts.came_up(PLAIN)
        assert not attempts.paused(0.0)


def test_a_kind_that_never_comes_up_does_not_hide_behind_one_that_does() -> None:
    attempts = attempts_of_a_pool_that_is_up()
    ruled = []
    for second in range(int(KILLED_FOR_S) + 1):
        ruled.append(attempts.killed(NUMPY, float(second)))
        attempts.came_up(PLAIN)
    assert ruled == [True] * int(KILLED_FOR_S) + [False]
    failed = []
    for _ in range(FAILED_STARTS_ALLOWED):
        failed.append(attempts.failed(NUMPY, KILLED_FOR_S))
        attempts.came_up(PLAIN)
    assert failed == [True] * (FAILED_STARTS_ALLOWED - 1) + [False]


def test_starts_of_a_kind_that_keep_ending_are_made_ever_more_seldom_and_others_at_once() -> None:
    attempts = attempts_of_a_pool_that_is_up()
    for n in range(40):
        (attempts.killed if n % 2 else attempts.failed)(NUMPY, 0.0)
        pause_s = min(LONGEST_PAUSE_S, SHORTEST_PAUSE_S * 2 ** (n + 1 - STARTS_WITHOUT_PAUSE))
        in_a_row = n + 1 >= STARTS_WITHOUT_PAUSE
        assert attempts.paused(0.9 * pause_s) == ({NUMPY} if in_a_row else set())
        assert not attempts.paused(1.1 * pause_s)


def test_others_make_room_for_a_kind_so_often_until_one_of_it_comes_up() -> None:
    attempts = attempts_of_a_pool_that_is_up()
    for _ in range(2):
        attempts.failed(NUMPY, 0.0)
        assert [attempts.may_make_room(NUMPY, 2) for _ in range(4)] == [True, True, False, False]
        attempts.came_up(NUMPY)


def test_kills_between_them_cost_no_failed_start() -> None:
    attempts = attempts_of_a_pool_that_is_up()
    ruled = []
    for n in range(FAILED_STARTS_ALLOWED):
        assert all(attempts.killed(PLAIN, float(n)) for _ in range(10))
        ruled.append(attempts.failed(PLAIN, float(n)))
    assert ruled == [True] * (FAILED_STARTS_ALLOWED - 1) + [False]


def had_s(seconds: int, used_after: Used, *, every_s: float = 0.5) -> float:
    """What a worker has had after so many seconds, in which it came to use so much, evenly."""
    patience, had = Patience(0.0), 0.0
    for look in range(1, int(seconds / every_s) + 1):
        share = look * every_s / seconds
        had = patience.had_s(look * every_s, Used(used_after.cpu_s * share, used_after.waited_s * share, used_after.stopped))
    return had


def test_a_start_that_does_nothing_has_had_all_the_time_that_passed() -> None:
    assert had_s(int(START_S) + 10, Used()) == pytest.approx(START_S + 10)


def test_a_start_that_waits_for_a_processor_for_an_hour_is_not_late() -> None:
    assert had_s(3600, Used(cpu_s=3.0, waited_s=3590.0)) == pytest.approx(10)


def test_a_start_that_computes_without_end_is_late_however_long_its_threads_waited() -> None:
    assert had_s(3600, Used(cpu_s=START_S + 10, waited_s=9000.0)) == pytest.approx(START_S + 10)


def test_a_worker_that_is_stopped_is_waited_for_but_not_for_ever() -> None:
    assert had_s(int(STOPPED_S), Used(stopped=True)) == 0
    assert had_s(int(STOPPED_S + START_S) + 5, Used(stopped=True)) > START_S


def test_a_look_that_fails_takes_nothing_back() -> None:
    patience, had = Patience(0.0), 0.0
    for look in range(1, 261):
        had = patience.had_s(look * 0.5, Used() if look % 7 == 0 else Used(cpu_s=2.0, waited_s=look * 0.5))
    assert had <= 130 / 7 + 2


def test_time_in_which_nobody_could_look_does_not_count() -> None:
    assert Patience(0.0).had_s(4000.0, Used()) < START_S
    assert had_s(1000, Used(), every_s=500) < START_S


def test_a_signal_for_a_fault_of_its_own_is_nobody_elses_doing() -> None:
    for outside in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        assert _from_outside(-outside)
    for fault in (signal.SIGSYS, signal.SIGSEGV, signal.SIGABRT):
        assert not _from_outside(-fault)
    assert _from_outside(128 + signal.SIGKILL)
    for status in (None, 0, 1, 255, 128 + signal.SIGSEGV):
        assert not _from_outside(status)


def wait_until_zombie(pid: int) -> None:
    until = time.monotonic() + 60
    while not is_leaving(pid) or status_of_zombie(pid) is None:
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize(("code", "status"), [("import sys; sys.exit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)])
def test_a_process_that_nobody_has_reaped_tells_how_it_ended(code: str, status: int) -> None:
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", code])
    wait_until_zombie(process.pid)
    assert status_of_zombie(process.pid) == status
    process.wait()
    assert is_leaving(process.pid)
    assert status_of_zombie(process.pid) is None


def test_a_process_that_lives_or_is_stopped_is_not_leaving() -> None:
    process = subprocess.Popen(["sleep", "600"])
    try:
        assert not is_leaving(process.pid)
        assert not used_by(process.pid, None).stopped
        process.send_signal(signal.SIGSTOP)
        until = time.monotonic() + 60
        while not used_by(process.pid).stopped:
            assert time.monotonic() < until
            time.sleep(0.01)
        assert not is_leaving(process.pid)
        assert status_of_zombie(process.pid) is None
    finally:
        process.kill()
        process.wait()
    assert used_by(process.pid) == Used()


def test_a_kind_that_is_given_up_has_a_fresh_budget_and_starts_seconds_apart_are_of_one_budget() -> None:
    attempts = attempts_of_a_pool_that_is_up()
    ruled = [attempts.failed(NUMPY, 5000.0 + 10 * number) for number in range(2 * FAILED_STARTS_ALLOWED)]
    assert ruled == ([True] * (FAILED_STARTS_ALLOWED - 1) + [False]) * 2
