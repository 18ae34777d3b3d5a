"""What two runs of one check amount to, where a limit on time ended the first."""

import pytest

from reexec.engine.outcome import Outcome, RaisedException, Usage
from reexec.engine.pool.retry import is_killed, is_near, settle
from reexec.policies.model import Limits

LIMITS = Limits(cpu_s=1.0)
CPU = Outcome("cpu-limit", usage=Usage(cpu_s=1.01))
WALL = Outcome("wall-limit", usage=Usage(wall_s=9.0))
VALUE = Outcome("value", 7, usage=Usage(cpu_s=0.97), attempts=2)


@pytest.mark.parametrize(
    ("outcome", "near"),
    [
        (CPU, True),
        (Outcome("cpu-limit", usage=Usage(cpu_s=1.19)), True),
        (Outcome("cpu-limit", usage=Usage(cpu_s=1.3)), False),
        (WALL, True),
        (VALUE, False),
        (Outcome("memory-limit", usage=Usage(cpu_s=1.0)), False),
    ],
)
def test_limits_on_time_near_their_threshold_are_confirmed(outcome: Outcome, near: bool) -> None:
    assert is_near(outcome, LIMITS) is near
    assert not is_near(outcome, Limits(cpu_s=1.0, confirm=False))


@pytest.mark.parametrize(
    ("first", "second", "kind", "disagreed_with"),
    [
        (CPU, CPU, "cpu-limit", None),
        (CPU, VALUE, "value", "cpu-limit"),
        (CPU, WALL, "cpu-limit", "wall-limit"),
        (WALL, Outcome("exception"), "exception", "wall-limit"),
        (WALL, Outcome("engine-error"), "wall-limit", "engine-error"),
    ],
)
def test_the_run_that_came_to_its_end_stands_and_disagreement_is_kept(
    first: Outcome, second: Outcome, kind: str, disagreed_with: str | None
) -> None:
    settled = settle(first, second)
    assert (settled.kind, settled.disagreed_with) == (kind, disagreed_with)


def test_only_an_end_by_the_signal_itself_counts_as_killed() -> None:
    assert is_killed(Outcome("exception", exception=RaisedException("SIGKILL", "the process was ended by SIGKILL")))
    assert not is_killed(Outcome("exception", exception=RaisedException("SIGKILL", "", ((1, "f"),))))
    assert not is_killed(Outcome("exception", exception=RaisedException("SIGSEGV", "")))
    assert not is_killed(VALUE)
