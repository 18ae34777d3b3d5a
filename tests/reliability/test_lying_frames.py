"""A worker that lies in its frames: whatever it says in whatever order, every check it was given is answered with what was
said for it, once, or is still there to be given to another worker."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from reexec.engine.pool.answer import CANCELLED
from reexec.engine.pool.job import Job
from reexec.engine.pool.worker import State, WorkerDiedError
from reexec.engine.protocol import frames
from tests.reliability.hand_made import INFO, HandMade, result

NUMBERS = st.integers(0, 2**64 - 1)
SMALL = st.integers(0, 12)
KINDS = st.integers(0, 255) | st.integers(1, 13)
HELLOS = {"nothing": b"", "list": b"[]", "half": b"{", "not UTF-8": b"\xff\xfe", "number": b"1", "deep": b"[" * 100_000}
LIES: dict[str, st.SearchStrategy[Any]] = {
    "a result": st.builds(result, SMALL | NUMBERS, st.binary(max_size=20), KINDS),
    "a print": st.builds(result, SMALL, stdout=st.binary(max_size=1030), stderr=st.binary(max_size=5)),
    "a question": st.builds(frames.AsksRunDelay, SMALL | NUMBERS),
    "that it has compiled": st.builds(frames.Compiled, SMALL | NUMBERS),
    "hello": st.builds(frames.Hello, st.sampled_from(["INFO", *HELLOS]).map(lambda name: HELLOS.get(name, INFO))),
    "that it returns checks": st.builds(frames.Returns, SMALL | NUMBERS),
    "its last words": st.builds(frames.Fails, st.integers(0, 13), st.binary(max_size=10)),
    "that it retires": st.builds(frames.Retires, st.binary(max_size=10)),
    "what the host says": st.just(frames.RunDelay(1, 1, 0, 0)),
    "a huge frame": st.integers(1 << 21, (1 << 32) - 1).map(lambda size: size.to_bytes(4, "little")),
    "noise": st.binary(min_size=1, max_size=60),
    "half a frame": st.integers(1, 20).map(lambda size: frames.encode(result(1, b"123456789"))[:size]),
}
WORDS = st.one_of(*LIES.values())


class LyingWorker(RuleBasedStateMachine):
    """The host's side is real; this machine is the other end of its socket."""

    def __init__(self) -> None:
        super().__init__()
        self.peer = HandMade()
        self.given: list[Job] = []
        self.answered: list[Job] = []
        self.returned: list[Job] = []
        self.dead = False

    @initialize(honest=st.booleans())
    def begin(self, honest: bool) -> None:
        if honest:
            self.peer.say(frames.Hello(INFO))
            self.receive()
            assert self.peer.worker.state is State.IDLE

    def receive(self) -> None:
        """What the loop does when the socket is readable; all that is waiting."""
        worker = self.peer.worker
        for _ in range(3):
            try:
                done = worker.receive()
            except WorkerDiedError:
                self.dead = True
                return
            finally:
                self.returned += worker.take_returned()
            for job, answer in done:
                assert answer.cpu_us == job.tag, "an answer for another check"
                assert answer.kind != CANCELLED, "nobody cancelled it"
                assert job not in self.answered, "a check answered twice"
                self.answered.append(job)

    def has_room(self) -> bool:
        """As it was at the last word: what may come next must not depend on how busy this machine is."""
        return not self.dead and self.peer.worker.room(self.peer.worker.head_since)

    @precondition(lambda self: self.has_room() and self.returned)
    @rule()
    def give_again(self) -> None:
        self.peer.give(self.returned.pop(0))
        self.peer.said_by_host()

    @precondition(lambda self: self.has_room() and len(self.given) < 10)
    @rule()
    def give(self) -> None:
        self.given.append(self.peer.give())
        self.peer.said_by_host()

    @precondition(lambda self: not self.dead)
    @rule(words=st.lists(WORDS, min_size=1, max_size=4))
    def lie(self, words: list[Any]) -> None:
        self.peer.say(*words)
        self.receive()

    @precondition(lambda self: not self.dead and self.peer.worker.in_flight)
    @rule(words=st.lists(WORDS, max_size=2), count=st.integers(1, 3))
    def answer_then_lie(self, words: list[Any], count: int) -> None:
        right = [result(job.tag) for job in list(self.peer.worker.in_flight)[:count]]
        self.peer.say(*right, *words)
        self.receive()

    @precondition(lambda self: not self.dead)
    @rule(words=st.lists(WORDS, max_size=1))
    def hang_up(self, words: list[Any]) -> None:
        self.peer.say(*words)
        self.peer.theirs.close()
        self.receive()
        assert self.dead or words, "a hang-up must be noticed"

    @precondition(lambda self: self.dead)
    @rule()
    def replace(self) -> None:
        """As the pool does: a fresh worker gets what the other one left."""
        left = list(self.peer.worker.in_flight)
        self.peer.close()
        self.peer, self.dead = HandMade(), False
        self.peer.say(frames.Hello(INFO))
        self.receive()
        for job in left:
            self.peer.give(job)
        self.peer.said_by_host()

    @invariant()
    def every_check_is_answered_or_still_there(self) -> None:
        left = list(self.peer.worker.in_flight) + self.returned
        assert len(left) + len(self.answered) == len(self.given), "a check is lost"
        assert set(map(id, left + self.answered)) == set(map(id, self.given))

    def teardown(self) -> None:
        self.peer.close()


TestLyingWorker = LyingWorker.TestCase
TestLyingWorker.settings = settings(max_examples=60, stateful_step_count=12, deadline=None)


def dies(words: tuple[Any, ...], say: Callable[[str], bool], checks: int = 2) -> None:
    """A worker with `checks` in flight that says `words` is given up for the reason that `say` accepts."""
    with HandMade() as peer:
        peer.say(frames.Hello(INFO))
        peer.worker.receive()
        jobs = [peer.give() for _ in range(checks)]
        peer.said_by_host()
        peer.say(*words)
        answered = []
        with pytest.raises(WorkerDiedError) as death:  # noqa: PT012 - what came before the lie is delivered first
            for _ in range(3):
                answered += peer.worker.receive()
        assert say(str(death.value)), death.value
        assert len(answered) + len(peer.worker.in_flight) == len(jobs), "a check is lost"


def test_what_was_answered_before_a_lie_in_the_same_breath_is_not_lost() -> None:
    dies((result(1), result(7)), lambda reason: "not the next one" in reason)
    dies((result(1), frames.Fails(3, b"MemoryError")), lambda reason: "MemoryError" in reason)
    dies((result(1), b"\x01\x00\x00\x00\xc1"), lambda reason: "unknown kind" in reason)
    dies((result(1), b"\x02\x00\x00\x00\x03\x00"), lambda reason: "too short" in reason)
    dies((result(1), result(1)), lambda reason: "not the next one" in reason)


@pytest.mark.parametrize("name", HELLOS)
def test_a_hello_that_is_no_object_ends_the_worker_and_nothing_else(name: str) -> None:
    with HandMade() as peer:
        peer.say(frames.Hello(HELLOS[name]))
        with pytest.raises(
            WorkerDiedError, match="hello is not an object" if name in ("list", "number") else "hello is not JSON"
        ):
            peer.worker.receive()


def test_a_worker_retires_only_once_it_is_up() -> None:
    with HandMade() as peer:
        peer.say(frames.Retires(b"at once"))
        with pytest.raises(WorkerDiedError, match="retires before hello"):
            peer.worker.receive()
