"""The protocol between host and zygote, in both roles, whatever the cuts between reads and whatever the bytes."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reexec.engine.protocol import frames

SIZES = {"B": 8, "I": 32, "Q": 64}
ROLES = {"host": frames.HOST_SAYS, "zygote": frames.ZYGOTE_SAYS}
BLOBS = st.binary(max_size=300)


def number(code: str) -> st.SearchStrategy[int]:
    return st.integers(-(2**63), 2**63 - 1) if code == "q" else st.integers(0, 2 ** SIZES[code] - 1)


@st.composite
def spoken(draw: st.DrawFn, table: frames.Table) -> Any:
    layout = draw(st.sampled_from(sorted(table.values(), key=lambda layout: layout.code)))
    codes = layout.head.format[3 : 3 + layout.numbers]
    blobs = len(layout.frame._fields) - layout.numbers
    return layout.frame(*[draw(number(code)) for code in codes], *[draw(BLOBS) for _ in range(blobs)])


def cut(data: bytes, draw: st.DataObject) -> list[bytes]:
    """`data` in pieces of any size."""
    pieces = []
    while data:
        size = draw.draw(st.integers(1, max(1, min(len(data), 200))))
        pieces.append(data[:size])
        data = data[size:]
    return pieces


@pytest.mark.parametrize("role", ROLES)
@given(data=st.data())
def test_what_one_side_says_the_other_one_hears_in_any_pieces(role: str, data: st.DataObject) -> None:
    table = ROLES[role]
    said = data.draw(st.lists(spoken(table), max_size=6))
    stream = b"".join(frames.encode(frame) for frame in said)
    decoder = frames.Decoder(table, 1 << 20)
    heard = [frame for piece in cut(stream, data) for frame in decoder.feed(piece)]
    assert heard == said
    assert [type(frame) for frame in heard] == [type(frame) for frame in said]
    assert frames.Decoder(table, 1 << 20).feed(stream) == said, "in one piece"


@pytest.mark.parametrize("role", ROLES)
@given(noise=st.lists(st.binary(max_size=200), max_size=8), limit=st.integers(0, 500))
def test_noise_is_a_protocol_error_or_frames_of_the_table(role: str, noise: list[bytes], limit: int) -> None:
    decoder = frames.Decoder(ROLES[role], limit)
    failures: list[frames.ProtocolError] = []
    for piece in noise:
        try:
            for frame in decoder.feed(piece):
                assert len(frames.encode(frame)) <= limit + frames.LENGTH.size
        except frames.ProtocolError as error:
            failures.append(error)
        else:
            assert not failures, "an error must be final"
    assert len({id(failure) for failure in failures}) <= 1


@pytest.mark.parametrize("role", ROLES)
@given(data=st.data(), place=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_a_spoiled_frame_is_another_frame_or_an_error(role: str, data: st.DataObject, place: int, byte: int) -> None:
    table = ROLES[role]
    stream = bytearray(frames.encode(data.draw(spoken(table))))
    stream[place % len(stream)] = byte
    try:
        for frame in frames.Decoder(table, 1 << 16).feed(bytes(stream)):
            assert type(frame) in [layout.frame for layout in table.values()]
            assert frames.encode(frame) in bytes(stream), "bytes that nobody sent"
    except frames.ProtocolError:
        pass


@given(data=st.data(), before=st.binary(max_size=50), after=st.binary(max_size=50))
def test_a_frame_is_read_where_it_lies(data: st.DataObject, before: bytes, after: bytes) -> None:
    """As the zygote does: its blobs are views of the same memory."""
    frame = data.draw(spoken(frames.HOST_SAYS))
    body = frames.encode(frame)
    memory = memoryview(bytearray(before + body + after))
    layout = frames.whole(memory, len(before), len(before) + len(body), frames.HOST_SAYS, 1 << 20)
    assert layout is not None
    found = layout.decode(memory, len(before))
    assert found == frame
    assert frames.size_at(memory, len(before)) == len(body)
    assert all(part.obj is memory.obj for part in found if isinstance(part, memoryview))
    assert frames.whole(memory, len(before), len(before) + len(body) - 1, frames.HOST_SAYS, 1 << 20) is None


@given(st.integers(1, 100))
def test_a_frame_over_the_limit_is_refused_by_its_length_alone(over: int) -> None:
    decoder = frames.Decoder(frames.ZYGOTE_SAYS, 100)
    with pytest.raises(frames.ProtocolError, match="the most is 100"):
        decoder.feed(frames.LENGTH.pack(100 + over))


@settings(max_examples=30)
@given(st.integers(9, 255), st.binary(max_size=80))
def test_a_kind_outside_of_the_table_is_refused(code: int, body: bytes) -> None:
    with pytest.raises(frames.ProtocolError, match="unknown"):
        frames.Decoder(frames.ZYGOTE_SAYS, 1 << 16).feed(frames.LENGTH.pack(len(body) + 1) + bytes([code]) + body)


def test_options_of_a_check_are_different_bits_of_one_byte() -> None:
    names = ("WATCH_ARGUMENTS", "WATCH_SOURCES", "PYTHON_VALUES", "TAGGED_CALL", "SCRIPT", "SHARE_ALWAYS", "SHARED_ENTROPY")
    options = [getattr(frames, name) for name in names]
    assert sorted(options) == [1 << place for place in range(len(names))]


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.integers(0, 255), st.binary(max_size=40))
def test_a_check_is_encoded_the_short_way_to_the_same_bytes(check_id: int, program: int, options: int, call: bytes) -> None:
    assert frames.encode_check(check_id, program, options, call) == frames.encode(
        frames.Check(check_id, program, options, call)
    )
