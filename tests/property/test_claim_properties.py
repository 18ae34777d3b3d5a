"""The zygote's reading of what a hostile child writes: by length, the first whole final claim, nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from reexec.engine.protocol import claim

LIMIT = 1000
BYTES = st.integers(0, 255)
LENGTHS = st.integers(0, 2**32 - 1) | st.integers(0, 2 * LIMIT)
WORDS = st.sampled_from(sorted(claim.BYTE_OF))
CLAIMS = st.tuples(WORDS, st.binary(max_size=400), st.binary(max_size=60), st.integers(0, 0x7F))


def read(pieces: list[bytes]) -> tuple[object, claim.Reader]:
    reader = claim.Reader(LIMIT)
    for piece in pieces:
        found = reader.feed(piece)
        if found is not None:
            return found, reader
    return None, reader


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


@given(CLAIMS, st.lists(st.integers(0, 90), max_size=12), st.binary(max_size=50))
def test_a_claim_is_read_whole_in_any_pieces_and_what_follows_is_not(
    said: tuple[str, bytes, bytes, int], sizes: list[int], after: bytes
) -> None:
    word, payload, note, flags = said
    data = claim.pack(word, payload, note, flags)
    assert read(cut(data + after, sizes))[0] == (word, payload, note, flags)


@given(CLAIMS, st.lists(CLAIMS, max_size=3), st.lists(st.integers(0, 90), max_size=12))
def test_provisional_claims_wait_for_the_final_one(
    final: tuple[str, bytes, bytes, int], before: list[tuple[str, bytes, bytes, int]], sizes: list[int]
) -> None:
    provisional = [claim.pack(word, payload, note, flags | claim.PROVISIONAL) for word, payload, note, flags in before]
    found, reader = read(cut(b"".join(provisional), sizes))
    assert found is None
    assert reader.provisional == (before[-1] if before else None)
    assert read(cut(b"".join(provisional) + claim.pack(*final), sizes))[0] == final


@given(CLAIMS, st.integers(0, 500))
def test_a_part_of_a_claim_is_no_claim(said: tuple[str, bytes, bytes, int], at: int) -> None:
    data = claim.pack(*said)
    assert read([data[: at % len(data)]])[0] is None


@given(st.lists(st.binary(max_size=100), max_size=8))
def test_noise_is_nothing_or_forged_or_a_word_of_the_table(pieces: list[bytes]) -> None:
    found, _ = read(pieces)
    assert found is None or (isinstance(found, tuple) and found[0] in claim.BYTE_OF)


@given(st.binary(min_size=2, max_size=2) | st.just(claim.MAGIC), BYTES, BYTES, LENGTHS, LENGTHS)
def test_a_forged_header_never_makes_the_reader_wait_for_more_than_it_may_hold(
    magic: bytes, kind: int, flags: int, length: int, note: int
) -> None:
    header = claim.HEADER.pack(magic, kind, flags, length, note)
    reader = claim.Reader(LIMIT)
    found = reader.feed(header)
    if magic != claim.MAGIC or kind not in claim.KINDS or note > claim.NOTE_BYTES:
        assert found == claim.FORGED
    elif length > LIMIT:
        assert found is not None
        assert found[0] == "output-limit"
    elif length or note:
        assert found is None


@given(st.one_of(CLAIMS.map(lambda said: claim.pack(*said)), st.binary(max_size=60)), st.binary(max_size=20))
def test_the_short_way_agrees_with_the_reader(data: bytes, after: bytes) -> None:
    for text in (data, data + after):
        short = claim.read_whole(text, LIMIT)
        if short is not None:
            assert read([text])[0] == short


@given(CLAIMS)
def test_the_short_way_takes_every_plain_claim(said: tuple[str, bytes, bytes, int]) -> None:
    assert claim.read_whole(claim.pack(*said), LIMIT) == said


def test_words_that_judge_cannot_be_claimed() -> None:
    for word in ("accepted", "wrong-answer", "cpu-limit", "wall-limit", "denied", "engine-error", "nondeterministic"):
        assert word not in claim.BYTE_OF
