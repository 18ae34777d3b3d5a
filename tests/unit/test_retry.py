"""Rules of repetition, one by one."""

import pytest

from reexec import ComparisonRule
from reexec.engine.outcome import Outcome
from reexec.engine.pool.answer import KILLED, Answer
from reexec.engine.pool.retry import (
    History,
    Proof,
    Rerun,
    first_that_differs,
    may_vary,
    proof_needs,
    settle,
    varies,
)
from reexec.engine.protocol import claim
from reexec.engine.protocol.endings import WorkerEnd

CPU, WALL = Answer("cpu-limit"), Answer("wall-limit")
RULE = ComparisonRule.preset("codeio")


@pytest.mark.parametrize(
    ("first", "second", "kind", "disagreed_with"),
    [
        (CPU, CPU, "cpu-limit", None),
        (CPU, Answer("value", b"7"), "value", "cpu-limit"),
        (CPU, WALL, "cpu-limit", "wall-limit"),
        (WALL, Answer("exception"), "exception", "wall-limit"),
        (WALL, Answer("engine-error"), "wall-limit", "engine-error"),
    ],
)
def test_the_run_that_came_to_its_end_stands_and_disagreement_is_kept(
    first: Answer, second: Answer, kind: str, disagreed_with: str | None
) -> None:
    settled = settle(first, second)
    assert (settled.kind, settled.disagreed_with) == (kind, disagreed_with)


def test_a_limit_without_doubt_is_not_run_again() -> None:
    assert History().answered(CPU).answer == CPU
    assert History().answered(CPU._replace(flags=claim.IN_DOUBT)).rerun is Rerun.LATER


def test_in_doubt_means_nothing_for_other_kinds() -> None:
    for kind in ("value", "exception", "memory-limit"):
        assert History().answered(Answer(kind, flags=claim.IN_DOUBT)).answer is not None


def test_three_kills_in_a_row_are_the_programs_own() -> None:
    history = History()
    rulings = [history.answered(Answer(KILLED)) for _ in range(3)]
    assert [ruling.rerun for ruling in rulings] == [Rerun.ALONE, Rerun.ALONE, None]
    assert rulings[-1].answer == Answer(KILLED)
    assert [ruling.counts for ruling in rulings] == [("kills_repeated",), ("kills_repeated",), ()]


@pytest.mark.parametrize(
    ("end", "kind"), [(WorkerEnd.HUNG_UP, "denied"), (WorkerEnd.SILENT, "denied"), (WorkerEnd.OUT_OF_MEMORY, "memory-limit")]
)
def test_a_check_whose_worker_dies_twice_is_the_cause(end: WorkerEnd, kind: str) -> None:
    history = History()
    first = history.died(end, False, "the worker hung up")
    assert (first.rerun, first.counts) == (Rerun.FRESH, ("retried",))
    assert history.needs_fresh_worker
    second = history.died(end, False, "the worker hung up")
    assert second.answer is not None
    assert second.answer.kind == kind
    assert b"twice" in second.answer.payload
    assert second.counts == ("retried", "worker_kills")


def test_a_check_under_which_memory_runs_out_each_time_ends_sooner_and_as_the_hosts() -> None:
    history = History()
    rulings = [history.died(WorkerEnd.HUNG_UP, True, "", memory_ran_out=True) for _ in range(6)]
    assert [ruling.rerun for ruling in rulings] == [Rerun.FRESH] * 5 + [None], "the first one had run other checks before"
    answer = rulings[-1].answer
    assert answer is not None
    assert (answer.kind, b"memory ran out" in answer.payload) == ("engine-error", True)


def test_one_kill_that_memory_does_not_explain_begins_the_row_anew() -> None:
    history = History()
    row = [*[True] * 4, False] * 5
    assert {history.died(WorkerEnd.HUNG_UP, True, "", memory_ran_out=each).rerun for each in row} == {Rerun.FRESH}


@pytest.mark.parametrize(("end", "from_outside", "times"), [(WorkerEnd.HUNG_UP, True, 30), (WorkerEnd.CANNOT_FORK, False, 5)])
def test_kills_from_outside_and_a_host_without_room_are_nobodys_fault(end: WorkerEnd, from_outside: bool, times: int) -> None:
    history = History()
    rulings = [history.died(end, from_outside, "no room") for _ in range(times + 1)]
    assert [ruling.rerun for ruling in rulings] == [Rerun.FRESH] * times + [None]
    assert rulings[-1].answer is not None
    assert rulings[-1].answer.kind == "engine-error"
    assert history.deaths == 0


def test_only_programs_that_name_what_varies_may_vary() -> None:
    assert may_vary("import random\ndef f():\n    return random.random()")
    assert may_vary("def f(x):\n    return id(x)")
    assert not may_vary("def f(grid):\n    return grid")


def test_a_second_value_under_the_rule_is_the_same_value() -> None:
    assert not varies(Outcome("value", 1.0), Outcome("value", 1.0 + 1e-12), RULE)
    assert varies(Outcome("value", 1), Outcome("value", 2), RULE)
    assert varies(Outcome("value", 1), Outcome("exception"), RULE)


@pytest.mark.parametrize(
    ("draws", "sibling_varies", "unordered", "needs"),
    [
        (False, False, False, Proof.HOLDS),
        (True, False, False, Proof.MORE_SEEDS),
        (False, True, False, Proof.MORE_SEEDS),
        (False, False, True, Proof.MORE_SEEDS),
        (True, True, False, Proof.CANNOT_HOLD),
        (True, True, True, Proof.CANNOT_HOLD),
    ],
)
def test_two_lucky_runs_are_no_proof(draws: bool, sibling_varies: bool, unordered: bool, needs: Proof) -> None:
    given = {"draws": draws, "sibling_varies": sibling_varies, "unordered": unordered}
    assert proof_needs(reads_clock=False, **given) is needs
    assert proof_needs(reads_clock=True, **given) is not Proof.HOLDS


def test_the_first_run_that_differs_ends_a_proof() -> None:
    outcomes = [Outcome("value", 1), Outcome("value", 2), Outcome("exception")]
    assert first_that_differs(outcomes, lambda outcome: outcome.value == 1) is outcomes[1]
    assert first_that_differs(outcomes[:1], lambda outcome: True) is None
    assert first_that_differs(outcomes[2:], lambda outcome: True) is outcomes[2]
