"""One function on its way through the stage: rounds of generator calls, and waves of proofs of what they gave.

What happens next depends only on what came of the rounds and waves before, never on when, so that a function's pairs are
the same whatever else runs.
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from ...proof.pairs import Input, Proof, Prover
from ...rows.text import canonical
from .inputs import LONGEST_PER_BYTE, Call, driver, read_round, seed_of
from .readers import Source

GENERATION_S = 60.0
"""Processor seconds of a function's generator calls, as in CodeI/O. A far backstop: what decides is the limit of one
round, which is that of a check, and how many rounds died of it."""
_ROUND = 256  # calls to a fork at most
_DEAD_ROUNDS = 12  # with the 5 s of a check, as many as GENERATION_S allows
_TRIES = 10  # inputs run for each pair that is wanted
_VARYING = 2  # the same, where they all differ between their runs
_FIRST_WAVE = 4  # inputs that are run before all others: a function that hangs shows it on these
_TIMEOUTS = 12  # pairs that ran into a limit of time, as _DEAD_ROUNDS
_SLOW = ("cpu-limit", "wall-limit")
_FOR_GOOD = ("generator-exception", "generator-missing-module", "generator-reads-clock", "generator-varies")

_BY_LUCK = ("generator-reads-clock", "generator-varies")  # what earlier rounds gave agreed by luck


@dataclass(slots=True)
class Made:
    """What came of a function: its proven pairs, and what was dropped on the way."""

    pairs: list[Proof] = field(default_factory=list)
    calls: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    details: dict[str, str] = field(default_factory=dict)
    """What the first call or pair with each reason said."""
    missing: Counter[str] = field(default_factory=Counter)

    def drop(self, reason: str, detail: str) -> None:
        self.dropped[reason] += 1
        if detail:
            self.details.setdefault(reason, detail[:300])
            if reason.endswith("missing-module"):
                self.missing[detail.partition(".")[0]] += 1

    def is_trivial(self) -> bool:
        return len({canonical(proof.output) for proof in self.pairs}) == 1


class Maker:
    """Makes the pairs of functions."""

    def __init__(self, prover: Prover, random_seed: int, size: Any, *, pairs: int, calls: int) -> None:
        self._prover, self._seed, self._size = prover, random_seed, size
        self._pairs, self._calls = pairs, calls

    async def make(self, source: Source) -> Made:
        made = Made()
        inputs = _Inputs(self, made, source)
        tried, varies = 0, False
        while len(made.pairs) < self._pairs:
            wanted = self._pairs - len(made.pairs)
            wave = await inputs.take(wanted if tried else min(wanted, _FIRST_WAVE))
            if not wave:
                break
            tried += len(wave)
            proofs = await self._prover.prove(source.program, wave)
            if not varies and any(proof.reason == "nondeterministic" for proof in proofs):
                varies = True
                proofs, made.pairs = made.pairs + proofs, []  # those of earlier waves are not above suspicion now
            for proof in await self._prover.prove_again(source.program, proofs, varies=varies):
                if proof.reason is None:
                    made.pairs.append(proof)
                else:
                    made.drop(proof.reason, proof.detail)
            if self._is_enough(made, tried):
                break
        return made

    def _is_enough(self, made: Made, tried: int) -> bool:
        """Whether more inputs are not worth their time."""
        slow = sum(made.dropped[word] for word in _SLOW)
        if not made.pairs and (slow >= _FIRST_WAVE or made.dropped["nondeterministic"] >= self._pairs * _VARYING):
            return True
        return slow >= _TIMEOUTS or tried >= self._pairs * _TRIES

    async def round(self, program: Any, arguments: dict[str, Any]) -> tuple[list[Call] | Call, float]:
        """A round's calls, and the processor seconds that it took."""
        one, two = await self._prover.both(program, arguments, generates=True)
        calls = read_round(one, two, self._size)
        if not isinstance(calls, Call) and any(call.reason == "generator-varies" for call in calls):
            again = await self._prover.again(program, arguments)
            if again.value != one.value:
                calls = Call(None, "generator-varies", "it draws from a source that has no seed")
        return calls, one.usage.cpu_s


class _Inputs:
    """Distinct inputs of one generator, in the order of its calls, as many as are asked for."""

    def __init__(self, maker: Maker, made: Made, source: Source) -> None:
        self._maker, self._made = maker, made
        self._program = driver(source)
        self._seed = seed_of(maker._seed, source.program.id)
        self._ready: deque[Input] = deque()
        self._seen: set[bytes] = set()
        self._next = 0  # number of the next call
        self._length = 32
        self._dead = 0
        self._cpu_s = 0.0
        self._rounds = 0

    async def take(self, count: int) -> list[Input]:
        while len(self._ready) < count and self._may_go_on():
            await self._more(count - len(self._ready))
        return [self._ready.popleft() for _ in range(min(count, len(self._ready)))]

    def _may_go_on(self) -> bool:
        return self._next < self._maker._calls and self._dead < _DEAD_ROUNDS and self._cpu_s < GENERATION_S

    async def _more(self, wanted: int) -> None:
        length = min(self._length, self._maker._calls - self._next)
        arguments = {
            "seed": self._seed,
            "first": self._next,
            "count": length,
            # More than wanted where earlier rounds were not enough: not all will be new and small.
            "want": min(_ROUND, wanted << self._rounds),
            "longest": LONGEST_PER_BYTE * self._maker._size.total_bytes_below,
        }
        calls, cpu_s = await self._maker.round(self._program, arguments)
        self._cpu_s += cpu_s
        if isinstance(calls, Call):
            self._fail(calls, length)
            return
        self._rounds = min(self._rounds + 1, 8)
        self._length = min(_ROUND, 2 * self._length)
        self._next += len(calls)
        self._made.calls += len(calls)
        for call in calls:
            if call.given is None:
                self._made.drop(call.reason, call.detail)
            elif call.given.text in self._seen:
                self._made.drop("repeated-input", "")
            else:
                self._seen.add(call.given.text)
                self._ready.append(call.given)

    def _fail(self, why: Call, length: int) -> None:
        """A round that died as a whole is asked for again call by call, so that a call which ends its process costs
        itself only. Code that does not even load fails the same way each time: no call of it is tried twice."""
        if why.reason in _FOR_GOOD:
            self._made.drop(why.reason, why.detail)
            self._dead = _DEAD_ROUNDS
            if why.reason in _BY_LUCK:
                self._ready.clear()
                self._made.pairs.clear()
            return
        self._dead += 1
        if length > 1:
            self._length = 1
            return
        self._made.drop(why.reason, why.detail)
        self._made.calls += 1
        self._next += 1
