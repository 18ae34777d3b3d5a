"""Units at the zygote's own door: what a shared fork answers, what it leaves to be run alone, and that nothing stays."""

import marshal
import select
import time
from collections.abc import Iterator
from typing import Any

import pytest

from reexec import load_policy
from reexec.engine.jail import interpreter
from reexec.engine.jail.backends import BACKENDS
from reexec.engine.jail.launch import setup_message
from reexec.engine.jail.run_delay import RunDelays
from reexec.engine.pool.worker import State, Worker
from reexec.engine.protocol import claim, frames, unit
from reexec.policies.model import IsolationLevel

VALUE, EXCEPTION = claim.BYTE_OF["value"], claim.BYTE_OF["exception"]


class Door:
    """A real worker without a pool: frames in, results out."""

    def __init__(self, *settings: str) -> None:
        policy = load_policy("codeio", settings=["limits.cpu_s=1", "limits.idle_s=1", *settings])
        backend = BACKENDS[IsolationLevel.NSJAIL]
        launched = backend.launch(policy, interpreter.ask(None))
        setup = setup_message(policy, frozenset(), launched.terms)
        self.worker = Worker(launched, frozenset(), setup, policy.limits, 60)
        self._decoder = frames.Decoder(frames.ZYGOTE_SAYS, 1 << 24)
        self._programs = self._ids = 0
        self.running = 0
        """The call that ran when the last unit ended."""
        while self.worker.state is State.STARTING:
            self.worker.flush()
            select.select([self.worker], [], [], 10)
            self.worker.receive()
        self.worker.flush()
        self._socket = launched.channel
        assert self.worker.zygote_pid is not None
        self._delays = RunDelays(self.worker.zygote_pid)
        self._socket.settimeout(20)

    def load(self, source: str, entry: str = "f") -> int:
        self._programs += 1
        self._socket.sendall(frames.encode(frames.Load(self._programs, entry.encode(), source.encode())))
        return self._programs

    def unit(self, program: int, calls: list[list[Any]], options: int = 0) -> tuple[int, list[unit.Answer]]:
        """What ended it early (0: nothing), and the answers."""
        self._ids += 1
        packed = unit.pack_calls(marshal.dumps([args, {}], 2) for args in calls)
        self._socket.sendall(frames.encode(frames.Unit(self._ids, program, options, len(calls), packed)))
        while True:
            for frame in self._decoder.feed(self._socket.recv(1 << 18)):
                if isinstance(frame, frames.Result):
                    assert frame.check_id == self._ids
                    assert frame.kind == unit.UNIT
                    self.running = unit.running(bytes(frame.note))
                    return frame.flags, unit.answers(bytes(frame.payload))
                assert isinstance(frame, frames.AsksRunDelay)
                self._socket.sendall(frames.encode(frames.RunDelay(frame.check_id, *self._delays.of(frame.check_id))))


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    found = Door()
    yield found
    found.worker.end()


def values(answers: list[unit.Answer]) -> list[bytes]:
    assert all(answer.kind == VALUE for answer in answers)
    return [answer.payload for answer in answers]


def test_many_calls_come_back_in_order(door: Door) -> None:
    program = door.load("def f(n):\n    return n + 1")
    ended, answers = door.unit(program, [[n] for n in range(5000)])
    assert ended == 0
    assert values(answers) == [b"%d" % (n + 1) for n in range(5000)]


def test_each_call_has_a_module_of_its_own(door: Door) -> None:
    program = door.load(
        "seen = []\ndef f(n, kept=[]):\n    seen.append(n)\n    kept.append(n)\n    return [len(seen), len(kept)]"
    )
    ended, answers = door.unit(program, [[n] for n in range(100)])
    assert ended == 0
    assert set(values(answers)) == {b"[1,1]"}


def test_generators_are_seeded_again_for_each_call(door: Door) -> None:
    source = "import random\ndef f():\n    return [random.random(), random.randint(0, 9)]"
    ended, answers = door.unit(door.load(source), [[] for _ in range(20)])
    assert ended == 0
    assert len(set(values(answers))) == 1


def test_exceptions_are_answers(door: Door) -> None:
    ended, answers = door.unit(door.load("def f(n):\n    return 10 // n"), [[2], [0], [5]])
    assert ended == 0
    assert [answer.kind for answer in answers] == [VALUE, EXCEPTION, VALUE]
    assert b'"type":"ZeroDivisionError"' in answers[1].payload


OWN_TEXT = "class E(Exception):\n            def __str__(self):\n                return 'own'\n        raise E"


@pytest.mark.parametrize(
    ("body", "ended_by"),
    [
        ("raise SystemExit(3)", "early-exit"),
        ("raise MemoryError", "early-exit"),
        ("return object()", "early-exit"),
        ("return 'x' * 3_000_000", "early-exit"),
        ("return f(n)", "early-exit"),
        (OWN_TEXT, "early-exit"),
        ("while True: pass", "cpu-limit"),
        ("time.sleep(30)", "wall-limit"),
    ],
)
def test_what_needs_the_full_rules_ends_the_unit_and_keeps_what_came_before(door: Door, body: str, ended_by: str) -> None:
    program = door.load(f"def f(n):\n    if n == 7:\n        {body}\n    return n")
    began = time.monotonic()
    ended, answers = door.unit(program, [[n] for n in range(20)])
    assert claim.WORDS[ended] == ended_by
    assert values(answers) == [b"%d" % n for n in range(len(answers))]
    assert door.running == 7
    assert len(answers) == 7 or "limit" in ended_by, "what was done in the last 20 ms may be lost with a child that is killed"
    assert time.monotonic() - began < 10


def test_one_unit_has_the_time_of_one_check(door: Door) -> None:
    program = door.load("def f(s):\n    end = time.process_time() + s\n    while time.process_time() < end: pass\n    return s")
    ended, answers = door.unit(program, [[0.2] for _ in range(30)])
    assert claim.WORDS[ended] == "cpu-limit"
    assert door.running == len(answers)
    assert 3 <= len(answers) <= 5


@pytest.mark.parametrize(
    "source", ["import os\ndef f(n):\n    return n", "def f(:", "import math\nm = math\ndef f(n):\n    return n"]
)
def test_a_program_that_must_not_share_is_refused(door: Door, source: str) -> None:
    assert door.unit(door.load(source), [[1], [2]]) == (unit.REFUSED, [])


def test_who_wants_to_share_always_may(door: Door) -> None:
    source = "import sys\ndef f(n):\n    sys.seen = getattr(sys, 'seen', '') + 'x'\n    return sys.seen"
    ended, answers = door.unit(door.load(source), [[1], [2]], frames.SHARE_ALWAYS)
    assert ended == 0
    assert values(answers) == [b'"x"', b'"xx"']


def test_a_claim_for_another_call_is_only_a_guess_of_its_own(door: Door) -> None:
    """With os in hand a program can write claims; more of them than calls are never taken."""
    frame = claim.pack("value", b"42")
    source = (
        "import os\ndef f(n):\n    for fd in range(3, 64):\n        try:\n"
        f"            os.write(fd, {frame!r} * 50)\n        except OSError:\n            pass\n    return n"
    )
    ended, answers = door.unit(door.load(source), [[n] for n in range(10)], frames.SHARE_ALWAYS)
    assert len(answers) <= 10
    assert (ended, values(answers)) == (0, [b"42"] * 10)


def test_nothing_of_a_unit_is_there_for_the_next(door: Door) -> None:
    program = door.load(
        "import builtins\ndef f(n):\n    builtins.seen = getattr(builtins, 'seen', 0) + 1\n    return builtins.seen"
    )
    first = door.unit(program, [[1], [2]], frames.SHARE_ALWAYS)
    assert values(first[1]) == [b"1", b"2"]
    assert door.unit(program, [[1], [2]], frames.SHARE_ALWAYS) == first
