"""The list of mutants fits the code: every text occurs exactly once, every test is there, and a sample is really killed."""

import re
import subprocess
import sys
from collections import Counter

import pytest

from tests.mutants.run import Ended
from tests.mutants.table import ROOT, Mutant, load

MUTANTS = load()
SAMPLE = ["comparator-2", "size-4", "wire-4", "pool-1", "files-14", "batch-17", "cache-1", "rewards-1", "service-1"]
LEAST = {
    "comparator": 15, "size": 10, "wire": 15, "pool": 15, "jail": 15, "limits": 12, "files": 12, "stages": 12, "infer": 12,
    "batch": 25, "cache": 25, "commands": 15, "rewards": 20, "service": 20, "graders": 30, "merge": 12,
    "answers": 10, "readers": 25, "sharing": 15,
}  # fmt: skip


def test_there_are_enough_of_every_kind() -> None:
    counts = Counter(mutant.area for mutant in MUTANTS)
    assert counts.total() >= 430
    assert {area: counts[area] for area, least in LEAST.items() if counts[area] < least} == {}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_fits_the_code_and_its_test_is_there(mutant: Mutant) -> None:
    source = (ROOT / mutant.file).read_text(encoding="utf-8")
    mutated = mutant.apply(source)
    assert mutated != source
    if mutant.file.endswith(".py"):
        compile(mutated, mutant.file, "exec")
    for test in mutant.test.split():
        path, _, name = test.partition("::")
        text = (ROOT / path).read_text(encoding="utf-8")
        name = name.partition("[")[0]
        assert not name or re.search(rf"^def {name}\(", text, re.M), test


def test_no_mutant_is_there_twice() -> None:
    seen = Counter((mutant.file, mutant.text, mutant.replacement) for mutant in MUTANTS)
    assert [each for each, count in seen.items() if count > 1] == []


def test_a_sample_is_killed() -> None:
    """All of them: `make mutants`."""
    command = [sys.executable, "-m", "tests.mutants.run", "--jobs", "1", *(f"--name={name}" for name in SAMPLE)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith(f": {len(SAMPLE)} killed")


@pytest.mark.parametrize(
    ("ended", "word"),
    [
        (Ended(1, 3, 0, 1.0), "killed"),
        (Ended(1, 0, 9, 1.0), "killed"),
        (Ended(None, 0, 0, 9.0), "killed (time)"),
        (Ended(0, 1, 5, 1.0), "survived"),
        (Ended(0, 0, 1, 1.0), "skipped"),
        (Ended(5, 0, 0, 1.0), "broken"),  # no test was found
        (Ended(2, 0, 0, 1.0), "broken"),  # not even collected
        (Ended(-11, 0, 0, 1.0), "broken"),
    ],
)
def test_only_a_test_that_fails_or_hangs_has_killed(ended: Ended, word: str) -> None:
    assert ended.word == word


TABLE = """
import sys
from tests.mutants import run
from tests.mutants.run import Ended
from tests.mutants.table import Mutant

file, text = "engine/pool/retry.py", "KILLS_BELIEVED = 3"
tests = "tests/unit/test_retry.py::test_three_kills_in_a_row_are_the_programs_own"
run.load = lambda: [
    Mutant("made", 1, file, text, "KILLS_BELIEVED = 1", tests),
    Mutant("made", 2, file, text, "KILLS_BELIEVED = 3 ", tests),
    Mutant("made", 3, file, "KILLS_NOT_BELIEVED = 3", "x", tests),
    Mutant("made", 4, file, text, "KILLS_BELIEVED = 1", "tests/unit/test_retry.py::test_that_is_not_there"),
]
sys.exit(run.main(["--jobs", "2"]))
"""


def test_what_is_not_killed_fails_the_run_with_its_word() -> None:
    done = subprocess.run([sys.executable, "-c", TABLE], cwd=ROOT, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith(": 1 broken, 1 killed, 1 stale, 1 survived"), done.stdout
