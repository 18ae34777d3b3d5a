"""What counts as time that a check was kept from running: never less than it was, and nothing for threads that wait for each
other."""

from hypothesis import given
from hypothesis import strategies as st

from reexec.engine.protocol.frames import RunDelay
from reexec.engine.zygote.supervision import Waiting

SECONDS = st.floats(0, 10)
LAGS = st.floats(0, 0.5)


def told(waited_s: float, idle_s: float) -> RunDelay:
    return RunDelay(1, round(waited_s * 1e6), round(idle_s * 1e6), 0)


@given(st.lists(st.tuples(SECONDS, SECONDS, SECONDS, LAGS, LAGS, st.integers(1, 20)), min_size=1, max_size=6))
def test_a_check_that_is_kept_from_running_is_never_charged_for_it(
    stretches: list[tuple[float, float, float, float, float, int]],
) -> None:
    """In each stretch it runs, waits for others and sleeps for some time; then the zygote asks, the host measures, and the
    answer comes, with the check asleep meanwhile. Threads that wait at once only add to what the host tells."""
    waiting = Waiting()
    wall = cpu = waited = starved = idle = 0.0
    for runs, waits, sleeps, asked_before, answered_after, threads in stretches:
        wall += runs + waits + sleeps
        cpu += runs
        starved += waits
        waited += waits + runs * (threads - 1)
        waiting.ask(wall, cpu)
        wall += asked_before
        idle += sleeps + asked_before  # the processor stands idle while it sleeps
        measured = told(waited, idle)
        wall += answered_after
        idle += answered_after
        asleep = idle - asked_before - answered_after  # when the question was asked
        waiting.answer(measured, wall, cpu)
        assert waiting.idle_s() <= asleep + 1e-4, "it is ended for time that it did not sleep"
    assert waiting.seconds >= starved - 1e-4
    assert waiting.seconds <= waited + 1e-4


def test_threads_that_wait_for_each_other_earn_no_sleep() -> None:
    waiting = Waiting()
    waiting.ask(0.1, 0.1)
    waiting.answer(told(1.5, 0), 0.1, 0.1)
    assert waiting.seconds < 0.001
    waiting.ask(1.6, 1.6)  # sixteen threads, 1.6 s: each waits while another runs
    waiting.answer(told(24, 0), 1.6, 1.6)
    assert waiting.seconds < 0.001


def test_questions_that_are_answered_late_earn_no_sleep() -> None:
    """Eight threads want a processor that others keep busy half of the time; every answer takes 0.4 s."""
    waiting = Waiting()
    wall = cpu = waited = 0.0
    for _ in range(20):
        waiting.ask(wall, cpu)
        wall, cpu, waited = wall + 0.4, cpu + 0.2, waited + 8 * 0.4
        waiting.answer(told(waited, 0), wall, cpu)
        wall, cpu, waited = wall + 0.05, cpu + 0.025, waited + 8 * 0.05
    assert wall - cpu - 0.5 < waiting.seconds < wall - cpu + 0.3


def test_sleep_between_bursts_is_no_waiting_where_the_processor_stands_idle() -> None:
    waiting = Waiting()
    wall = cpu = waited = idle = 0.0
    for _ in range(20):
        wall, cpu, waited, idle = wall + 0.34, cpu + 0.04, waited + 15 * 0.04, idle + 0.3
        waiting.ask(wall, cpu)
        waiting.answer(told(waited, idle), wall, cpu)
    assert waiting.seconds < 0.4, "the first stretch alone, of which the host has not seen the beginning"
