"""The zygote's reading of what a hostile child writes: by length, where it lies, the first whole final claim, nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from reexec.engine.protocol import claim

LIMIT = 1000
START = 64
BYTES = st.integers(0, 255)
LENGTHS = st.integers(0, 2**32 - 1) | st.integers(0, 2 * LIMIT)
Said = tuple[str, bytes, bytes, int]
WORDS = st.sampled_from(sorted(set(claim.BYTE_OF) - {"code"}))
PARTS = st.tuples(st.binary(max_size=400), st.binary(max_size=60))
CLAIMS = st.tuples(WORDS, PARTS, st.booleans()).map(
    lambda said: (said[0], *said[1], claim.ARGUMENTS_CHANGED * (said[2] and said[0] == "value"))
)
EXCEPTIONS = PARTS.map(lambda parts: claim.pack("exception", *parts, claim.PROVISIONAL))


class Channel:
    """A Reader and the memory that it reads in."""

    def __init__(self, *, compiles: bool = False) -> None:
        self.memory = bytearray(START + claim.room(LIMIT))
        self.reader = claim.Reader(memoryview(self.memory))
        self.reader.begin(START, LIMIT, compiles=compiles)

    def feed(self, pieces: list[bytes]) -> claim.Ending | None:
        """As pipes deliver: no more at once than the reader has room for."""
        for piece in pieces:
            while piece:
                free = self.reader.free()
                assert len(free), "the reader waits for more than it has room for"
                taken = piece[: len(free)]
                free[: len(taken)] = taken
                found = self.reader.took(len(taken))
                if found is not None:
                    return found
                piece = piece[len(taken) :]
        return None

    def said(self, ending: claim.Ending | None) -> Said | None:
        """What an ending stands for."""
        if ending is None:
            return None
        if ending.at < 0:
            return claim.WORDS[ending.kind], ending.text, b"", ending.flags
        note = ending.at + ending.payload_bytes
        payload = bytes(self.memory[ending.at : note])
        return claim.WORDS[ending.kind], payload, bytes(self.memory[note : note + ending.note_bytes]), ending.flags


def read(pieces: list[bytes], *, compiles: bool = False) -> Said | None:
    channel = Channel(compiles=compiles)
    return channel.said(channel.feed(pieces))


FORGED = (claim.WORDS[claim.FORGED.kind], claim.FORGED.text, b"", 0)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


@given(CLAIMS, st.lists(st.integers(0, 90), max_size=12), st.binary(max_size=50))
def test_a_claim_is_read_whole_in_any_pieces_and_what_follows_is_not(said: Said, sizes: list[int], after: bytes) -> None:
    assert read(cut(claim.pack(*said) + after, sizes)) == said


@given(CLAIMS, PARTS, st.lists(st.integers(0, 90), max_size=12))
def test_a_provisional_exception_waits_for_the_final_claim(final: Said, before: tuple[bytes, bytes], sizes: list[int]) -> None:
    provisional = claim.pack("exception", *before, claim.PROVISIONAL)
    channel = Channel()
    assert channel.feed(cut(provisional, sizes)) is None
    assert channel.said(channel.reader.provisional) == ("exception", *before, 0)
    assert read(cut(provisional + claim.pack(*final), sizes)) == final


@given(EXCEPTIONS, EXCEPTIONS)
def test_there_is_one_provisional_claim(first: bytes, second: bytes) -> None:
    assert read([first + second]) == FORGED


@given(CLAIMS, st.integers(1, 255))
def test_only_an_exception_is_provisional_and_only_a_value_says_that_its_arguments_changed(said: Said, flags: int) -> None:
    word, payload, note, _ = said
    allowed = (word == "exception" and flags == claim.PROVISIONAL) or (word == "value" and flags == claim.ARGUMENTS_CHANGED)
    assert (read([claim.pack(word, payload, note, flags)]) == FORGED) is not allowed


@given(PARTS)
def test_code_is_no_end_of_a_call(parts: tuple[bytes, bytes]) -> None:
    assert read([claim.pack("code", *parts)]) == FORGED
    assert read([claim.pack("code", *parts)], compiles=True) == ("code", *parts, 0)


@given(CLAIMS, st.integers(0, 500))
def test_a_part_of_a_claim_is_no_claim(said: Said, at: int) -> None:
    data = claim.pack(*said)
    assert read([data[: at % len(data)]]) is None


@given(st.lists(st.binary(max_size=100), max_size=8))
def test_noise_is_nothing_or_forged_or_a_word_of_the_table(pieces: list[bytes]) -> None:
    found = read(pieces)
    assert found is None or found[0] in claim.BYTE_OF


@given(st.binary(min_size=2, max_size=2) | st.just(claim.MAGIC), BYTES, BYTES, LENGTHS, LENGTHS)
def test_a_forged_header_never_makes_the_reader_wait_for_more_than_it_has_room_for(
    magic: bytes, kind: int, flags: int, length: int, note: int
) -> None:
    channel = Channel()
    found = channel.said(channel.feed([claim.HEADER.pack(magic, kind, flags, length, note)]))
    if magic != claim.MAGIC or kind not in claim.KINDS or kind == claim.BYTE_OF["code"] or note > claim.NOTE_BYTES:
        assert found == FORGED
    elif found is None:
        assert length <= LIMIT
        assert channel.feed([bytes(length + note)]) is not None or channel.reader.provisional is not None


@given(EXCEPTIONS | st.just(b""), st.integers(LIMIT + 1, 2**32 - 1))
def test_a_payload_over_the_limit_is_known_by_its_length_alone(before: bytes, length: int) -> None:
    found = read([before + claim.header("value", length)])
    assert found is not None
    assert found[0] == "output-limit"


def test_words_that_judge_cannot_be_claimed() -> None:
    for word in ("accepted", "wrong-answer", "cpu-limit", "wall-limit", "denied", "engine-error", "nondeterministic"):
        assert word not in claim.BYTE_OF
