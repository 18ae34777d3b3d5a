"""A test that cannot be lifted, judged apart from its solution all the same: two processes that exchange plain values.

The test runs in a jail without the solution until it needs a value of the solution's (inside/apart.py). The solution is called
in a process of its own, as in a lifted check, and the test begins anew with that value, until it comes to its end. So tests
that pass a value on, loop over one or handle exceptions are decided where no solution can reach.

What cannot be exchanged is an object that is no plain data, and what a function does to its arguments in place. Such tests are
found before: only a problem whose own solution passes this way is judged this way.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from reexec.engine.commands import AnyExecutor
from reexec.engine.outcome import Outcome
from reexec.engine.program import Call, Program
from reexec.engine.protocol import values

from .flow import FIRST_TESTS, Attempt, run_attempts
from .plan import Plan, Result, Run, Test, inside

MOST_CALLS: Final = 2000
MOST_BYTES: Final = 4 << 20
"""Of all values and questions: they travel again with each further call."""
NAME: Final = "the whole test, apart from the solution"


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that a test makes; `text` is how the test's process tells it from others."""

    text: str
    name: str
    call: Call


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Holds no state: everything follows from the outcomes so far. The first are of the calls that are likely, the others of
    the test and of the solution in turn."""

    solution: str
    test: str
    names: tuple[str, ...]
    """The functions under test."""
    likely: tuple[Asked, ...] = ()
    """What the test asked the problem's own solution. A right one is mostly asked the same, so that is done first."""

    def as_test(self) -> Test:
        return Test(NAME, self.further(()), _never, dialogue=self)

    def further(self, outcomes: Sequence[Outcome]) -> tuple[Run, ...]:
        """What has to run next; nothing where the last outcome ends it."""
        begun = self._likely_done(outcomes)
        if len(outcomes) < begun:
            return tuple(Run(Program(self.solution, each.name), each.call) for each in self.likely[len(outcomes) : begun])
        turns = outcomes[begun:]
        if not len(turns) % 2:
            if (turns and _ends(turns[-1])) or _is_too_much(outcomes):
                return ()
            known = [(text, *_known(outcome)) for text, outcome in self._answers(outcomes).items() if not _ends(outcome)]
            return (Run(inside("apart", "go_on"), Call((self.test, list(self.names), known))),)
        wanted = _wanted(turns[-1])
        if wanted is None or len(turns) >= 2 * MOST_CALLS:
            return ()
        return (Run(Program(self.solution, wanted.name), wanted.call),)

    def _likely_done(self, outcomes: Sequence[Outcome]) -> int:
        """How many of the likely calls run before the test does: more with each success, none after a failure."""
        begun = 0
        while begun < len(self.likely) and not (begun and any(map(_ends, outcomes[:begun]))):
            begun = min(len(self.likely), FIRST_TESTS + 2 * begun)
            if begun > len(outcomes):
                break
        return begun

    def asked(self, outcomes: Sequence[Outcome]) -> list[Asked]:
        """The calls that outcomes are of, the likely ones first."""
        begun = self._likely_done(outcomes)
        wanted = [_wanted(each) for each in outcomes[begun::2]]
        return [*self.likely[:begun], *(each for each in wanted if each is not None)]

    def _answers(self, outcomes: Sequence[Outcome]) -> dict[str, Outcome]:
        """By the calls' texts."""
        begun = self._likely_done(outcomes)
        answers = (*outcomes[:begun], *outcomes[begun + 1 :: 2])
        return {each.text: outcome for each, outcome in zip(self.asked(outcomes), answers, strict=False)}

    def result(self, outcomes: Sequence[Outcome]) -> Result:
        """What the sample comes to. The outcomes end where `further` said so."""
        last, turns = outcomes[-1], len(outcomes) - self._likely_done(outcomes)
        is_of_test = bool(turns % 2)
        if not is_of_test and not (turns and _ends(last)):
            return Result("output-limit", f"the test would need more than {MOST_BYTES >> 10} KiB of returned values", last)
        if not is_of_test or not last.ok:
            return Result("runtime-error" if last.kind == "exception" else last.kind, last.describe(), last)
        if "wanted" in last.value:
            return Result("wrong-answer", f"the test makes more than {MOST_CALLS:,} calls", last)
        end, raised = last.value["end"], last.value["raised"]
        if not end:
            return Result("accepted", "", last)
        if raised is not None:
            outcome = self._answers(outcomes)[raised]
            return Result("runtime-error", outcome.describe(), outcome)
        return Result("wrong-answer", end, last)


def _wanted(outcome: Outcome) -> Asked | None:
    """The call that a run of the test ended with."""
    wanted = outcome.value.get("wanted") if outcome.ok else None
    return None if wanted is None else Asked(outcome.value["text"], wanted[0], Call(tuple(wanted[1]), wanted[2]))


def _ends(outcome: Outcome) -> bool:
    """Whether a call of the solution came to what no test can go on from: a limit, an exit, a fatal signal."""
    if outcome.exception is not None:
        return outcome.exception.type.startswith("SIG")
    return not outcome.ok


def _is_too_much(outcomes: Sequence[Outcome]) -> bool:
    """Whether the values so far, the test's own questions among them, are more than a call of the test should carry."""
    try:
        values.encode([each.value for each in outcomes if each.ok], tagged=True, max_bytes=MOST_BYTES)
    except values.TooLong:
        return True
    return False


def _known(outcome: Outcome) -> tuple[str, Any]:
    if outcome.exception is not None:
        return "raised", (outcome.exception.type, outcome.exception.message)
    return "value", outcome.value


def _never(_values: Sequence[Any]) -> str:
    return "judged by its dialogue"


def proven_apart(executor: AnyExecutor, dialogues: Iterable[tuple[str, Dialogue]]) -> dict[str, tuple[Asked, ...]]:
    """Of those that pass with the problem's own solution in them, by key, the calls that were made."""
    attempts = (Attempt(Plan([dialogue.as_test()]), (key, dialogue)) for key, dialogue in dialogues)
    found: dict[str, tuple[Asked, ...]] = {}
    for attempt in run_attempts(executor, attempts):
        key, dialogue = attempt.tag
        if attempt.finished_results()[0].passed:
            found[key] = tuple(dialogue.asked(attempt.outcomes_of(0)))
    return found
