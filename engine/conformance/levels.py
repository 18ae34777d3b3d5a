"""Which steps of the isolation ladder this host offers, found out by standing on each."""

from dataclasses import dataclass

from reexec.policies.model import MIB, Isolation, IsolationLevel, Limits, Policy

from ..errors import EngineError
from ..executor import Executor
from ..jail import levels
from ..program import Program

_PROOF = Program("def f(a, b):\n    return a + b\n", "f")


@dataclass(frozen=True, slots=True)
class Offer:
    """One isolation level on this host."""

    isolation: IsolationLevel
    reason: str = ""
    """Why it cannot be had here, in one line; empty where it can."""
    wall_s: float = 0.0
    """How long a first call took."""

    @property
    def available(self) -> bool:
        return not self.reason


def offer(isolation: IsolationLevel, python: str | None = None) -> Offer:
    """The proof is a real call."""
    policy = Policy(name="proof", limits=Limits(confirm=False, memory_bytes=64 * MIB), isolation=Isolation(lowest=isolation))
    try:
        with Executor(policy, workers=1, python=python, isolation=isolation) as executor:
            outcome = executor.submit(_PROOF, [2, 3]).result()
    except EngineError as error:
        return Offer(isolation, " ".join(str(error).split()))
    if outcome.value != 5:
        return Offer(isolation, outcome.describe())
    return Offer(isolation, "", outcome.usage.wall_s)


def offers(python: str | None = None) -> list[Offer]:
    """Every isolation level that isolates, strongest first."""
    return [offer(isolation, python) for isolation in levels.IMPLEMENTED if isolation is not IsolationLevel.NONE]
