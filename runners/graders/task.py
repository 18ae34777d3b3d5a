"""What every task has: its problems, a plan for each sample, and what it adds to a graded row."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from reexec.engine.commands import AnyExecutor

from .plan import NOT_RUN, Plan, Result
from .problems import Problems, id_of


class BadSampleError(ValueError):
    """A sample that cannot be graded; the message says why and where."""


class Task(ABC):
    name: ClassVar[str]
    needs: ClassVar[Sequence[str]] = ()
    """Members that every problem must have."""
    policy: ClassVar[str] = "grade"
    """The preset that samples run under."""

    def __init__(self, problems: Problems, executor: AnyExecutor) -> None:
        self.problems = problems
        self.executor = executor

    def settings(self) -> dict[str, Any]:
        """Choices of the task that decide results; a resumed run must have the same."""
        return {}

    def prepare(self) -> None:  # noqa: B027 - many tasks have nothing to prepare
        """What is done once, before the first sample."""

    def key_for(self, row: dict[str, Any]) -> str:
        """The id of the problem that a sample belongs to. Raises BadSampleError."""
        given = id_of(row)
        if given is None:
            raise BadSampleError("the sample names no problem, at $.task_id")
        key = self.problems.key_of(given)
        if key is None:
            raise BadSampleError(f"no problem has the task_id {given!r}, at $.task_id")
        return key

    @abstractmethod
    def plan(self, row: dict[str, Any], key: str) -> Plan:
        """The tests of one sample of the problem `key`. Raises BadSampleError."""

    def canonical(self, key: str) -> str | None:  # noqa: ARG002
        """The problem's own solution, where it has one."""
        return None

    def members(self, plan: Plan, results: Sequence[Result]) -> dict[str, Any]:
        """What the graded row gets. `verdict` is the first word that is not `accepted`."""
        if plan.verdict:
            return {"passed": plan.verdict == "accepted", "verdict": plan.verdict}
        word = first_failure(results)
        return {"passed": word == "accepted", "verdict": word}

    def note(self, counts: dict[str, Any], members: dict[str, Any]) -> None:  # noqa: B027 - as for prepare
        """Counts what the task's summary needs beyond verdicts; `counts` survives an interruption."""

    def summary(self, counts: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """What the task adds to the summary for machines."""
        return {}


def first_failure(results: Sequence[Result]) -> str:
    """The first word that is not `accepted`, else `accepted`."""
    return next((result.word for result in results if result.word not in ("accepted", NOT_RUN)), "accepted")
