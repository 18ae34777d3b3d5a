"""The region that forks do not copy: blocks that never overlap, copies that are exact, a task buffer without a trace of the
task before, and channels that lose nothing, whatever the cuts, while nobody waits for anybody."""

import faulthandler
import os
import random
import socket
from typing import Any

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reexec.engine.protocol import frames
from reexec.engine.protocol.claim import Ending
from reexec.engine.zygote import channel, secrets
from reexec.engine.zygote.channel import HostGone, Inbox, Outbox
from reexec.engine.zygote.secrets import PAGE, Blocks, Region, TaskBuffer, move

PAGES = 64


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9 * PAGE), st.integers(0, 100)), max_size=60))
def test_blocks_never_overlap_and_are_zeros_when_they_are_given_out_again(steps: list[tuple[bool, int, int]]) -> None:
    region = Region(PAGES * PAGE)
    blocks = Blocks(region, PAGES * PAGE)
    held: list[tuple[int, int, int]] = []
    for number, (takes, size, which) in enumerate(steps):
        if takes or not held:
            try:
                at = blocks.take(size)
            except MemoryError:
                continue
            assert bytes(region.view[at : at + size]).count(0) == size, "what was there before can be read"
            region.view[at : at + size] = bytes([number % 255 + 1]) * size
            held.append((at, size, number % 255 + 1))
        else:
            at, size, _ = held.pop(which % len(held))
            blocks.give_back(at, size)
        for at, size, mark in held:
            assert bytes(region.view[at : at + size]) == bytes([mark]) * size, "two blocks overlap"
    for at, size, _ in held:
        blocks.give_back(at, size)
    assert blocks.take(PAGES * PAGE) == 0, "the free blocks do not come together again"


@given(st.integers(0, 300_000), st.integers(0, 300_000), st.integers(0, 200_000), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_a_move_is_exact_in_both_directions_and_where_the_two_overlap(to: int, begin: int, size: int, seed: int) -> None:
    data = bytearray(random.Random(seed).randbytes(500_000))
    wanted = bytes(data)
    wanted = wanted[:to] + wanted[begin : begin + size] + wanted[to + size :]
    move(memoryview(data), to, begin, begin + size)
    assert data == wanted


@given(st.lists(st.lists(st.integers(0, 3_000_000), min_size=1, max_size=3), min_size=1, max_size=5))
@settings(max_examples=15, deadline=None)
def test_a_task_leaves_no_trace_for_the_next_one(tasks: list[list[int]]) -> None:
    buffer = TaskBuffer(16 << 20)
    for sizes in tasks:
        parts = [os.urandom(1000) * (size // 1000) for size in sizes]
        ends = buffer.fill(*[memoryview(part) for part in parts])
        assert [len(part) for part in parts] == [end - start for start, end in zip([0, *ends], ends, strict=False)]
        assert bytes(buffer.view[: ends[-1]]) == b"".join(parts)
        assert bytes(buffer.view[ends[-1] :]).count(0) == len(buffer.view) - ends[-1]


def test_a_task_that_does_not_fit_is_a_memory_error() -> None:
    with pytest.raises(MemoryError):
        TaskBuffer(PAGE).fill(memoryview(bytes(2 * PAGE)))


def test_the_region_is_in_no_child() -> None:
    region = Region(PAGE)
    region.view[0] = 7
    pid = os.fork()
    if not pid:
        faulthandler.disable()  # it would print the stack of a death that is wanted
        try:
            os._exit(region.view[0])
        finally:
            os._exit(0)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == 11
    assert region.view[0] == 7


CALLS = st.lists(st.binary(max_size=3000), min_size=1, max_size=30)


@given(CALLS, st.data())
@settings(max_examples=60, deadline=None)
def test_an_inbox_gives_every_frame_as_it_was_sent_and_is_back_pressure_when_it_is_full(
    calls: list[bytes], data: st.DataObject
) -> None:
    """An inbox hardly larger than the largest frame, so that it is full all the time."""
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.MonkeyPatch.context() as patch:
        patch.setattr(Inbox, "bytes", staticmethod(lambda _: PAGE))
        region = Region(PAGE)
        inbox = Inbox(ours.fileno(), region, frames.MAX_BLOB_BYTES)
        ours.setblocking(False)
        theirs.setblocking(False)
        stream = b"".join(frames.encode(frames.Check(number, 1, 0, call)) for number, call in enumerate(calls))
        sent, heard = 0, list[bytes]()
        while len(heard) < len(calls):
            if sent < len(stream):
                sent += theirs.send(stream[sent : sent + data.draw(st.integers(1, 9000))])
            inbox.receive()
            while data.draw(st.booleans()) or inbox.is_full():
                layout = inbox.layout()
                if layout is None:
                    break
                heard.append(bytes(inbox.frame(layout).call))
                inbox.drop()
            if sent == len(stream) and inbox.layout() is not None:
                heard.append(bytes(inbox.frame(inbox.layout()).call))  # type: ignore[arg-type]
                inbox.drop()
        assert heard == calls


@given(CALLS, st.data())
@settings(max_examples=60, deadline=None)
def test_an_outbox_sends_every_result_in_order_while_the_host_reads_when_it_likes(
    payloads: list[bytes], data: st.DataObject
) -> None:
    """A claim comes in where its result will stand; something is said in between; room is made where the host is slow."""
    ours, theirs = socket.socketpair()
    needed = 4000
    with ours, theirs, pytest.MonkeyPatch.context() as patch:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        patch.setattr(channel, "_AHEAD_BYTES", 3 * needed)
        region = Region(Outbox.bytes(needed) + PAGE)
        outbox = Outbox(ours.fileno(), region, needed)
        ours.setblocking(False)
        decoder = frames.Decoder(frames.ZYGOTE_SAYS, 1 << 20)
        heard: list[Any] = []

        def read() -> None:
            theirs.setblocking(False)
            try:
                heard.extend(decoder.feed(theirs.recv(1 << 16)))
            except BlockingIOError:
                pass

        for number, payload in enumerate(payloads):
            while len(region.view) - outbox.tail < needed + 200:  # else `place` would wait for us
                if outbox.send():
                    break
                read()
            at = outbox.place()
            region.view[at : at + len(payload)] = payload
            if data.draw(st.booleans()):
                outbox.say(frames.AsksRunDelay(number))
                outbox.send()
            where = Ending(1, 0, at, len(payload), 0, b"")
            outbox.put_result(number, where, 1, 2, 3, None)
            outbox.reached(at + len(payload))
            if data.draw(st.booleans()):
                outbox.send()
            if data.draw(st.booleans()):
                read()
        while not outbox.send():
            read()
        while len([frame for frame in heard if isinstance(frame, frames.Result)]) < len(payloads):
            read()
        results = [frame for frame in heard if isinstance(frame, frames.Result)]
        assert [(frame.check_id, frame.payload) for frame in results] == list(enumerate(payloads))


def test_a_host_that_hangs_up_is_noticed_by_both_ends() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        ours.setblocking(False)
        region = Region(Inbox.bytes(frames.MAX_BLOB_BYTES) + Outbox.bytes(1000) + PAGE)
        inbox, outbox = Inbox(ours.fileno(), region, frames.MAX_BLOB_BYTES), Outbox(ours.fileno(), region, 1000)
        theirs.close()
        with pytest.raises(HostGone):
            inbox.receive()
        outbox.say(frames.AsksRunDelay(1))
        with pytest.raises(HostGone):
            outbox.send()


def test_what_is_released_goes_back_to_the_kernel() -> None:
    region = Region(64 << 20)
    region.view[: 32 << 20] = b"x" * (32 << 20)
    before = psutil.Process().memory_info().rss
    region.release(0, 32 << 20)
    assert before - psutil.Process().memory_info().rss > 30 << 20
    assert region.view[12345] == 0
    assert secrets.whole_pages(1) == PAGE
