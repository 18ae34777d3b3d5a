"""Which steps of the isolation ladder this host offers, found out by standing on each."""

from dataclasses import dataclass

from reexec.policies.model import Isolation, Limits, Policy, Rung

from ..errors import EngineError
from ..executor import Executor
from ..jail import ladder
from ..program import Program

_PROOF = Program("def f(a, b):\n    return a + b\n", "f")


@dataclass(frozen=True, slots=True)
class Offer:
    """One rung on this host."""

    rung: Rung
    reason: str = ""
    """Why it cannot be had here, in one line; empty where it can."""
    wall_s: float = 0.0
    """How long a first call took."""

    @property
    def available(self) -> bool:
        return not self.reason


def offer(rung: Rung, python: str | None = None) -> Offer:
    """The proof is a real call."""
    policy = Policy(name="proof", limits=Limits(confirm=False), isolation=Isolation(lowest=rung))
    try:
        with Executor(policy, workers=1, python=python, rung=rung) as executor:
            outcome = executor.submit(_PROOF, [2, 3]).result()
    except EngineError as error:
        return Offer(rung, " ".join(str(error).split()))
    if outcome.value != 5:
        return Offer(rung, outcome.describe())
    return Offer(rung, "", outcome.usage.wall_s)


def offers(python: str | None = None) -> list[Offer]:
    """Every rung that isolates, strongest first."""
    return [offer(rung, python) for rung in ladder.IMPLEMENTED if rung is not Rung.NONE]
