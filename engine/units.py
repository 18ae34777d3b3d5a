"""Checks of one stream that share forks: gathers them, judges what their unit answered, asks again where it is not accepted.

Runs in the consumer's thread, beside Stream, which owns the jobs. A member of a unit is finished when it has an answer: its
unit's, where that is accepted and nothing speaks against it, else that of a run of its own. docs/decisions/0051 says what
happens when; engine/pool/sharing.py has the rules.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator

from .outcome import Outcome
from .pool.answer import Answer, of_unit
from .pool.job import Caller, Job
from .pool.sharing import CONFIRMED, MOST_BYTES, End, Shared, Sharing, Split, is_same, pack, split

_MOST_PROGRAMS = 1 << 16
UNIT_OPTIONS = 0
"""Of a unit's frame, beside those of its calls. Tests make programs share against the rule."""


class Draw:
    """Which checks are confirmed, CONFIRMED of all. A digest over the calls that a stream has read says how many are passed
    over until the next one: the same from run to run, and not to be computed inside the jail, which sees one unit's calls."""

    __slots__ = ("_left", "_read")

    def __init__(self) -> None:
        self._read = hashlib.blake2b(digest_size=8)
        self._left = 0

    def takes(self, program: str, call: bytes) -> bool:
        """Whether this check, the next one that the stream has read, is drawn."""
        self._read.update(call)
        if not self._left:
            self._read.update(program.encode())
            drawn = int.from_bytes(self._read.digest(), "little") + 1
            self._left = 1 + int(math.log(drawn / (1 << 64)) / math.log(1 - CONFIRMED))
        self._left -= 1
        return not self._left


class _Group:
    """Checks of one program that wait for each other."""

    __slots__ = ("bytes", "jobs", "most")

    def __init__(self, most: int) -> None:
        self.jobs: list[Job] = []
        self.bytes = 0
        self.most = most
        """So many make a unit."""


class _Program:
    """What this stream has seen of a program."""

    __slots__ = ("confirmation", "waiting")

    def __init__(self) -> None:
        self.confirmation: bool | None = None
        """Whether the first one has come back; None until it is asked for."""
        self.waiting: list[_Run] = []
        """Units that are done but for it."""


class _Run:
    """One unit whose answers are looked at: what it holds back, and for how many runs alone."""

    __slots__ = ("confirms", "held", "open", "program")

    def __init__(self, program: str) -> None:
        self.program = program
        self.held: list[tuple[Job, Answer]] = []
        self.open = 0
        self.confirms = False
        """Whether the first confirmation of its program is among those."""


class Units:
    """`accepts(job, outcome)` judges a value; `submit` sends jobs whose `deliver` brings them back to `answered`; `let_go` is
    told of bytes that are not held any more."""

    def __init__(
        self, sharing: Sharing, caller: Caller, deliver: Callable[[Job], None], submit: Callable[[list[Job]], None],
        decode: Callable[[Job, Answer], Outcome], accepts: Callable[[Job, Outcome], bool], let_go: Callable[[int], None],
    ) -> None:  # fmt: skip
        self._sharing, self._caller, self._deliver, self._submit = sharing, caller, deliver, submit
        self._decode, self._accepts, self._let_go = decode, accepts, let_go
        self._groups: dict[tuple[str, int], _Group] = {}
        self._programs: dict[str, _Program] = {}
        self._carriers: dict[Job, Job] = {}
        """Member -> the job that runs it now."""
        self._alone: dict[Job, tuple[Job, Shared | None, _Run | None]] = {}
        """A run alone -> its member, what the unit had said, and the unit that waits for it."""
        self._on_their_way: set[Job] = set()
        self.in_flight = 0
        """Members of units that are on their way."""
        self._draw = Draw()
        self._drawn: set[Job] = set()
        self._to_send: list[Job] = []

    # -- in ---------------------------------------------------------------------------------------------------

    def takes(self, job: Job) -> bool:
        """Whether the check waits here for others of its program; otherwise it is the stream's to send."""
        if not self._sharing.shares(job):
            return False
        program = job.program.id
        if self._draw.takes(program, job.call):
            self._drawn.add(job)
        key = program, job.options
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(self._sharing.most(program))
        group.jobs.append(job)
        group.bytes += len(job.call)
        if len(group.jobs) >= group.most or group.bytes >= MOST_BYTES:
            del self._groups[key]
            self._to_send += self._of_group(group.jobs)
        return True

    def oldest(self) -> Job | None:
        """The check that waits here for longest."""
        for group in self._groups.values():
            return group.jobs[0]
        return None

    def send_oldest(self) -> None:
        """However few of its program wait: somebody waits for it, or there is nothing else to do."""
        key = next(iter(self._groups))
        self._to_send[:0] = self._of_group(self._groups.pop(key).jobs)

    def full(self) -> list[Job]:
        """What is to be sent now."""
        sent, self._to_send = self._to_send, []
        return sent

    def all(self) -> list[Job]:
        """The same, however few of a program wait."""
        groups, self._groups = self._groups, {}
        for group in groups.values():
            self._to_send += self._of_group(group.jobs)
        return self.full()

    @property
    def gathers(self) -> bool:
        """Whether anything waits here."""
        return bool(self._groups)

    def _of_group(self, jobs: list[Job]) -> Iterator[Job]:
        if len(jobs) < self._sharing.fewest():
            yield from (self._run_alone(job, None, None, 0, 1) for job in jobs)
        else:
            yield self._unit(jobs)

    def _unit(self, jobs: list[Job], runs: int = 0) -> Job:
        first = jobs[0]
        made = Job(first.program, pack(jobs), first.options | UNIT_OPTIONS, self._deliver, self._caller)
        made.members, made.shared_runs, made.checks = tuple(jobs), runs, 0 if runs else len(jobs)
        for job in jobs:
            self._carriers[job] = made
        self._on_their_way.add(made)
        self.in_flight += len(jobs)
        self._sharing.count("units")
        return made

    def _run_alone(self, job: Job, shared: Shared | None, run: _Run | None, runs: int = 1, checks: int = 0) -> Job:
        """A run of the check's own. `runs`: units that have run it in vain just now. `checks`: as Job's."""
        job.shared_runs += runs
        alone = Job(job.program, job.call, job.options, self._deliver, self._caller, job.item)
        alone.shared_runs, alone.checks = job.shared_runs, checks
        self._alone[alone] = job, shared, run
        self._carriers[job] = alone
        self._on_their_way.add(alone)
        if run is not None:
            run.open += 1
        return alone

    def carrier_of(self, job: Job) -> Job:
        """What the consumer really waits for when it waits for `job`."""
        return self._carriers.get(job, job)

    def on_their_way(self) -> Iterable[Job]:
        return self._on_their_way

    # -- out --------------------------------------------------------------------------------------------------

    def answered(self, carrier: Job) -> list[Job]:
        """A unit or a run alone has come back: the checks that are finished by that. None of another job."""
        self._on_their_way.discard(carrier)
        done: list[Job] = []
        if carrier.members:
            self.in_flight -= len(carrier.members)
            self._unit_answered(carrier, done)
        else:
            self._alone_answered(carrier, done)
        if self._to_send:
            self._submit(self.full())
        return done

    def believes(self, job: Job) -> bool:
        """Whether answers that units gave for its program are believed."""
        return self._sharing.is_believed(job.program.id)

    def owns(self, job: Job) -> bool:
        return job in self._on_their_way

    def _unit_answered(self, carrier: Job, done: list[Job]) -> None:
        answer, members, program = carrier.answer, carrier.members, carrier.program.id
        assert answer is not None
        if answer.kind == "engine-error":
            self._let_go(carrier.held_bytes)
            for job in members:
                self._finish(job, answer, 0, done)
            return
        found = split(answer, len(members))
        if found.end is End.DISTRUSTED:
            self._sharing.distrust(program)
        elif found.end in (End.REFUSED, End.LOST):
            self._sharing.refuse(program)
        self._sharing.used(program, answer.cpu_us, len(found.answered))
        run = _Run(program)
        for job, shared in zip(members, found.answered, strict=False):
            self._look_at(job, shared, answer, run)
        self._confirm(run)
        self._let_go(carrier.held_bytes - sum(len(held.payload) for _, held in run.held))
        self._to_send += self._unanswered(carrier, found)
        if not run.open:
            self._close(run, done)

    def _look_at(self, job: Job, shared: Shared, answer: Answer, run: _Run) -> None:
        if shared.kind == "value":
            own = of_unit(shared.payload, shared.cpu_us, answer.peak_kib)
            job.outcome = self._decode(job, own)
            if self._accepts(job, job.outcome):
                run.held.append((job, own))
                return
        self._to_send.append(self._run_alone(job, shared, run))

    def _confirm(self, run: _Run) -> None:
        """The last accepted answer of a program's first unit has the most calls before it; others are drawn."""
        if not run.held:
            return
        program = self._program(run.program)
        asked = {job for job, _ in run.held if job in self._drawn} if self._drawn else set()
        if program.confirmation is None:
            program.confirmation, run.confirms = False, True
            asked.add(run.held[-1][0])
        if not asked:
            return
        self._sharing.count("unit_confirmations", len(asked))
        kept = []
        for job, answer in run.held:
            if job in asked:
                self._to_send.append(self._run_alone(job, Shared(answer.kind, answer.payload, answer.cpu_us), run))
            else:
                kept.append((job, answer))
        run.held = kept

    def _unanswered(self, carrier: Job, found: Split) -> Iterator[Job]:
        """What a unit left: the call that was running alone, the others in a second unit, last one first, and in no third."""
        left = list(carrier.members[len(found.answered) :])
        runs = 0 if found.end is End.REFUSED else 1
        if found.end is End.SPLIT and not carrier.shared_runs:
            again = [job for job in left if job is not carrier.members[found.running]]
            if len(again) >= self._sharing.fewest():
                for job in again:
                    job.shared_runs += 1
                left = [job for job in left if job not in set(again)]
                yield self._unit(again[::-1], 1)
        for job in left:
            yield self._run_alone(job, None, None, runs)

    def _alone_answered(self, carrier: Job, done: list[Job]) -> None:
        job, shared, run = self._alone.pop(carrier)
        answer = carrier.answer
        assert answer is not None
        if shared is not None and answer.kind != "engine-error" and not is_same(shared, answer):
            self._sharing.distrust(job.program.id)
        self._finish(job, answer, carrier.held_bytes, done)
        if run is not None:
            run.open -= 1
            if not run.open:
                self._close(run, done)

    def _close(self, run: _Run, done: list[Job]) -> None:
        """Everything that this unit waited for is back."""
        if not run.held and run.program not in self._programs:
            return
        program = self._program(run.program)
        if run.confirms:
            program.confirmation = True
        if program.confirmation is False and self._sharing.is_believed(run.program):
            program.waiting.append(run)
            return
        waiting, program.waiting = program.waiting, []
        for one in (run, *waiting):
            self._settle(one, done)
        if len(self._programs) > _MOST_PROGRAMS:
            self._programs = {name: kept for name, kept in self._programs.items() if kept.waiting or kept.confirmation is False}

    def _settle(self, run: _Run, done: list[Job]) -> None:
        believed = self._sharing.is_believed(run.program)
        for job, answer in run.held:
            if believed:
                self._finish(job, answer, len(answer.payload), done)
            else:
                self._let_go(len(answer.payload))
                self._to_send.append(self._run_alone(job, None, None))
        run.held = []

    def take_back(self, job: Job) -> None:
        """Finished by its unit and not handed out, of a program that is believed no more: it runs again alone."""
        self._let_go(job.held_bytes)
        job.held_bytes = 0
        job.answer = job.outcome = job.judged = None
        self._submit([self._run_alone(job, None, None)])

    def _finish(self, job: Job, answer: Answer, held_bytes: int, done: list[Job]) -> None:
        if not answer.shared:
            job.outcome = job.judged = None
        job.answer, job.held_bytes = answer, held_bytes
        self._carriers.pop(job, None)
        self._drawn.discard(job)
        done.append(job)

    def _program(self, program: str) -> _Program:
        found = self._programs.get(program)
        if found is None:
            found = self._programs[program] = _Program()
        return found
