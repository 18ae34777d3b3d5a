"""What a task makes of one sample: the tests to run, how each is judged, and when the rest no longer matters.

Run        one execution: a program and a call of it
Test       one or more runs and the decision over their values; a name for reports
Plan       the tests of one sample, in groups that are stopped on their own
"""

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from reexec.engine.outcome import Outcome
from reexec.engine.program import Call, Program, Script, Stdin

LIMITS_ON_TIME = ("cpu-limit", "wall-limit")
_FUTURE = "from __future__ import annotations\n"
_TAKEN = re.compile(r"^from \.(\w+) import .*\n", re.MULTILINE)
NOT_RUN = "not-run"
"""The word of a test that was left out because its group's score was settled without it."""


@dataclass(frozen=True, slots=True)
class Run:
    program: Program
    call: Call | Stdin = field(default_factory=Call)


@functools.cache
def inside(name: str, entry: str) -> Program:
    """A program of `inside/`, as one text: what a module takes from another of them stands in front of it."""
    taken: dict[str, str] = {}
    _take(name, taken)
    return Program(f"{_FUTURE}{''.join(taken.values())}", entry)


def _take(name: str, taken: dict[str, str]) -> None:
    text = (Path(__file__).parent / "inside" / f"{name}.py").read_text(encoding="utf-8").replace(_FUTURE, "")
    for other in _TAKEN.findall(text):
        if other not in taken:
            _take(other, taken)
    taken[name] = _TAKEN.sub("", text)


class Turns(Protocol):
    """Runs that depend on what earlier ones came to."""

    def further(self, outcomes: Sequence[Outcome]) -> tuple[Run, ...]:
        """What runs next, in any order; may be nothing."""
        ...

    def result(self, outcomes: Sequence[Outcome]) -> "Result":
        """What all of them come to."""
        ...


@dataclass(frozen=True, slots=True)
class Test:
    """`decide` gets the values of all runs, in order, and returns why they are wrong ("" where they are right). A script's
    value is what it printed."""

    name: str
    runs: tuple[Run, ...]
    decide: Callable[[Sequence[Any]], str]
    group: str = ""
    expected: Callable[[], str] | None = None
    """What was expected, for a person."""
    dialogue: "Turns | None" = None
    """Where there is one, it says what runs after `runs`, and decides instead of `decide`."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a test: a verdict word (or `not-run`), and one line for a person."""

    word: str
    detail: str = ""
    outcome: Outcome | None = None
    """The run that settled it."""

    @property
    def passed(self) -> bool:
        return self.word == "accepted"


@dataclass(slots=True)
class Plan:
    tests: list[Test] = field(default_factory=list)
    stop_at_failure: bool = False
    """Whether a group's other tests are left out after its first failure."""
    stop_at_limit: bool = False
    """Whether a group's other tests are left out after the first that a limit on time ended."""
    verdict: str = ""
    """A word that settles the sample without running anything, such as `no-answer`; `detail` says why."""
    detail: str = ""
    lifted: int = 0
    """Of the assertions, how many are judged on the host."""
    assertions: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    """What the task wants to find again when the results are in."""


def settle(test: Test, outcomes: Sequence[Outcome]) -> Result:
    """The result of a test whose runs are all done. Pure; never raises on what a program returned."""
    if test.dialogue is not None:
        return test.dialogue.result(outcomes)
    for outcome in outcomes:
        if outcome.kind != "value":
            word = "runtime-error" if outcome.kind == "exception" else outcome.kind
            return Result(word, outcome.describe(), outcome)
    values = []
    for run, outcome in zip(test.runs, outcomes, strict=True):
        is_script = isinstance(run.program, Script)
        if is_script and outcome.value != 0:
            return Result("runtime-error", f"exit status {outcome.value}", outcome)
        values.append(outcome.stdout if is_script else outcome.value)
    reason = test.decide(values)
    return Result("wrong-answer" if reason else "accepted", reason, outcomes[-1] if outcomes else None)
