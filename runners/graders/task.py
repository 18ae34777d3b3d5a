"""What every task has: its problems, a plan for each sample, and what it adds to a graded row."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from reexec.engine.executor import Executor

from .plan import NOT_RUN, Plan, Result
from .problems import Problems


class Task(ABC):
    name: ClassVar[str]
    needs: ClassVar[Sequence[str]] = ()
    """Members that every problem must have."""
    policy: ClassVar[str] = "grade"
    """The preset that samples run under."""

    def __init__(self, problems: Problems, executor: Executor) -> None:
        self.problems = problems
        self.executor = executor

    def prepare(self) -> None:
        """What is done once, before the first sample."""

    @abstractmethod
    def plan(self, row: dict[str, Any], key: str) -> Plan:
        """The tests of one sample of the problem `key`."""

    def canonical(self, key: str) -> str | None:  # noqa: ARG002
        """The problem's own solution, where it has one."""
        return None

    def members(self, plan: Plan, results: Sequence[Result]) -> dict[str, Any]:
        """What the graded row gets. `verdict` is the first word that is not `accepted`."""
        if plan.verdict:
            return {"passed": plan.verdict == "accepted", "verdict": plan.verdict}
        word = first_failure(results)
        return {"passed": word == "accepted", "verdict": word}


def first_failure(results: Sequence[Result]) -> str:
    """The first word that is not `accepted`, else `accepted`."""
    return next((result.word for result in results if result.word not in ("accepted", NOT_RUN)), "accepted")
