"""Readers, whatever becomes of them: every block is answered once, in order, and right."""

import contextlib
import functools
import itertools
import operator
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import psutil
import pytest

from reexec.runners.readers import link, pool
from reexec.runners.readers.pool import Readers
from reexec.runners.rows.row import Lines
from tests.support.helpers import wait_until

COUNT = functools.partial(len)
MAKER = "functools:partial"  # called with the terms `len`, it gives the same as COUNT


def block(number: int, size: int = 3) -> Lines:
    lines = [b"x" * (number + 1)] * size
    return Lines(range(1, size + 1), range(size), lines)


@pytest.fixture
def readers() -> Iterator[Readers]:
    made = Readers(COUNT, MAKER, len)
    yield made
    made.close()


def all_ready(readers: Readers) -> bool:
    readers._hear(0.1)
    return all(reader.is_ready for reader in readers._readers)


def ready(readers: Readers, count: int = 1) -> list[psutil.Process]:
    readers.start(count)
    assert len(readers._readers) == count
    wait_until(lambda: all_ready(readers), 60, "readers are ready")
    return [psutil.Process(reader.process.pid) for reader in readers._readers]


def through(readers: Readers, blocks: list[Lines]) -> list[tuple[Lines, Any]]:
    given = [pair for each in blocks for pair in readers.put(each)]
    return [*given, *readers.finish()]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_answers_come_in_the_order_of_the_blocks(readers: Readers, count: int) -> None:
    blocks = [block(number % 5, 1 + number % 7) for number in range(60)]
    ready(readers, count)
    assert through(readers, blocks) == [(each, len(each.lines)) for each in blocks]
    assert (readers.done_beside > 0) == (count > 0)


def test_blocks_are_done_here_until_a_reader_is_ready(readers: Readers) -> None:
    readers.start(1)
    assert list(readers.put(block(0))) == [(block(0), 3)]
    assert readers.done_beside == 0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_what_a_reader_had_in_hand_when_it_died_is_done_here(readers: Readers, how: signal.Signals) -> None:
    blocks = [block(number) for number in range(20)]
    (process,) = ready(readers)
    process.suspend()
    given = [pair for each in blocks[: link.SLOTS] for pair in readers.put(each)]
    assert given == []
    process.send_signal(how)
    process.resume()
    assert through(readers, blocks[link.SLOTS :]) == [(each, 3) for each in blocks]
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_reader_that_does_not_answer_is_given_up(readers: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "PATIENCE_S", 0.05)
    blocks = [block(number) for number in range(20)]
    (process,) = ready(readers)
    process.suspend()
    hear, heard = Readers._hear, itertools.count()

    def hear_so_often(self: Readers, wait_s: float) -> None:
        assert next(heard) < 200, "it waits without end"
        hear(self, wait_s)

    monkeypatch.setattr(Readers, "_hear", hear_so_often)
    assert through(readers, blocks) == [(each, 3) for each in blocks]
    assert readers._readers == []


def test_blocks_that_wait_for_a_slow_one_are_few(readers: Readers) -> None:
    (process,) = ready(readers)
    process.suspend()
    for number in range(readers._most):
        assert list(readers.put(block(number))) == []
    assert len(readers._on_the_way) == readers._most == 8
    process.resume()
    assert [answer for _, answer in readers.finish()] == [3] * readers._most


def beside(readers: Readers, blocks: list[Lines]) -> int:
    """How many of the blocks readers have done, where each may wait for the one before."""
    before = readers.done_beside
    for each in blocks:
        given = [*readers.put(each), *readers.finish()]
        assert given == [(each, len(each.lines))]
    return (readers.done_beside - before) // 3


def test_a_reader_is_given_block_after_block(readers: Readers) -> None:
    ready(readers)
    assert beside(readers, [block(number) for number in range(3 * link.SLOTS)]) == 3 * link.SLOTS
    (reader,) = readers._readers
    assert (reader.in_hand, sorted(reader.free)) == ({}, list(range(link.SLOTS)))


def test_the_reader_that_has_least_to_do_is_given_the_next_block(readers: Readers) -> None:
    processes = ready(readers, 2)
    for process in processes:
        process.suspend()
    for number in range(2):
        assert list(readers.put(block(number))) == []
    assert [len(reader.in_hand) for reader in readers._readers] == [1, 1]
    for process in processes:
        process.resume()
    assert [answer for _, answer in readers.finish()] == [3, 3]


def answers_nothing(lines: Sequence[bytes]) -> int:
    """Work of a reader that says of both slots that they are done, and there is nothing in them."""
    for number in map(int, os.listdir("/proc/self/fd")):
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(number)) as line:
            line.send(link.packed(0, 0))
            line.send(link.packed(1, 0))
    return len(lines)


@pytest.mark.timeout(120)
def test_an_answer_that_is_none_ends_the_reader_and_its_blocks_are_done_here() -> None:
    readers = Readers(COUNT, MAKER, answers_nothing)
    try:
        ready(readers)
        assert through(readers, [block(number) for number in range(6)]) == [(block(number), 3) for number in range(6)]
        assert readers._readers == []
    finally:
        readers.close()


def digits(_lines: Sequence[bytes]) -> int:
    return sys.get_int_max_str_digits()


def test_a_reader_takes_numbers_as_long_as_this_process_does() -> None:
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(before + 700)
    readers = Readers(digits, MAKER, digits)
    try:
        ready(readers)
        sys.set_int_max_str_digits(before)
        assert [answer for _, answer in through(readers, [block(1)])] == [before + 700]
    finally:
        sys.set_int_max_str_digits(before)
        readers.close()


def test_a_reader_of_another_version_takes_no_part(readers: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "VERSION", "0.0")
    readers.start(1)
    process = readers._readers[0].process
    process.wait(60)
    assert through(readers, [block(1), block(2)]) == [(block(1), 3), (block(2), 3)]
    assert (readers._readers, readers.done_beside) == ([], 0)


def test_a_slot_gives_back_what_a_large_block_took(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "KEPT_BYTES", 1000)
    with open(os.memfd_create("slot"), "rb") as slot:
        link.put(slot.fileno(), [b"x" * 5000])
        size = link.put(slot.fileno(), [b"y"])
        assert link.get(slot.fileno(), size) == [b"y"]
        assert os.fstat(slot.fileno()).st_size == size


def test_less_in_a_slot_than_was_said_is_no_block() -> None:
    with open(os.memfd_create("slot"), "rb") as slot:
        size = link.put(slot.fileno(), [b"x"])
        with pytest.raises(EOFError):
            link.get(slot.fileno(), size + 1)


def test_a_failing_reader_is_silent_and_another_one_goes_on(readers: Readers, capfd: pytest.CaptureFixture[str]) -> None:
    processes = ready(readers, 2)
    processes[0].kill()
    blocks = [block(number) for number in range(30)]
    assert through(readers, blocks) == [(each, 3) for each in blocks]
    assert len(readers._readers) == 1
    assert readers.done_beside > 0
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("maker", "terms"),
    [
        ("functools:partial", operator.neg),  # fails on every block
        ("functools:partial", object),  # gives what is no plain data
        ("no.such.module:name", None),
        ("functools:partial", 7),  # fails when it is made
    ],
)
def test_readers_that_fail_cost_nothing_but_time(maker: str, terms: Any) -> None:
    readers = Readers(COUNT, maker, terms)
    try:
        readers.start(2)
        began = time.monotonic()
        given: list[tuple[Lines, Any]] = []
        while readers._readers and time.monotonic() < began + 60:
            given += readers.put(block(1))
        given += readers.finish()
        assert readers._readers == []
        assert given == [(block(1), 3)] * len(given)
        assert readers.done_beside == 0
    finally:
        readers.close()


def test_without_room_for_processes_there_are_none(readers: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/interpreter")
    before = sorted(os.listdir("/proc/self/fd"))
    readers.start(2)
    assert readers._readers == []
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert through(readers, [block(1)]) == [(block(1), 3)]


def test_long_lines_stay_here(readers: Readers) -> None:
    ready(readers)
    large = Lines(range(1), range(1), [b"x" * (pool.MOST_BLOCK_BYTES + 1)])
    assert through(readers, [large]) == [(large, 1)]
    assert readers.done_beside == 0


def test_nothing_is_left_of_readers_that_are_closed(readers: Readers) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    processes = ready(readers, 2)
    processes[0].suspend()
    assert list(readers.put(block(1))) in ([], [(block(1), 3)])
    readers.close()
    assert list(readers.finish()) == []
    assert [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []
    assert sorted(os.listdir("/proc/self/fd")) == before


_OWNER = """
import sys, time
from reexec.runners.readers.pool import Readers
readers = Readers(len, "functools:partial", len)
readers.start(1)
while not readers._readers[0].is_ready:
    readers._hear(0.1)
if sys.argv[1] == "fork":  # a copy of this process keeps the other end of the socket open
    import os
    if not os.fork():
        time.sleep(60)
        os._exit(0)
print(readers._readers[0].process.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("also", ["", "fork"])
def test_a_reader_leaves_when_its_parent_is_killed(also: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _OWNER, also], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as owner:
        assert owner.stdout is not None
        reader = psutil.Process(int(owner.stdout.readline()))
        try:
            os.kill(owner.pid, signal.SIGKILL)
            owner.wait()
            psutil.wait_procs([reader], timeout=30)
            assert not reader.is_running() or reader.status() == psutil.STATUS_ZOMBIE
        finally:
            if also:
                os.killpg(owner.pid, signal.SIGKILL)


def test_a_terminals_signals_do_not_reach_readers(readers: Readers) -> None:
    (process,) = ready(readers)
    assert os.getsid(process.pid) == process.pid
    process.send_signal(signal.SIGINT)
    assert through(readers, [block(1), block(2)]) == [(block(1), 3), (block(2), 3)]
    assert len(readers._readers) == 1
