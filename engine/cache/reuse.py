"""What a stream need not execute: what the cache holds, and what an identical call before it in the stream came to.

One rule for both (outcomes.py): a value or an exception of a program that names neither clock nor chance, reached by one
undisturbed run. A call that is identical to one under way waits for it; where that one's answer may not be shared, those that
wait are executed like any other.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from ..pool.answer import Answer
from ..pool.job import Job
from .outcomes import Memory, may_be_kept, may_be_shared

MOST_CALLS = 16_384
MOST_BYTES = 16 << 20
"""Of the calls and answers that a stream remembers; what was met longest ago goes first."""


@dataclass(slots=True)
class Spared:
    """Calls of all streams of an executor that were not executed."""

    recalled: int = 0
    """Answered by the cache."""
    shared: int = 0
    """Answered by an identical call of the same stream."""


class Found(Enum):
    NOTHING = "execute it"
    ANSWER = "the answer is in place"
    TWIN = "an identical call is under way; `settle` of that one says what comes of it"


Believes = Callable[[Job, Answer], bool]
_Key = tuple[str, int, bytes]


class Reuse:
    """Of one stream, in its consumer's thread."""

    def __init__(self, memory: Memory | None, shares: bool, spared: Spared, lock: threading.Lock) -> None:
        self._memory, self._shares, self._spared, self._lock = memory, shares, spared, lock
        self.keeps, self.shares = memory is not None, shares
        """Whether `keep` and `settle` have anything to do."""
        self._known: OrderedDict[_Key, Job | Answer] = OrderedDict()
        """A call under way, or what it came to."""
        self._bytes = 0
        self._behind: dict[Job, list[Job]] = {}
        """A call under way -> those that wait for it."""
        self._waiting: set[Job] = set()
        self._recalled: set[Job] = set()

    def find(self, job: Job, believes: Believes) -> Found:
        """`believes` says whether a known answer may stand for this job: one that a unit gave may for some jobs only."""
        if not (self._shares or self._memory is not None) or not may_be_kept(job):
            return Found.NOTHING
        key = (job.program.id, job.options, job.call)
        if self._shares:
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
                if not isinstance(known, Job):
                    if not believes(job, known):
                        self._forget(key)
                        self._remember(key, job, len(job.call))
                        return Found.NOTHING
                    self._share(job, known)
                    return Found.ANSWER
                self._behind.setdefault(known, []).append(job)
                self._waiting.add(job)
                return Found.TWIN
        if self._memory is not None and (answer := self._memory.recall(job)) is not None and believes(job, answer):
            job.answer = answer
            self._recalled.add(job)
            with self._lock:
                self._spared.recalled += 1
            return Found.ANSWER
        if self._shares:
            self._remember(key, job, len(job.call))
        return Found.NOTHING

    def settle(self, job: Job, believes: Believes) -> tuple[list[Job], list[Job]]:
        """The job's answer is there: of those that waited for it, who has it now, and who must be executed."""
        if not self._shares or job in self._recalled or not may_be_kept(job):
            return [], []
        answer, key = job.answer, (job.program.id, job.options, job.call)
        may = answer is not None and may_be_shared(answer)
        if self._known.get(key) is job:
            self._forget(key)
            if may:
                assert answer is not None
                self._remember(key, answer, len(job.call) + answer.size())
        behind = self._behind.pop(job, [])
        self._waiting.difference_update(behind)
        if not may:
            return [], behind
        assert answer is not None
        answered: list[Job] = []
        left: list[Job] = []
        for one in behind:
            (answered if believes(one, answer) else left).append(one)
        for one in answered:
            self._share(one, answer)
        if left:  # a unit's answer, which is not accepted for these: one of them is executed for all
            first, *others = left
            if key in self._known:
                self._forget(key)
            self._remember(key, first, len(job.call))
            self._behind[first] = others
            self._waiting.update(others)
        return answered, left[:1]

    def keep(self, job: Job) -> None:
        """In the cache, for later runs."""
        if self._memory is None:
            return
        if job in self._recalled:
            self._recalled.discard(job)
        elif job.answer is not None:
            self._memory.keep(job, job.answer)

    def take_back(self, job: Job) -> None:
        """The answer that it has is not believed any more."""
        self._recalled.discard(job)

    def waits(self, job: Job) -> bool:
        """Whether the pool has never seen it."""
        return job in self._waiting

    def _share(self, job: Job, answer: Answer) -> None:
        job.answer = answer
        if self._memory is not None:
            self._recalled.add(job)  # the cache has it already
        with self._lock:
            self._spared.shared += 1

    def _remember(self, key: _Key, what: Job | Answer, size: int) -> None:
        if size > MOST_BYTES // 16:
            return
        self._known[key] = what
        self._bytes += size
        while len(self._known) > MOST_CALLS or self._bytes > MOST_BYTES:
            self._forget(next(iter(self._known)))

    def _forget(self, key: _Key) -> None:
        what = self._known.pop(key)
        self._bytes -= len(key[2]) + (0 if isinstance(what, Job) else what.size())
