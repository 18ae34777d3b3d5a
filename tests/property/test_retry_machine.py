"""The rules of repetition as a state machine: whatever comes of the runs of one check, in whatever order, it ends after a
bounded number of them, with a word that its evidence supports."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from reexec.engine.pool import retry
from reexec.engine.pool.answer import KILLED, Answer
from reexec.engine.pool.retry import History, Rerun, Ruling
from reexec.engine.protocol import claim
from reexec.engine.protocol.endings import WorkerEnd

ENDS_BY_ITSELF = ("value", "exception", "early-exit", "bad-result", "memory-limit", "output-limit", "process-limit", "denied")
DEATHS = (WorkerEnd.HUNG_UP, WorkerEnd.BROKE_PROTOCOL, WorkerEnd.SILENT, WorkerEnd.BROKEN, WorkerEnd.OUT_OF_MEMORY)
OUTSIDE = ("killed", "killed for memory", "refused")
MOST_RUNS = retry.KILLS_BELIEVED + retry.DEATHS_BELIEVED + retry.OUTSIDE_KILLS_ALLOWED + retry.REFUSED_FORKS_ALLOWED + 1


class OneCheck(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.begin()

    def begin(self) -> None:
        self.history = History()
        self.runs: list[object] = []
        """What each run came to: an Answer, or why its worker ended."""
        self.final: Answer | None = None
        self.counts: list[str] = []
        self.next = Rerun.ALONE

    def rule_on(self, what: object, ruling: Ruling) -> None:
        self.runs.append(what)
        self.counts += ruling.counts
        assert (ruling.answer is None) != (ruling.rerun is None), "either it stands or it runs again"
        self.final = ruling.answer
        if ruling.rerun is not None:
            self.next = ruling.rerun

    def answer(self, answer: Answer) -> None:
        self.rule_on(answer, self.history.answered(answer))

    @precondition(lambda self: self.final is not None)
    @rule()
    def another_check(self) -> None:
        self.begin()

    @precondition(lambda self: self.final is None)
    @rule(kind=st.sampled_from(ENDS_BY_ITSELF))
    def ends_by_itself(self, kind: str) -> None:
        self.answer(Answer(kind))
        assert self.final is not None, "what came to an end stands"
        assert self.final.kind == kind, "a run that came to its end decides"

    @precondition(lambda self: self.final is None)
    @rule(kind=st.sampled_from(["cpu-limit", "wall-limit"]), in_doubt=st.booleans())
    def passes_a_limit(self, kind: str, in_doubt: bool) -> None:
        confirms = self.history.first
        self.answer(Answer(kind, flags=claim.IN_DOUBT if in_doubt else 0))
        if confirms is None and in_doubt:
            assert self.next is Rerun.LATER, "a limit in doubt is confirmed behind other work"
        else:
            assert self.final is not None
            assert self.final.kind == (confirms or Answer(kind)).kind

    @precondition(lambda self: self.final is None)
    @rule()
    def is_killed(self) -> None:
        before = self.history.kills
        self.answer(Answer(KILLED))
        assert (self.final is None) == (before + 1 < retry.KILLS_BELIEVED)

    @precondition(lambda self: self.final is None)
    @rule(end=st.sampled_from(DEATHS))
    def its_worker_dies(self, end: WorkerEnd) -> None:
        self.rule_on(end, self.history.died(end, False, "words"))
        if self.final is not None:
            settled = self.final.kind if self.history.first is None else self.final.disagreed_with and self.final.kind
            assert settled == ("memory-limit" if end is WorkerEnd.OUT_OF_MEMORY else "denied")
            assert self.runs[:-1].count(end) or any(type(run) is WorkerEnd for run in self.runs[:-1]), "once is no proof"

    @precondition(lambda self: self.final is None)
    @rule(what=st.sampled_from(["killed", "killed for memory", "refused"]), times=st.sampled_from([1, 1, 3, 31]))
    def somebody_outside_ends_its_worker(self, what: str, times: int) -> None:
        end = WorkerEnd.CANNOT_FORK if what == "refused" else WorkerEnd.HUNG_UP
        for _ in range(times):
            if self.final is None:
                ruling = self.history.died(end, what != "refused", "words", memory_ran_out=what == "killed for memory")
                self.rule_on(what, ruling)
        if self.final is not None:
            assert self.final.kind == (self.history.first.kind if self.history.first else "engine-error")
            if what == "refused":
                assert self.runs.count("refused") == retry.REFUSED_FORKS_ALLOWED + 1
            else:
                killed = self.runs.count("killed") + self.runs.count("killed for memory")
                in_a_row = self.runs[-retry.MEMORY_KILLS_BELIEVED :].count("killed for memory")
                assert killed == retry.OUTSIDE_KILLS_ALLOWED + 1 or in_a_row == retry.MEMORY_KILLS_BELIEVED

    @invariant()
    def it_ends(self) -> None:
        assert len(self.runs) <= MOST_RUNS

    @invariant()
    def after_a_death_the_next_worker_is_fresh(self) -> None:
        if self.final is None and {*self.runs} & {*OUTSIDE, *DEATHS}:
            assert self.history.needs_fresh_worker
            assert self.next in (Rerun.FRESH, Rerun.LATER)

    @invariant()
    def counts_say_what_happened(self) -> None:
        deaths = sum(type(run) is WorkerEnd or run in OUTSIDE for run in self.runs)
        assert self.counts.count("retried") == deaths
        confirmed = self.counts.count("limits_confirmed") + self.counts.count("limit_disagreements")
        assert confirmed == (self.final is not None and self.history.first is not None)
        if confirmed and self.final is not None:
            assert bool(self.final.disagreed_with) == ("limit_disagreements" in self.counts)


TestOneCheck = OneCheck.TestCase
TestOneCheck.settings = settings(max_examples=300, stateful_step_count=16, deadline=None)


def test_a_program_without_history_needs_no_rule() -> None:
    for kind in ENDS_BY_ITSELF:
        assert kind not in retry.TO_BE_RULED
        assert History().answered(Answer(kind)).answer == Answer(kind)
