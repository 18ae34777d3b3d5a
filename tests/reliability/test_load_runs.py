"""The short form of `make load`: two runs over a hundred rows, one of them under load that a control process proves.
Deadlines are tested in tests/integration/test_load.py."""

from pathlib import Path

from tests.reliability.load import same_bytes
from tests.support.helpers import FUNCTIONS, example_responses, write_rows


def test_a_run_under_load_writes_the_bytes_of_an_idle_one(tmp_path: Path) -> None:
    responses = write_rows(tmp_path / "responses.jsonl", example_responses()[::2])
    rows = same_bytes(FUNCTIONS, responses, tmp_path, 2)
    assert len(rows) >= 100
