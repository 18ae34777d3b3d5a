"""The rules of a proof, without a jail: what two outcomes say of a pair, and of a generator's round."""

import asyncio
from typing import Any

import pytest

from reexec import Program
from reexec.engine.outcome import Outcome
from reexec.policies.size import SizeRule
from reexec.runners.proof.pairs import Input, Proof, Prover
from reexec.runners.stages.generate.inputs import Call, read_round

GIVEN = Input({"n": 1}, b'{"n":1}')
PROGRAM = Program("def f(n):\n    return n", "f")


class Answers:
    """An executor that gives the same outcome to everything."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome, self.asked = outcome, 0

    def submit(self, *_: Any, **__: Any) -> Any:
        from concurrent.futures import Future

        self.asked += 1
        future: Future[Outcome] = Future()
        future.set_result(self.outcome)
        return future


class Executors:
    def __init__(self, one: Outcome, two: Outcome, later: Outcome) -> None:
        from types import SimpleNamespace

        self.one, self.two, self.later = Answers(one), Answers(two), Answers(later)
        self.policy = SimpleNamespace(size=SizeRule())

    def more(self) -> list[Answers]:
        return [self.later] * 3


def value(of: Any, *sources: str) -> Outcome:
    return Outcome("value", of, sources=sources)


def proven(one: Outcome, two: Outcome, later: Outcome | None = None, varies: bool = False) -> tuple[Proof, int]:
    """The proof and how many further runs it asked for."""
    executors = Executors(one, two, later or one)
    prover = Prover(executors)  # type: ignore[arg-type]

    async def prove() -> Proof:
        (first,) = await prover.prove(PROGRAM, [GIVEN])
        (second,) = await prover.prove_again(PROGRAM, [first], varies=varies)
        return second

    proof = asyncio.run(prove())
    return proof, executors.later.asked


def test_two_runs_that_agree_are_enough_for_a_call_that_reads_nothing() -> None:
    proof, more = proven(value(5), value(5))
    assert (proof.reason, proof.output, more) == (None, 5, 0)


@pytest.mark.parametrize("source", ["clock", "random", "entropy", "process"])
def test_a_call_that_reads_something_must_hold_under_more_seeds_and_clocks(source: str) -> None:
    proof, more = proven(value(5), value(5, source))
    assert (proof.reason, more) == (None, 3)
    proof, _ = proven(value(5), value(5, source), later=value(6))
    assert proof.reason == ("reads-clock" if source == "clock" else "nondeterministic")


def test_the_reason_is_the_clock_where_nothing_else_can_be() -> None:
    assert proven(value(5), value(6, "clock"))[0].reason == "reads-clock"
    assert proven(value(5), value(6, "clock", "random"))[0].reason == "nondeterministic"
    assert proven(value(5), value(6))[0].reason == "nondeterministic"
    assert proven(value(5), Outcome("exception", None, None, sources=("clock",)))[0].reason == "reads-clock"


def test_equal_means_the_same_json() -> None:
    for one, two in ((1, 1.0), (0.0, -0.0), (True, 1)):
        assert proven(value(one), value(two))[0].reason == "nondeterministic"
    proof, _ = proven(value({"b": 1, "a": 2}), value({"a": 2, "b": 1}))
    assert list(proof.output) == ["a", "b"]


# -- rounds of a generator ------------------------------------------------------------------------------------


def of_round(one: list[Any], two: list[Any], *sources: str) -> list[Call] | Call:
    return read_round(value(one), value(two, *sources), SizeRule())


def test_a_call_counts_where_both_sides_gave_the_same() -> None:
    calls = of_round([["value", '{"a": 1}'], ["value", '{"a": 2}']], [["value", '{"a": 1}'], ["value", '{"a": 3}']])
    assert isinstance(calls, list)
    assert calls[0].given is not None
    assert calls[0].given.arguments == {"a": 1}
    assert (calls[1].given, calls[1].reason) == (None, "generator-varies")


def test_where_the_clock_shows_in_one_call_none_of_them_counts() -> None:
    one, two = [["value", '{"a": 1}'], ["value", '{"a": 2}']], [["value", '{"a": 1}'], ["value", '{"a": 3}']]
    calls = of_round(one, two, "clock")
    assert isinstance(calls, Call)
    assert calls.reason == "generator-reads-clock"
    assert isinstance(of_round(one, one, "clock"), list), "reading it is no fault"
