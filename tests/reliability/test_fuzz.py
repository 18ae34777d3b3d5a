"""The short form of `make fuzz`."""

from tests.reliability import fuzz_host
from tests.reliability.fuzz import fuzz


def test_thirty_thousand_spoiled_frames_are_errors_or_what_was_said() -> None:
    count = fuzz(30_000, seed=7)
    assert count.errors > 1000
    assert count.taken > 1000
    assert count.outcomes > 1000


def test_no_response_claim_or_row_raises_or_takes_long() -> None:
    count = fuzz_host.fuzz(1500, seed=7)
    assert not count.late
    assert count.answers > 100
    assert count.accepted > 100
