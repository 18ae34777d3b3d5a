"""The protocol between host and zygote, in both roles, whatever the cuts between reads and whatever the bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reexec.engine.protocol import wire

FIELD: dict[type, st.SearchStrategy[object]] = {
    int: st.integers(-(2**63), 2**64 - 1),
    bytes: st.binary(max_size=300),
    str: st.text(st.characters(exclude_categories=[]), max_size=40),
}
ROLES = {"host": wire.HOST_SAYS, "zygote": wire.ZYGOTE_SAYS}


@st.composite
def frames(draw: st.DrawFn, table: dict[str, tuple[type, ...]]) -> list[object]:
    kind = draw(st.sampled_from(sorted(table)))
    return [kind, *(draw(FIELD[part]) for part in table[kind])]


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
    said = data.draw(st.lists(frames(table), max_size=6))
    stream = b"".join(wire.encode(*frame) for frame in said)  # type: ignore[arg-type]
    decoder = wire.Decoder(table, 1 << 20)
    heard = [frame for piece in cut(stream, data) for frame in decoder.feed(piece)]
    assert heard == said


@pytest.mark.parametrize("role", ROLES)
@given(noise=st.lists(st.binary(max_size=200), max_size=8), limit=st.integers(0, 500))
def test_noise_is_a_protocol_error_or_nothing(role: str, noise: list[bytes], limit: int) -> None:
    decoder = wire.Decoder(ROLES[role], limit)
    failures: list[wire.ProtocolError] = []
    for piece in noise:
        try:
            decoder.feed(piece)
        except wire.ProtocolError as error:
            failures.append(error)
        else:
            assert not failures, "an error must be final"
    assert len({id(failure) for failure in failures}) <= 1


@pytest.mark.parametrize("role", ROLES)
@given(data=st.data(), place=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_a_spoiled_frame_is_another_frame_or_an_error(role: str, data: st.DataObject, place: int, byte: int) -> None:
    table = ROLES[role]
    stream = bytearray(wire.encode(*data.draw(frames(table))))  # type: ignore[arg-type]
    stream[place % len(stream)] = byte
    try:
        for frame in wire.Decoder(table, 1 << 16).feed(bytes(stream)):
            assert frame[0] in table
            assert [type(field) for field in frame[1:]] == list(table[frame[0]])
    except wire.ProtocolError:
        pass


@given(
    words=st.sampled_from(["value", "exception", "cpu-limit", "denied", "early-exit"]),
    payload=st.binary(max_size=2000),
    note=st.binary(max_size=200),
    numbers=st.tuples(*[st.integers(0, 2**64 - 1)] * 5),
)
def test_the_fast_encoding_of_a_result_means_the_same(
    words: str, payload: bytes, note: bytes, numbers: tuple[int, ...]
) -> None:
    check, cpu, wall, peak, flags = numbers
    fast = wire.encode_result(check, words, payload, note, cpu, wall, peak, flags)
    slow = wire.encode("result", check, words, payload, note, cpu, wall, peak, flags)
    decode = [wire.Decoder(wire.ZYGOTE_SAYS, 1 << 20).feed(data) for data in (fast, slow)]
    assert decode[0] == decode[1] == [["result", check, words, payload, note, cpu, wall, peak, flags]]


@given(st.integers(1, 100))
def test_a_frame_over_the_limit_is_refused_by_its_length_alone(over: int) -> None:
    decoder = wire.Decoder(wire.ZYGOTE_SAYS, 100)
    with pytest.raises(wire.ProtocolError, match="the most is 100"):
        decoder.feed((100 + over).to_bytes(4, "big"))


@settings(max_examples=30)
@given(st.sampled_from(sorted(wire.HOST_SAYS)))
def test_a_side_cannot_say_what_only_the_other_one_says(kind: str) -> None:
    fields = [{int: 1, bytes: b"", str: ""}[part] for part in wire.HOST_SAYS[kind]]
    with pytest.raises(wire.ProtocolError):
        wire.Decoder(wire.ZYGOTE_SAYS, 1 << 16).feed(wire.encode(kind, *fields))
