"""The wire exactly at its bounds: notes, payloads, provisional claims, frames; and reports whose numbers are booleans."""

import json
from typing import Any

import pytest

from reexec.engine.decoding import read_outcome
from reexec.engine.pool.answer import Answer
from reexec.engine.protocol import claim, frames

LIMIT = 100_000
WORDS = sorted(set(claim.BYTE_OF) - {"code"})


def read(data: bytes, *, compiles: bool = False, limit: int = LIMIT) -> claim.Ending | None:
    memory = memoryview(bytearray(claim.room(limit)))
    reader = claim.Reader(memory)
    reader.begin(0, limit, compiles=compiles)
    found = None
    while data and found is None:
        free = reader.free()
        assert len(free), "the reader waits for more than it has room for"
        taken = data[: len(free)]
        free[: len(taken)] = taken
        found = reader.took(len(taken))
        data = data[len(taken) :]
    return found


@pytest.mark.parametrize("word", WORDS)
def test_a_note_may_have_its_bound_and_not_one_byte_more(word: str) -> None:
    found = read(claim.pack(word, b"{}", b"n" * claim.NOTE_BYTES))
    assert found is not None
    assert (found.kind, found.note_bytes) == (claim.BYTE_OF[word], claim.NOTE_BYTES)
    assert read(claim.pack(word, b"{}", b"n" * (claim.NOTE_BYTES + 1))) == claim.FORGED


def test_the_note_of_a_provisional_claim_has_the_same_bound() -> None:
    final = claim.pack("exception", b"{}", b"n" * claim.NOTE_BYTES)
    for size, fits in ((claim.NOTE_BYTES, True), (claim.NOTE_BYTES + 1, False)):
        found = read(claim.pack("exception", b"{}", b"n" * size, claim.PROVISIONAL) + final)
        assert (found == claim.FORGED) is not fits


@pytest.mark.parametrize("word", WORDS)
def test_a_payload_may_have_its_limit_and_not_one_byte_more(word: str) -> None:
    found = read(claim.pack(word, b"v" * LIMIT))
    assert found is not None
    assert (found.kind, found.payload_bytes) == (claim.BYTE_OF[word], LIMIT)
    assert read(claim.pack(word, b"v" * (LIMIT + 1))) == claim.TOO_LONG


def test_a_provisional_report_has_a_bound_of_its_own() -> None:
    final = claim.pack("exception", b"{}")
    at_bound = claim.pack("exception", b"p" * claim.REPORT_BYTES, b"", claim.PROVISIONAL)
    found = read(at_bound + final)
    assert found is not None
    assert (found.kind, found.payload_bytes) == (claim.BYTE_OF["exception"], 2)
    over = claim.pack("exception", b"p" * (claim.REPORT_BYTES + 1), b"", claim.PROVISIONAL)
    assert read(over + final) == claim.FORGED


def test_all_at_their_bounds_fit_the_readers_room() -> None:
    note = b"n" * claim.NOTE_BYTES
    provisional = claim.pack("exception", b"p" * claim.REPORT_BYTES, note, claim.PROVISIONAL)
    final = claim.pack("value", b"v" * LIMIT, note)
    assert len(provisional) + len(final) == claim.room(LIMIT)
    found = read(provisional + final)
    assert found is not None
    assert (found.payload_bytes, found.note_bytes) == (LIMIT, claim.NOTE_BYTES)


@pytest.mark.parametrize("word", sorted(claim.BYTE_OF))
@pytest.mark.parametrize("flags", [1, 2, 4, 0x40, 0x80, 0x81, 0xFF])
def test_flags_belong_to_one_kind_each(word: str, flags: int) -> None:
    compiles = word == "code"
    allowed = {("value", claim.ARGUMENTS_CHANGED), ("exception", claim.PROVISIONAL), ("code", claim.SHARES)}
    found = read(claim.pack(word, b"{}", b"", flags) + claim.pack("exception", b"{}"), compiles=compiles)
    assert (found != claim.FORGED) is ((word, flags) in allowed)


def test_while_compiling_only_code_may_be_long() -> None:
    assert read(claim.pack("exception", b"r" * claim.REPORT_BYTES), compiles=True) != claim.TOO_LONG
    assert read(claim.pack("exception", b"r" * (claim.REPORT_BYTES + 1)), compiles=True) == claim.TOO_LONG
    assert read(claim.pack("code", b"c" * LIMIT), compiles=True) != claim.TOO_LONG
    assert read(claim.pack("code", b"c" * (LIMIT + 1)), compiles=True) == claim.TOO_LONG


# -- frames ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", [frames.Retires(b"r" * 1000), frames.Result(1, 1, 0, 1, 1, 1, b"r" * 1000, b"", b"", b"")])
def test_the_largest_frame_passes_and_one_byte_more_does_not(frame: frames.Retires | frames.Result) -> None:
    body = frames.encode(frame)
    most = len(body) - frames.LENGTH.size
    assert frames.Decoder(frames.ZYGOTE_SAYS, most).feed(body) == [frame]
    with pytest.raises(frames.ProtocolError, match=f"a frame of {most} bytes, the most is {most - 1}"):
        frames.Decoder(frames.ZYGOTE_SAYS, most - 1).feed(body)


def test_an_empty_frame_and_one_without_its_numbers_are_refused() -> None:
    decoder = frames.Decoder(frames.ZYGOTE_SAYS, 100)
    with pytest.raises(frames.ProtocolError, match="unknown kind"):
        decoder.feed(frames.LENGTH.pack(0))
    code = next(code for code, layout in frames.ZYGOTE_SAYS.items() if layout.frame is frames.Result)
    with pytest.raises(frames.ProtocolError, match="Result: too short"):
        frames.Decoder(frames.ZYGOTE_SAYS, 100).feed(frames.LENGTH.pack(5) + bytes([code, 0, 0, 0, 0]))


@pytest.mark.parametrize("change", [-1, 1])
def test_lengths_of_blobs_must_add_up(change: int) -> None:
    body = bytearray(frames.encode(frames.Retires(b"four")))
    at = frames.LENGTH.size + 1
    body[at] += change
    with pytest.raises(frames.ProtocolError, match="its lengths do not fit"):
        frames.Decoder(frames.ZYGOTE_SAYS, 100).feed(bytes(body))


def test_after_an_error_nothing_is_read() -> None:
    decoder = frames.Decoder(frames.ZYGOTE_SAYS, 100)
    with pytest.raises(frames.ProtocolError) as first:
        decoder.feed(frames.LENGTH.pack(101))
    with pytest.raises(frames.ProtocolError) as second:
        decoder.feed(frames.encode(frames.Retires(b"r")))
    assert first.value is second.value


# -- reports --------------------------------------------------------------------------------------------------


def outcome(kind: str, report: Any) -> Any:
    return read_outcome(Answer(kind, json.dumps(report).encode()))


@pytest.mark.parametrize("code", [True, False, 1.0, "1", None, [1]])
def test_an_exit_code_is_an_integer_and_no_boolean(code: Any) -> None:
    found = outcome("early-exit", {"code": code})
    assert found.exit_status is None
    assert found.detail == "the program exited with code ?"


def test_line_numbers_are_integers_and_no_booleans() -> None:
    lines = [[True, "f"], [False, "g"], [3, "h"], [4.0, "i"], [5, 6], [7], ["8", "j"]]
    found = outcome("exception", {"type": "ValueError", "message": "", "lines": lines})
    assert found.exception.lines == ((3, "h"),)


@pytest.mark.parametrize("report", [None, 1, True, "x", [], [{}]])
@pytest.mark.parametrize("kind", ["exception", "early-exit", "bad-result", "memory-limit"])
def test_a_report_is_an_object(kind: str, report: Any) -> None:
    assert outcome(kind, report).kind == "bad-result"


def test_texts_of_a_report_are_texts() -> None:
    found = outcome("exception", {"type": True, "message": 5, "module": ["os"], "lines": {"a": 1}})
    assert (found.exception.type, found.exception.message, found.exception.missing_module) == ("Exception", "", None)
    assert found.exception.lines == ()


def test_sources_are_a_list_of_texts() -> None:
    for note, sources in (
        (b'["clock", 1, true, "id"]', ("clock", "id")),
        (b'{"clock": 1}', ()),
        (b"nonsense", ()),
        (b'"ab"', ()),
    ):
        assert read_outcome(Answer("value", b"1", note=note)).sources == sources


def test_a_value_may_have_the_limit_of_the_policy() -> None:
    answer = Answer("value", b'"' + b"v" * 98 + b'"')
    assert read_outcome(answer, 0, 100).kind == "value"
    assert read_outcome(answer, 0, 99).kind == "output-limit"


def test_changed_arguments_are_told_only_where_they_were_watched() -> None:
    answer = Answer("value", b"1", flags=claim.ARGUMENTS_CHANGED)
    assert read_outcome(answer, frames.WATCH_ARGUMENTS).arguments_changed is True
    assert read_outcome(answer._replace(flags=0), frames.WATCH_ARGUMENTS).arguments_changed is False
    assert read_outcome(answer).arguments_changed is None
