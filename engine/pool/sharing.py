"""Which checks may share a fork, how many of them, and what is known of their programs: rules without I/O and without a clock.

A check shares a fork only where nothing of it but a value is asked for, and where no two runs of it can differ:

    a check is run in a fork of its own where             because
    ----------------------------------------------------  -----------------------------------------------------------
    `execution` is `call`                                 the policy says so
    nobody judges its value as it comes                   only an `accepted` of a unit is believed
    what it prints is kept                                all calls of a unit print into one place
    the policy grants a writable folder, or processes     they would stay for the next call
    clocks or entropy are the policy's                    each call of a proof has to see them from their beginning
    addresses are drawn                                   the same
    it is a script, or a method of a new instance         a unit calls functions
    it watches its arguments or sources                   a unit answers with values alone
    its call or its program is long                       a fork is nothing beside it
    its program may vary (`retry.may_vary`)               a value that was not accepted is asked for again, and a program
                                                          that answers by chance must not get two tries
    its program was refused, or is believed no more       see docs/decisions/0051
    its calls take so long that a fork is nothing         (`auto` only)
    fewer than FEWEST of its program wait                 a unit must be worth its own fork and a confirmation's
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from reexec.policies.model import Execution, Policy

from ..protocol import claim, frames, unit
from .answer import UNIT, Answer
from .job import Job
from .retry import may_vary

FEWEST = {Execution.AUTO: 8, Execution.BATCH: 2}
"""Checks of one program that must wait for a unit to be made: reading its tree costs about three forks, and a unit one for
itself and one for a confirmation."""
FIRST_UNIT = 32
"""Calls of a program's first unit, of which nothing is known."""
MOST_CALLS = 256
MOST_BYTES = 256 << 10
"""Of the calls of one unit."""
MOST_SOURCE = 20_000
"""Characters of a program: reading its tree takes longer than a few forks."""
UNIT_US = 20_000
"""Processor time that a unit should take: others wait for it as they wait for a check."""
SLOW_US = 5_000
"""A call that takes longer does not notice its fork."""
CONFIRMED = 0.01
"""Of the accepted answers."""
_MOST_CALL = MOST_BYTES // 4
_REMEMBERED = 1 << 16
_OPTIONS = frames.PYTHON_VALUES | frames.TAGGED_CALL


_new = tuple.__new__


class Shared(NamedTuple):
    """What a unit knows of one of its calls."""

    kind: str
    payload: bytes
    cpu_us: int
    """Its share of what the unit used."""


class End(Enum):
    WHOLE = "all calls were answered"
    SPLIT = "it ended at a call that must be run alone; the others may try once more"
    REFUSED = "the program's checks do not share a fork"
    LOST = "its process or its worker was killed, perhaps from outside"
    DISTRUSTED = "nothing that it said is believed"


class Split(NamedTuple):
    end: End
    answered: list[Shared]
    """Of the first calls, in order."""
    running: int
    """The number of the call that was running where the unit ended early."""


_SPLITS = frozenset(
    claim.BYTE_OF[word] for word in ("early-exit", "output-limit", "memory-limit", "process-limit", "exception")
) | {number for number, word in claim.WORDS.items() if word in ("cpu-limit", "wall-limit")}


def split(answer: Answer, number: int) -> Split:
    """What an answer to a unit of so many calls amounts to. Total: what does not fit is not believed."""
    if answer.kind != UNIT:
        return Split(End.DISTRUSTED, [], 0)
    if answer.flags in (unit.REFUSED, claim.KILLED):
        return Split(End.REFUSED if answer.flags == unit.REFUSED else End.LOST, [], 0)
    try:
        claims = unit.answers(answer.payload)
    except ValueError:
        return Split(End.DISTRUSTED, [], 0)
    running = unit.running(answer.note)
    if answer.flags == 0:
        end = End.WHOLE if len(claims) == number else End.DISTRUSTED
    else:
        fits = answer.flags in _SPLITS and len(claims) <= number and running < number
        end = End.SPLIT if fits else End.DISTRUSTED
    if end is End.DISTRUSTED:
        return Split(end, [], 0)
    share_us = answer.cpu_us // max(1, len(claims))
    words = claim.WORDS
    return Split(end, [_new(Shared, (words[kind], payload, share_us)) for kind, _, payload in claims], running)


def policy_shares(policy: Policy) -> str:
    """Why no check under this policy shares a fork; empty where some do."""
    limits, determinism = policy.limits, policy.determinism
    table = (
        (policy.execution is Execution.CALL, "the policy says call"),
        (limits.capture_bytes > 0, "what is printed is kept"),
        (limits.scratch_bytes > 0, "a writable folder"),
        (limits.processes > 1, "several processes"),
        (determinism.clock_shift_s != 0, "clocks that are ahead"),
        (determinism.entropy_seed is not None, "seeded entropy"),
        (not determinism.fixed_addresses, "addresses that are drawn"),
    )
    return next((reason for holds, reason in table if holds), "")


def check_shares(job: Job) -> str:
    """Why this check does not share a fork, whatever is known of its program; empty where it may."""
    table = (
        (job.stdin is not None or bool(job.options & frames.SCRIPT), "a script"),
        (bool(job.options & ~_OPTIONS), "more than a value is asked for"),
        (len(job.call) > _MOST_CALL, "a long call"),
        ("." in job.program.entry, "a method"),
        (len(job.program.source) > MOST_SOURCE, "a long program"),
        (may_vary(job.program.source), "a program that may vary"),
    )
    return next((reason for holds, reason in table if holds), "")


def _call_shares(job: Job) -> bool:
    """Of a program of which one check may share already, this check as well: what `check_shares` asks of the check alone."""
    return len(job.call) <= _MOST_CALL and not job.options & ~_OPTIONS and job.stdin is None


class _Known:
    """Of one program."""

    __slots__ = ("mean_us", "refused")

    def __init__(self) -> None:
        self.refused = False
        self.mean_us: float | None = None
        """Processor time of a call, as units tell it."""


class Sharing:
    """What an executor knows of its programs; used by the threads of all its consumers."""

    def __init__(self, policy: Policy) -> None:
        self.execution = policy.execution
        self.is_off = bool(policy_shares(policy))
        self._fewest = FEWEST.get(policy.execution, 0)
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._distrusted: set[str] = set()
        self.changes = 0
        """Grows with every program that is believed no more."""
        self._lock = threading.Lock()
        self.counts: dict[str, int] = dict.fromkeys(("units", "unit_confirmations", "unit_disagreements"), 0)

    def shares(self, job: Job) -> bool:
        """Whether the check may wait for others of its program."""
        if self.is_off or job.program.id in self._distrusted:
            return False
        known = self._known.get(job.program.id)
        if known is None:
            if check_shares(job):
                return False
            with self._lock:
                known = self._known[job.program.id] = _Known()
                if len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
            return True
        return not known.refused and not self._is_slow(known) and _call_shares(job)

    def _is_slow(self, known: _Known) -> bool:
        return self.execution is Execution.AUTO and known.mean_us is not None and known.mean_us > SLOW_US

    def fewest(self) -> int:
        """So many checks of a program make a unit."""
        return self._fewest

    def most(self, program_id: str) -> int:
        """Calls in one unit of this program."""
        known = self._known.get(program_id)
        if known is None or known.mean_us is None:
            return FIRST_UNIT
        return max(self._fewest, min(MOST_CALLS, int(UNIT_US / max(1.0, known.mean_us))))

    def refuse(self, program_id: str) -> None:
        """The zygote has looked at it and said no."""
        with self._lock:
            self._known.setdefault(program_id, _Known()).refused = True

    def distrust(self, program_id: str) -> None:
        """It answered one thing in a unit and another one alone, or wrote what no honest child writes."""
        with self._lock:
            if program_id not in self._distrusted:
                self._distrusted.add(program_id)
                self.changes += 1
                self.counts["unit_disagreements"] += 1

    def is_believed(self, program_id: str) -> bool:
        return program_id not in self._distrusted

    def used(self, program_id: str, cpu_us: int, calls: int) -> None:
        """A unit of so many calls took so long."""
        known = self._known.get(program_id)
        if known is not None and calls:
            mean = cpu_us / calls
            known.mean_us = mean if known.mean_us is None else known.mean_us + (mean - known.mean_us) * 0.3

    def count(self, name: str, number: int = 1) -> None:
        with self._lock:
            self.counts[name] += number


def is_same(shared: Shared, alone: Answer) -> bool:
    """Whether a call said in its unit what it said alone. Texts of exceptions may name addresses, and are never accepted."""
    if shared.kind != "value" and alone.kind != "value":
        return True
    return shared.kind == alone.kind and shared.payload == alone.payload


def pack(jobs: Sequence[Job]) -> bytes:
    """The calls of a unit as its frame carries them."""
    return unit.pack_calls([job.call for job in jobs])
