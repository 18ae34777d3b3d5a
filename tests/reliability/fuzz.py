"""Spoils bytes between worker and host, and between program and zygote, and looks at what comes out.

    python -m tests.reliability.fuzz --frames 1000000          (`make fuzz`)

Three targets share the frames. Whatever the bytes:

    worker    the real Worker over a socket pair: WorkerDiedError or answers, each for the check it was said for, with a payload
              that stands in the bytes as they were sent, no check lost; read_outcome makes an Outcome of each
    decoder   frames.Decoder in both roles: ProtocolError or frames of the table, never more memory than a frame may have
    claims    claim.Reader: nothing, FORGED, or a claim of the table that stands in the bytes

Anything else that is raised, a frame that was made up, or memory that grows, ends the run with the seed to repeat it.
"""

import argparse
import json
import random
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reexec.engine.decoding import read_outcome
from reexec.engine.outcome import KINDS, Outcome
from reexec.engine.pool.answer import KILLED, Answer
from reexec.engine.pool.worker import WorkerDiedError
from reexec.engine.protocol import claim, frames
from tests.reliability.hand_made import INFO, HandMade

MAX_FRAME = 1 << 12
INTERESTING = bytes([0, 1, 0x7F, 0x80, 0x90, 0xC0, 0xC1, 0xC4, 0xC6, 0xCF, 0xD9, 0xDD, 0xDF, 0xFF])
PAYLOADS = [
    b"1",
    b"null",
    b'{"a": [1, 2.5, "x"]}',
    b"[" * 300,
    b'{"!": "t", "v": [1]}',
    b"9" * 5000,
    b"NaN",
    b'"\\ud800"',
    b"{",
    b"",
]
REPORTS = [
    b"{}",
    b'{"type": "E", "message": "m", "lines": [[1, "f"]]}',
    b'{"code": 3}',
    b'{"path": "$", "reason": 7}',
    b"[]",
    b"\xff",
]
NOTES = [b"", b'["clock"]', b"[1, {}]", b"{", b"\xff\xfe", b"[" * 2000]


@dataclass
class Count:
    frames: int = 0
    errors: int = 0
    """ProtocolErrors and workers given up."""
    taken: int = 0
    """Frames and claims that passed, spoiled or not."""
    outcomes: int = 0
    grown_kib: int = 0
    seconds: float = 0.0


def spoil(data: bytes, source: random.Random) -> bytes:
    """`data` with one to four changes: a bit, a byte, a cut, a repetition, something inserted."""
    spoiled = bytearray(data)
    for _ in range(source.choice((1, 1, 1, 2, 4))):
        if not spoiled:
            break
        at = source.randrange(len(spoiled))
        match source.randrange(7):
            case 0:
                spoiled[at] ^= 1 << source.randrange(8)
            case 1:
                spoiled[at] = source.choice(INTERESTING)
            case 2:
                spoiled[at] = source.randrange(256)
            case 3:
                del spoiled[at : at + source.randint(1, 8)]
            case 4:
                spoiled[at:at] = source.randbytes(source.randint(1, 8))
            case 5:
                spoiled += spoiled[at : at + 40]
            case _:
                del spoiled[at:]
    return bytes(spoiled)


def number(source: random.Random) -> int:
    return source.choice((0, 1, 255, 256, 2**31, 2**32, 2**63, 2**64 - 1))


def result(check_id: int, source: random.Random) -> bytes:
    kind = source.choice((1, 1, *sorted(claim.WORDS), 0, 255))
    payload = source.choice(PAYLOADS if kind == 1 else REPORTS)
    note, flags = source.choice(NOTES), source.randrange(4)
    return frames.encode(
        frames.Result(check_id, kind, flags, number(source), 10, number(source), payload, note, source.choice(NOTES[:3]), b"")
    )


# -- targets ----------------------------------------------------------------------------------------------------------


class WorkerTarget:
    """Checks in flight, their answers spoiled on the way."""

    def __init__(self) -> None:
        self.peer: HandMade | None = None

    def fresh(self) -> HandMade:
        """A worker that is up. The process behind it is the same all the time: starting one costs more than 100 frames."""
        if self.peer is None:
            self.peer = HandMade()
        else:
            self.peer.renew()
        self.peer.say(frames.Hello(INFO))
        self.peer.worker.receive()
        return self.peer

    def run(self, source: random.Random, count: Count) -> None:
        peer = self.fresh()
        jobs = [peer.give() for _ in range(source.randint(1, 6))]
        peer.said_by_host()
        pieces = [result(job.tag, source) for job in jobs]
        bad = source.randrange(len(pieces))
        pieces[bad] = spoil(pieces[bad], source)
        if source.random() < 0.1:
            source.shuffle(pieces)
        sent = b"".join(pieces)
        count.frames += len(pieces)
        peer.say(sent)
        answered: list[Any] = []
        try:
            for _ in range(2):
                for job, answer in peer.worker.receive():
                    assert answer.payload in sent, "a payload that nobody sent"
                    answered.append(job)
                    self.read(answer, count)
        except WorkerDiedError:
            count.errors += 1
        left = [*answered, *peer.worker.in_flight]
        assert list(map(id, left)) == list(map(id, jobs)), "a check is lost, doubled or out of order"
        count.taken += len(answered)

    @staticmethod
    def read(answer: Answer, count: Count) -> None:
        for options in (frames.WATCH_ARGUMENTS, frames.WATCH_ARGUMENTS | frames.PYTHON_VALUES):
            outcome = read_outcome(answer, options, MAX_FRAME)
            assert type(outcome) is Outcome
            assert outcome.kind in KINDS
            said = "exception" if answer.kind == KILLED else answer.kind
            assert outcome.kind in (said, "bad-result", "output-limit"), "a kind that nobody said"
            if outcome.kind == "value":
                assert said == "value"
                if not options & frames.PYTHON_VALUES:
                    json.dumps(outcome.value)
            count.outcomes += 1


def decoder_target(source: random.Random, count: Count) -> None:
    table, encode = source.choice(((frames.ZYGOTE_SAYS, result), (frames.HOST_SAYS, _check)))
    decoder = frames.Decoder(table, MAX_FRAME)
    pieces = [encode(number(source), source) for _ in range(4)]
    stream = b"".join(spoil(piece, source) if source.random() < 0.3 else piece for piece in pieces)
    count.frames += len(pieces)
    step = source.choice((1 << 16, 50, 7))
    try:
        for at in range(0, len(stream), step):
            for frame in decoder.feed(stream[at : at + step]):
                assert frames.encode(frame) in stream, "bytes that nobody sent"
                count.taken += 1
            assert len(decoder._buffer) <= MAX_FRAME + step + frames.LENGTH.size
    except frames.ProtocolError:
        count.errors += 1


def _check(check_id: int, source: random.Random) -> bytes:
    call = source.randbytes(source.randrange(40))
    return frames.encode(frames.Check(check_id, source.getrandbits(32), source.randrange(16), call))


def claim_target(source: random.Random, count: Count) -> None:
    limit = 500
    memory = bytearray(claim.room(limit))
    reader = claim.Reader(memoryview(memory))
    reader.begin(0, limit, compiles=source.random() < 0.5)
    word = source.choice(sorted(claim.BYTE_OF))
    flags = source.choice((0, 0, 1, claim.PROVISIONAL))
    pieces = [claim.pack(word, source.choice(PAYLOADS[:5]), source.choice(NOTES[:4]), flags), claim.pack("value", b"1")]
    stream = spoil(b"".join(pieces), source)
    count.frames += len(pieces)
    step = source.choice((1 << 16, 9, 1))
    at = 0
    while at < len(stream):
        free = reader.free()
        piece = stream[at : at + min(step, len(free))]
        assert piece, "the reader waits for more than it has room for"
        free[: len(piece)] = piece
        at += len(piece)
        found = reader.took(len(piece))
        if found is not None:
            _check_claim(found, memory, stream)
            count.taken += 1
            break
    if reader.provisional is not None:
        _check_claim(reader.provisional, memory, stream)
        assert claim.WORDS[reader.provisional.kind] == "exception"


def _check_claim(found: claim.Ending, memory: bytearray, stream: bytes) -> None:
    assert found.kind in claim.KINDS
    assert not found.flags & claim.PROVISIONAL
    if found.at >= 0:
        size = found.payload_bytes + found.note_bytes
        assert memory[found.at : found.at + size] in stream


# -- the run ----------------------------------------------------------------------------------------------------------


def resident_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def fuzz(frames: int, seed: int = 1) -> Count:
    """Raises AssertionError, or whatever the targets raised, with the round's seed in a note."""
    count = Count()
    worker = WorkerTarget()
    targets: list[Callable[[random.Random, Count], None]] = [worker.run, decoder_target, claim_target]
    began = time.monotonic()
    warm = 0
    round_number = 0
    try:
        while count.frames < frames:
            round_number += 1
            source = random.Random(f"{seed} {round_number}")
            try:
                targets[round_number % 3](source, count)
            except Exception as error:
                error.add_note(f"seed {seed}, round {round_number}")
                raise
            if not warm and count.frames > min(frames / 2, 20_000):
                warm = resident_kib()
    finally:
        if worker.peer is not None:
            worker.peer.close()
    count.grown_kib = resident_kib() - warm
    count.seconds = round(time.monotonic() - began, 1)
    assert count.grown_kib < 16 << 10, f"memory grew by {count.grown_kib} KiB"
    return count


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print(fuzz(arguments.frames, arguments.seed))


if __name__ == "__main__":
    main()
