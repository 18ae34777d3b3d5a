"""The bundled examples, from the command line to the verdicts that they announce."""

import re
import shlex
from collections import Counter
from pathlib import Path

import pytest

from tests.support.helpers import FUNCTIONS, RESPONSES, SMALL, Row, read_rows, reexec

WORDS = sorted({row["expected_verdict"] for row in read_rows(RESPONSES)})


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("examples") / "verified.jsonl"
    done = reexec("verify", RESPONSES, "-f", FUNCTIONS, "-o", output, *SMALL, "--json")
    assert (done.code, done.err) == (0, "")
    return output


def test_nothing_is_off_the_diagonal(verified: Path) -> None:
    table = Counter((row["expected_verdict"], row["verdict"]) for row in read_rows(verified))
    assert not {pair: count for pair, count in table.items() if pair[0] != pair[1]}
    assert len(table) == len(WORDS) >= 12


def test_rows_keep_their_fields_their_order_and_their_text(verified: Path) -> None:
    for given, line in zip(RESPONSES.read_bytes().splitlines(), verified.read_bytes().splitlines(), strict=True):
        assert line.startswith(given.rstrip()[:-1])
    for row in read_rows(verified):
        assert row.keys() >= {"res", "verdict", "function_id", "pair_id", "id"}
        assert row["res"].keys() == {"status", "message"}
        assert row["res"]["message"]


def first(verified: Path, word: str) -> Row:
    return next(row for row in read_rows(verified) if row["verdict"] == word)


@pytest.mark.parametrize("word", WORDS)
def test_explain_shows_a_row_of_every_verdict(word: str, verified: Path) -> None:
    row = first(verified, word)
    done = reexec("explain", verified, row["id"], *SMALL, env={"COLUMNS": "300"})
    assert (done.code, done.err) == (0, "")
    assert re.search(rf"verdict\s+{word}\b", done.out)
    assert "expected output" in done.out
    assert "feedback" in done.out
    assert "def main_solution" in done.out


@pytest.mark.parametrize("word", ["accepted", "wrong-answer", "runtime-error"])
def test_the_line_that_explain_ends_with_repeats_the_call(word: str, verified: Path) -> None:
    row = next(row for row in read_rows(verified) if row["verdict"] == word and row["io_pred"] == "i")
    done = reexec("explain", verified, row["id"], "--no-run", env={"COLUMNS": "300"})
    words = shlex.split(done.out.splitlines()[-1])
    assert words[:2] == ["reexec", "call"]
    again = reexec(*words[1:])
    assert again.code == (0 if word == "accepted" else 1)
    assert f'"verdict": "{word}"' in again.out


def test_explain_finds_rows_by_line_and_refuses_what_is_not_there_or_not_unique(verified: Path) -> None:
    assert reexec("explain", verified, ":243", "--no-run").code == 0
    for wanted in (":244", "no such id", ""):
        done = reexec("explain", verified, wanted, "--no-run")
        assert done.code == 2
        assert str(verified) in done.one_line()


def test_the_bundled_functions_are_reproducible(tmp_path: Path) -> None:
    done = reexec("audit", FUNCTIONS, "-o", tmp_path / "report.jsonl", "--json")
    assert done.code == 0
    assert done.summary["reproducible"] == done.summary["pairs"] > 150
