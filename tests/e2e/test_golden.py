"""What every stage writes from the examples and the sample data is, byte for byte, what is recorded.

`make test` does the parts that take seconds; `make test-slow` all of them. A change that means to change a file runs
`python -m tests.e2e.golden FOLDER --write` and says in its commit which rule changed it.
"""

import json
from pathlib import Path

import pytest

from tests.conftest import lacking
from tests.e2e.golden import DATA, DIGESTS, PARTS, run_part
from tests.support.helpers import COMMAND

SHORT = ("examples", "transform")


@pytest.mark.parametrize("part", [part if part in SHORT else pytest.param(part, marks=pytest.mark.slow) for part in PARTS])
def test_the_files_are_as_recorded(part: str, tmp_path: Path) -> None:
    if any("{d}" in command for command in PARTS[part]) and not DATA.is_dir():
        lacking(f"the sample data is not in {DATA.name}")
    assert run_part(part, tmp_path / part, COMMAND) == json.loads(DIGESTS.read_text())[part]


def test_every_part_has_recorded_digests() -> None:
    recorded = json.loads(DIGESTS.read_text())
    assert recorded.keys() == PARTS.keys()
    assert all(recorded.values())
