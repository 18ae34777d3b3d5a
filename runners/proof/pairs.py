"""The proof of a pair: two runs in fresh forks under different hash seeds, random seeds, entropy, clocks and addresses give
the same output.

The same means the same JSON text, keys in any order: 1 is not 1.0, 0.0 is not -0.0, and no tolerance applies; NaN is NaN.
A tuple is a list and a number as a key is a text, because the pair that is recorded and replayed is the JSON. Every call
gets its arguments decoded anew from what was recorded, so no pair shares anything with another; and what a call does to
its arguments reaches no record. `drop_mutating` drops the pairs of such calls all the same.

Two runs may agree by luck. Where a call draws at random or reads the clock, or another pair of the function differed between
its runs, the output must hold under three more seeds and clocks; where a call draws and another pair differed, it is not kept.
The same three runs are asked of programs whose results may hang on the order of a set.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from reexec.engine.judging.size_guard import check_output_size
from reexec.engine.outcome import Outcome
from reexec.engine.pool import retry
from reexec.engine.program import Program

from ..rows.text import canonical, dump
from .patterns import CHANCE, CLOCK, HASH_ORDER, MAY_VARY
from .reasons import LIMITS, VARIES
from .seeds import SeededExecutors


@dataclass(frozen=True, slots=True)
class Input:
    """Arguments as they will be recorded: held here before the function sees them."""

    arguments: dict[str, Any]
    text: bytes
    """Canonical JSON."""


@dataclass(frozen=True, slots=True)
class Proof:
    """An input with its output, or the reason why it has none."""

    given: Input
    output: Any = None
    reason: str | None = None
    detail: str = ""
    draws: bool = False
    """Whether the call read a random generator, the system's entropy or its process's number."""
    reads_clock: bool = False


class Prover:
    """Proves pairs in executors under different seeds."""

    def __init__(self, executors: SeededExecutors, *, drop_mutating: bool = False) -> None:
        self._executors, self._size, self._drop_mutating = executors, executors.policy.size, drop_mutating
        self.one, self.two = executors.one, executors.two

    async def both(self, program: Program, arguments: dict[str, Any], *, generates: bool = False) -> tuple[Outcome, Outcome]:
        """A call on both sides; the second says whether it read the clock and the like, where the program may. `generates`: a
        round of a generator's calls, whose entropy is the same on both."""
        watched = MAY_VARY.search(program.source) is not None
        return await asyncio.gather(
            asyncio.wrap_future(self.one.submit(program, arguments, watch_arguments=True, shared_entropy=generates)),
            asyncio.wrap_future(
                self.two.submit(program, arguments, watch_arguments=True, watch_sources=watched, shared_entropy=generates)
            ),
        )

    async def again(self, program: Program, arguments: dict[str, Any]) -> Outcome:
        """A round of a generator's calls once more on the first side: what differs there has no seed."""
        return await asyncio.wrap_future(self.one.submit(program, arguments, shared_entropy=True))

    async def prove(self, program: Program, inputs: Iterable[Input]) -> list[Proof]:
        """A Proof for each input, in their order, from two runs."""
        inputs = list(inputs)
        ran = await asyncio.gather(*(self.both(program, given.arguments) for given in inputs))
        return [self._judge(given, *outcomes) for given, outcomes in zip(inputs, ran, strict=True)]

    async def prove_again(self, program: Program, proofs: Iterable[Proof], *, varies: bool) -> list[Proof]:
        """The same proofs where two runs are enough, else what further seeds make of them. `varies`: some pair of this
        function differed between its runs."""
        unordered = HASH_ORDER.search(program.source) is not None
        return list(await asyncio.gather(*(self._again(program, proof, varies, unordered) for proof in proofs)))

    def _judge(self, given: Input, one: Outcome, two: Outcome) -> Proof:
        for outcome in (one, two):
            if outcome.kind in LIMITS:
                same = one.describe() == two.describe()
                return Proof(given, None, outcome.kind, outcome.describe() if same else "")
        if one.kind != two.kind:
            return Proof(given, None, *_differs(two))
        if one.exception is not None and two.exception is not None:
            missing = one.exception.missing_module and two.exception.missing_module
            if missing:
                return Proof(given, None, "missing-module", one.exception.missing_module or "")
            return Proof(given, None, "exception", one.describe() if one.describe() == two.describe() else one.exception.type)
        text = canonical(one.value)
        if text != canonical(two.value):
            return Proof(given, None, *_differs(two))
        if self._drop_mutating and (one.arguments_changed or two.arguments_changed):
            return Proof(given, None, "mutates-input")
        finding = check_output_size(one.value, self._size)
        if finding is not None:
            return Proof(given, None, "no-output" if one.value is None else "output-too-large", str(finding))
        # Where only the order of keys differs, it is nobody's to choose: sorted.
        output = one.value if dump(one.value) == dump(two.value) else _sorted(one.value)
        return Proof(given, output, draws=not CHANCE.isdisjoint(two.sources), reads_clock=CLOCK in two.sources)

    async def _again(self, program: Program, proof: Proof, varies: bool, unordered: bool) -> Proof:
        if proof.reason is not None:
            return proof
        needs = retry.proof_needs(draws=proof.draws, reads_clock=proof.reads_clock, sibling_varies=varies, unordered=unordered)
        if needs is retry.Proof.HOLDS:
            return proof
        if needs is retry.Proof.CANNOT_HOLD:
            return Proof(proof.given, None, *VARIES)
        futures = [executor.submit(program, proof.given.arguments) for executor in self._executors.more()]
        text = canonical(proof.output)
        outcomes = await asyncio.gather(*map(asyncio.wrap_future, futures))
        other = retry.first_that_differs(outcomes, lambda outcome: canonical(outcome.value) == text)
        if other is None:
            return proof
        if other.kind in LIMITS:
            return Proof(proof.given, None, other.kind)
        return Proof(proof.given, None, *(_CLOCK if proof.reads_clock and not proof.draws else VARIES))


_CLOCK = ("reads-clock", "under another clock it gives something else")


def _differs(two: Outcome) -> tuple[str, str]:
    """Why the runs differ: the clock, where the call read it and drew nothing at random."""
    return _CLOCK if CLOCK in two.sources and CHANCE.isdisjoint(two.sources) else VARIES


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value
