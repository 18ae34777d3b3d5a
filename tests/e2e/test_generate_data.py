"""Generate on real functions: what it keeps, an independent replay reproduces; and killed runs end with the same bytes."""

import json
import random
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT, lacking
from tests.e2e.test_resume import kill_at_random_moments
from tests.support.helpers import Row, read_bytes, read_rows, reexec, write_rows
from tests.support.plain_pairs import replay

DATA = ROOT.parent / "shared" / "data" / "generators.jsonl.gz"
PRELUDE = tomllib.loads((ROOT / "policies" / "presets" / "codeio.toml").read_text())["prelude"]


def generators() -> list[Row]:
    if not DATA.is_file():
        lacking("../shared/data/generators.jsonl.gz, functions with generators")
    return read_rows(DATA)


def needs_more_than_numpy(row: Row) -> bool:
    return any(name in row["code_sample"] + row["input_generator"] for name in ("sympy", "scipy", "pandas", "yaml", "dateutil"))


def test_what_is_kept_of_a_sample_reproduces_in_plain_interpreters(tmp_path: Path) -> None:
    rows = [row for row in generators()[7::37] if not needs_more_than_numpy(row)][:36]
    source, output = write_rows(tmp_path / "rows.jsonl", rows), tmp_path / "functions.jsonl"
    done = reexec("generate", source, "-o", output, "--reader", "reasoning-gym", "--pairs", "4", "--calls", "300", "--json")
    told = done.summary
    assert told["functions_in"] == 36
    assert told["functions_kept"] >= 27, told["reasons"]
    assert told["rows"] + told["rejected"] == 36
    assert sum(told["reasons"].values()) == told["rejected"]
    assert replay(read_rows(output), sys.executable, PRELUDE) == []


@pytest.mark.slow
def test_the_whole_file(tmp_path: Path) -> None:
    """At least 85 % of all functions kept, 99.95 % of their pairs reproduced, every drop with its reason."""
    rows = generators()
    made = reexec("env", "create", tmp_path / "env", "--json", timeout=1800)
    python = str(tmp_path / "env" / "bin" / "python")
    if not {"numpy", "scipy", "pandas", "sympy"}.isdisjoint(made.summary["failed"]):
        lacking("a package registry")
    output = tmp_path / "functions.jsonl"
    done = reexec(
        "generate", DATA, "-o", output, "--reader", "reasoning-gym", "--python", python, "--json", timeout=7200,
    )  # fmt: skip
    told = done.summary
    assert told["engine_errors"] == 0
    assert told["functions_in"] == told["rows"] + told["rejected"] == len(rows)
    assert told["functions_kept"] >= 0.85 * len(rows), told["reasons"]
    assert sum(told["reasons"].values()) == len(read_rows(tmp_path / "functions.rejects.jsonl")) == told["rejected"]
    kept = read_rows(output)
    failed = replay(kept, python, PRELUDE)
    assert len(failed) <= 0.0005 * told["pairs_kept"], failed[:3]


def quick_rows(count: int) -> list[Row]:
    """Functions that take a moment each, one in ten dropped, one in fifteen no row at all."""
    source = random.Random(5)
    rows: list[Row] = []
    for number in range(count):
        body = "return n + random.random()" if number % 10 == 4 else f"return sum(range(n)) % {source.randint(5, 99)}"
        rows.append(
            {
                "task_description": f"Task {number}",
                "input_output_spec": "n (int)",
                "code_sample": f"# {number}\nimport random\ndef main_solution(n):\n    {body}\n",
                "input_generator": "def generate_inputs(rng):\n    return {'n': rng.randint(1, 20_000)}\n",
            }
            if number % 15 != 8
            else {"task_description": number}
        )
    return rows


@pytest.mark.parametrize(
    ("kills", "count"), [pytest.param(2, 60, id="two kills"), pytest.param(10, 700, id="ten kills", marks=pytest.mark.slow)]
)
def test_a_killed_generate_ends_with_the_files_of_one_left_in_peace(kills: int, count: int, tmp_path: Path) -> None:
    source, output = write_rows(tmp_path / "rows.jsonl", quick_rows(count)), tmp_path / "out.jsonl"
    command = ["generate", str(source), "-o", str(output), "--reader", "reasoning-gym", "--pairs", "3"]
    progress = list(kill_at_random_moments([*command, "--workers", "2"], output, kills, seed=7))
    assert progress == sorted(progress), "a killed run never loses what it had"
    assert any(0 < lines < count for lines in progress), f"no kill in the middle: {progress}"
    names = ("out.jsonl", "out.drops.jsonl", "out.rejects.jsonl")
    done = reexec(*command, "--json", timeout=600)
    assert done.code == 1, done.err
    killed = [read_bytes(tmp_path / name) for name in names]
    again = reexec(*command, "--json", "--overwrite", "--workers", "4", timeout=600)
    assert [read_bytes(tmp_path / name) for name in names] == killed
    for field in ("rows", "rejected", "functions_in", "functions_kept", "pairs_kept", "reasons", "pair_reasons"):
        assert done.summary[field] == again.summary[field], field
    assert json.dumps(done.summary["rows"] + done.summary["rejected"]) == str(count)
