"""The list of mutants fits the code: every text occurs exactly once, every test is there, and a sample is really killed."""

import re
import subprocess
import sys
from collections import Counter

import pytest

from tests.mutants.table import ROOT, Mutant, load

MUTANTS = load()
SAMPLE = ["comparator-2", "size-4", "wire-4", "pool-1", "files-14"]
LEAST = {"comparator": 15, "size": 10, "wire": 15, "pool": 15, "jail": 15, "limits": 12, "files": 12, "stages": 12, "infer": 12}


def test_there_are_enough_of_every_kind() -> None:
    counts = Counter(mutant.area for mutant in MUTANTS)
    assert counts.total() >= 120
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
    assert done.stdout.rstrip().endswith(f"{len(SAMPLE)} killed")
