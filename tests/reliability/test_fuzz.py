"""The short form of `make fuzz`."""

from tests.reliability.fuzz import fuzz


def test_thirty_thousand_spoiled_frames_are_errors_or_what_was_said() -> None:
    count = fuzz(30_000, seed=7)
    assert count.errors > 1000
    assert count.taken > 1000
    assert count.outcomes > 1000
