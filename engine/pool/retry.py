"""When a check runs again, and what its runs amount to: all rules of repetition, without I/O and without a clock.

    what happened                                 what follows
    --------------------------------------------  --------------------------------------------------------------
    a worker died under it                        once more, alone on a fresh worker; the second time it is `denied`,
                                                  or memory-limit where the worker said so
    its worker was killed from outside            the same again, up to thirty times, then `engine-error`: on a busy machine
                                                  runs are long, and each is the likelier hit
    it alone, and memory had run out              the same again; the fifth time in a row `engine-error`. Evidence: it ran alone
                                                  on a worker of its own, the kernel killed for memory meanwhile, and
                                                  no other worker of the pool was killed
    the host let its worker start no process      the same again, up to five times, then `engine-error`
    SIGKILL ended its own process                 again, alone, up to three runs; then it is the program's own doing:
                                                  a program that kills itself does it each time
    a limit on time, in doubt                     once more, alone, behind other work (see below)
    a wrong value of a program that may vary      once more before it is quoted (`may_vary`, `varies`)
    a worker died under a unit                    each of its checks alone, as if the unit had never been (LOST_UNIT)
    a unit's answer is not accepted               the check alone (engine/units.py)
    two runs of a proof agree, and luck may be    further seeds (`proof_needs`)
    the reason
    anything else                                 it stands

Processor time does not depend on waiting, yet a busy machine's colder caches make the same work cost more of it, so a check
whose need lies near its limit could get another word on another day. The zygote says which limits are in doubt (decision
0025). Where the two runs disagree, the one that came to an end by itself stands, because it shows that the limit
suffices; the disagreement is counted and kept in the Outcome.
"""

import functools
import re
from collections.abc import Callable, Iterable
from enum import Enum
from typing import NamedTuple

from reexec.policies.comparison import ComparisonRule

from ..judging.compare import compare
from ..outcome import Outcome, OutcomeKind
from ..protocol import claim
from ..protocol.endings import WorkerEnd
from .answer import KILLED, UNIT, Answer, of_the_host

DEATHS_BELIEVED = 2
KILLS_BELIEVED = 3
OUTSIDE_KILLS_ALLOWED = 30
MEMORY_KILLS_BELIEVED = 5
REFUSED_FORKS_ALLOWED = 5
_TIMED = ("cpu-limit", "wall-limit")
TO_BE_RULED = frozenset((*_TIMED, KILLED))
"""Kinds of answers that may not stand; every other one stands, unless the check has a history."""


LOST_UNIT = Answer(UNIT, flags=claim.KILLED)
"""What is said of a unit whose worker died under it: it answered nothing, and nothing is held against its checks."""


class Rerun(Enum):
    ALONE = "next, alone on a worker"
    FRESH = "next, alone on a worker that has run nothing else"
    LATER = "alone on a worker, behind other work"


class Ruling(NamedTuple):
    """Either an answer that stands or how to run again; and the names of the statistics that count it."""

    answer: Answer | None
    rerun: Rerun | None = None
    counts: tuple[str, ...] = ()


class History:
    """What has become of one check so far. Made when the first thing happens to it."""

    __slots__ = ("deaths", "first", "kills", "memory_kills", "outside_kills", "refused_forks")

    def __init__(self) -> None:
        self.deaths = 0
        self.outside_kills = 0
        self.memory_kills = 0
        """Of these the last ones, in a row, that came as memory had run out and hit its worker only."""
        self.refused_forks = 0
        self.kills = 0
        """Runs that ended by SIGKILL to the process of the check itself."""
        self.first: Answer | None = None
        """The limit on time that a second run is to confirm."""

    @property
    def needs_fresh_worker(self) -> bool:
        """Whether a worker died under it: the next one must have run nothing else. Alone is enough for a confirmation."""
        return self.deaths + self.outside_kills + self.refused_forks > 0

    def answered(self, answer: Answer) -> Ruling:
        if answer.kind == KILLED:
            self.kills += 1
            if self.kills < KILLS_BELIEVED:
                return Ruling(None, self._next(), ("kills_repeated",))
        elif self.first is None and answer.kind in _TIMED and answer.flags & claim.IN_DOUBT:
            self.first = answer
            return Ruling(None, Rerun.LATER)
        return self._stands(answer)

    def died(self, end: WorkerEnd, from_outside: bool, words: str, *, memory_ran_out: bool = False) -> Ruling:
        """Its worker ended while it ran. `words` are for a person. `memory_ran_out`: the kernel killed for memory since this
        worker was started, and no other worker was killed; believed of a worker that ran nothing else."""
        if from_outside:
            self.memory_kills = self.memory_kills + 1 if memory_ran_out and self.needs_fresh_worker else 0
            self.outside_kills += 1
            if self.memory_kills >= MEMORY_KILLS_BELIEVED:
                detail = f"in each of its last {self.memory_kills} runs this host's memory ran out and its worker was killed"
                return self._stands(of_the_host("engine-error", detail), "retried")
            if self.outside_kills <= OUTSIDE_KILLS_ALLOWED:
                return Ruling(None, Rerun.FRESH, ("retried",))
            detail = f"its workers were killed from outside {self.outside_kills} times"
            return self._stands(of_the_host("engine-error", detail), "retried")
        if end is WorkerEnd.CANNOT_FORK:
            self.refused_forks += 1
            if self.refused_forks <= REFUSED_FORKS_ALLOWED:
                return Ruling(None, Rerun.FRESH, ("retried",))
            return self._stands(of_the_host("engine-error", f"{words} (`ulimit -u`, pids.max)"), "retried")
        self.deaths += 1
        if self.deaths < DEATHS_BELIEVED:
            return Ruling(None, Rerun.FRESH, ("retried",))
        kind: OutcomeKind = "memory-limit" if end is WorkerEnd.OUT_OF_MEMORY else "denied"
        detail = f"the program ended its worker twice ({words})"
        return self._stands(of_the_host(kind, detail), "retried", "worker_kills")

    def _next(self) -> Rerun:
        return Rerun.FRESH if self.needs_fresh_worker else Rerun.ALONE

    def _stands(self, answer: Answer, *counts: str) -> Ruling:
        if self.first is None:
            return Ruling(answer, None, counts)
        settled = settle(self.first, answer)
        return Ruling(settled, None, (*counts, "limit_disagreements" if settled.disagreed_with else "limits_confirmed"))


def settle(first: Answer, second: Answer) -> Answer:
    """What a limit on time and the run that was to confirm it amount to."""
    if second.kind == first.kind:
        return second
    if second.kind in _TIMED or second.kind == "engine-error":
        return first._replace(disagreed_with=second.kind)
    return second._replace(disagreed_with=first.kind)


# -- values that vary -----------------------------------------------------------------------------------------

MAY_VARY = re.compile(
    r"\b(?:time|datetime|date|today|now|secrets|uuid\w*|urandom|SystemRandom|random\w*|rand\w*|default_rng|getpid|os|id|hash|"
    r"perf_counter|monotonic|shuffle|choices?|sample)\b"
)
"""Programs that name none of these read neither clock nor chance: they are spared the watching, which makes them slower, and a
second run before a wrong value is quoted."""


@functools.lru_cache(4096)
def may_vary(source: str) -> bool:
    """Whether a value of this program may come out differently when it is asked for again."""
    return MAY_VARY.search(source) is not None


def varies(first: Outcome, again: Outcome, rule: ComparisonRule) -> bool:
    """Whether a second run did not give the value of the first: then it must not be quoted."""
    return not (again.ok and compare(again.value, first.value, rule).equal)


class Proof(Enum):
    HOLDS = "two runs are enough"
    MORE_SEEDS = "it must hold under further seeds"
    CANNOT_HOLD = "no number of runs would do"


def proof_needs(*, draws: bool, reads_clock: bool, sibling_varies: bool, unordered: bool) -> Proof:
    """What a pair needs whose first two runs agree, perhaps by luck. `draws`: the call reads random numbers; `sibling_varies`:
    another pair of its function differed between its runs; `unordered`: the result may hang on the order of a set."""
    if draws and sibling_varies:
        return Proof.CANNOT_HOLD
    return Proof.MORE_SEEDS if draws or reads_clock or sibling_varies or unordered else Proof.HOLDS


def first_that_differs(outcomes: Iterable[Outcome], same: Callable[[Outcome], bool]) -> Outcome | None:
    """Of runs under further seeds, the one that ends a proof; None where all of them give the value again."""
    return next((outcome for outcome in outcomes if not (outcome.ok and same(outcome))), None)
