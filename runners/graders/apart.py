"""A test that cannot be lifted, judged apart from its solution all the same: two processes that exchange plain values.

The test runs in a jail without the solution until it needs a value of the solution's (inside/apart.py). The solution is called
in a process of its own, as in a lifted check, and the test begins anew with that value, until it comes to its end. So tests
that pass a value on, loop over one or handle exceptions are decided where no solution can reach.

Two ways. With plain values the solution's functions are called as everywhere. With objects (`objects`) questions and answers
carry objects of the solution's own classes as their attributes, and what a call changes in place (inside/answer.py). Only a
problem whose own solution passes one of the two ways is judged so, the first of them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
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
    """A call that a test makes, or another question; `text` is how the test's process tells it from others."""

    text: str
    name: str
    call: Call


@dataclass(frozen=True, slots=True)
class Apart:
    """How a problem's test is judged apart, and what it asked the problem's own solution."""

    likely: tuple[Asked, ...]
    objects: bool = False


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Holds no state: everything follows from the outcomes so far. The first are of the calls that are likely, the others of
    the test and of the solution in turn."""

    solution: str
    test: str
    names: tuple[str, ...]
    """The functions under test."""
    given: str = ""
    """The prompt's own definitions, which the test uses as they are, whatever the solution makes of them."""
    likely: tuple[Asked, ...] = ()
    """What the test asked the problem's own solution. A right one is mostly asked the same, so that is done first."""
    objects: bool = False

    def as_test(self) -> Test:
        return Test(NAME, self.further(()), _never, dialogue=self)

    def further(self, outcomes: Sequence[Outcome]) -> tuple[Run, ...]:
        """What has to run next; nothing where the last outcome ends it."""
        begun = self._likely_done(outcomes)
        if len(outcomes) < begun:
            return tuple(map(self._asking, self.likely[len(outcomes) : begun]))
        turns = outcomes[begun:]
        if not len(turns) % 2:
            if (turns and self._ends(turns[-1])) or _is_too_much(outcomes):
                return ()
            known = [self._known(text, each) for text, each in self._answers(outcomes).items() if not self._ends(each)]
            test = inside("apart_objects" if self.objects else "apart", "go_on")
            return (Run(test, Call((self.test, self.given, list(self.names), known))),)
        wanted = self._wanted(turns[-1])
        if wanted is None or len(turns) >= 2 * MOST_CALLS:
            return ()
        return (self._asking(wanted),)

    def _asking(self, asked: Asked) -> Run:
        if self.objects:
            return Run(inside("answer", "answer"), Call((self.given, self.solution, *asked.call.args)))
        return Run(Program(self.solution, asked.name), asked.call)

    def _likely_done(self, outcomes: Sequence[Outcome]) -> int:
        """How many of the likely calls run before the test does: more with each success, none after a failure."""
        begun = 0
        while begun < len(self.likely) and not (begun and any(map(self._ends, outcomes[:begun]))):
            begun = min(len(self.likely), FIRST_TESTS + 2 * begun)
            if begun > len(outcomes):
                break
        return begun

    def asked(self, outcomes: Sequence[Outcome]) -> list[Asked]:
        """The calls that outcomes are of, the likely ones first."""
        begun = self._likely_done(outcomes)
        wanted = [self._wanted(each) for each in outcomes[begun::2]]
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
        if not is_of_test and not (turns and self._ends(last)):
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

    def _wanted(self, outcome: Outcome) -> Asked | None:
        """The call that a run of the test ended with."""
        wanted = outcome.value.get("wanted") if outcome.ok else None
        if wanted is None:
            return None
        return self.question(outcome.value["text"], wanted)

    def question(self, text: str, wanted: Sequence[Any]) -> Asked:
        """A question in the form in which a test's process asks it."""
        if self.objects:
            return Asked(text, wanted[0], Call(tuple(wanted)))
        return Asked(text, wanted[0], Call(tuple(wanted[1]), wanted[2]))

    def collecting(self) -> Run:
        """The run that tells the likely questions, with this dialogue's solution, which must be the problem's own."""
        test = inside("apart_objects" if self.objects else "apart", "collect")
        return Run(test, Call((self.test, self.given, list(self.names), self.solution)))

    def _ends(self, outcome: Outcome) -> bool:
        """Whether a call of the solution came to what no test can go on from: a limit, an exit, a fatal signal. Among answers
        with objects an exception of a call is an answer, and any other means that there is none."""
        if outcome.exception is not None:
            return self.objects or outcome.exception.type.startswith("SIG")
        return not outcome.ok

    def _known(self, text: str, outcome: Outcome) -> tuple[Any, ...]:
        """As the test's process takes it."""
        if self.objects:
            return text, outcome.value
        if outcome.exception is not None:
            return text, "raised", (outcome.exception.type, outcome.exception.message)
        return text, "value", outcome.value


def _is_too_much(outcomes: Sequence[Outcome]) -> bool:
    """Whether the values so far, the test's own questions among them, are more than a call of the test should carry."""
    try:
        values.encode([each.value for each in outcomes if each.ok], tagged=True, max_bytes=MOST_BYTES)
    except values.TooLong:
        return True
    return False


def _never(_values: Sequence[Any]) -> str:
    return "judged by its dialogue"


def proven_apart(executor: AnyExecutor, dialogues: Iterable[tuple[str, Dialogue]]) -> dict[str, Apart]:
    """Of those that pass with the problem's own solution in them, by key, the way, and the questions that were asked."""
    waiting = dict(dialogues)
    found: dict[str, Apart] = {}
    for objects in (False, True):
        ways = [(key, replace(each, objects=objects)) for key, each in waiting.items() if key not in found]
        attempts = [Attempt(Plan([way.as_test()]), (key, way)) for key, way in _with_likely(executor, ways)]
        for attempt in run_attempts(executor, attempts):
            key, way = attempt.tag
            if attempt.finished_results()[0].passed:
                found[key] = Apart(tuple(way.asked(attempt.outcomes_of(0))), objects)
    return found


def _with_likely(executor: AnyExecutor, ways: Iterable[tuple[str, Dialogue]]) -> Iterator[tuple[str, Dialogue]]:
    """With the questions that a test asks where the problem's own solution is in its process, so that they need no turns. A
    hint, and no proof: what is asked then is asked again, apart."""
    runs = ((way.collecting(), (key, way)) for key, way in ways)
    for outcome, (key, way) in executor.run_many((run.program, run.call, tag) for run, tag in runs):
        found = outcome.value if outcome is not None and outcome.ok else []
        likely = {text: way.question(text, wanted) for text, wanted in found[:MOST_CALLS]}
        yield key, replace(way, likely=tuple(likely.values()))
