"""Every outcome has its word, with the caller's id; and a path shows any name on one line of ASCII."""

import json
import re

import pytest

from reexec import ComparisonRule
from reexec.engine.judging.paths import MAX_NAME, render_path
from reexec.engine.judging.verdict import VERDICT_WORDS, judge
from reexec.engine.outcome import KINDS, Outcome
from tests.conftest import ROOT

RULE = ComparisonRule.preset("codeio")
WORD_OF = {
    "value": "accepted",
    "exception": "runtime-error",
    "cpu-limit": "cpu-limit",
    "wall-limit": "wall-limit",
    "memory-limit": "memory-limit",
    "output-limit": "output-limit",
    "process-limit": "process-limit",
    "denied": "denied",
    "early-exit": "early-exit",
    "bad-result": "bad-result",
    "engine-error": "engine-error",
}


def test_the_words_are_those_that_are_documented() -> None:
    section = (ROOT / "docs" / "verdicts.md").read_text().partition("## The words")[2].partition("\n## ")[0]
    documented = re.findall(r"^\| `([a-z-]+)` \|", section, re.M)
    assert sorted(VERDICT_WORDS) == sorted(documented)
    assert sorted({*WORD_OF.values(), "wrong-answer", "no-answer", "nondeterministic"}) == sorted(documented)
    assert set(WORD_OF) == KINDS


@pytest.mark.parametrize("kind", WORD_OF)
def test_the_word_of_each_kind_of_outcome(kind: str) -> None:
    found = judge(Outcome(kind, 5), 5, RULE, "mine")  # type: ignore[arg-type]
    assert found.word == WORD_OF[kind]
    assert found.id == "mine"
    assert found.scored is (kind != "engine-error")
    assert found.accepted is (kind == "value")
    assert (found.comparison is None) is (kind != "value")


def test_a_wrong_value_says_where() -> None:
    found = judge(Outcome("value", {"a": [1, 2]}), {"a": [1, 3]}, RULE, 7)
    assert (found.word, found.id) == ("wrong-answer", 7)
    assert found.comparison is not None
    assert found.comparison.path == "$.a[1]"


def test_names_beyond_ascii_and_odd_ones_stand_in_quotes() -> None:
    assert render_path(["plain", 3, "two words", "\u00e9", "\ud800", 'q"', "\n"]) == (
        '$.plain[3]["two words"]["\\u00e9"]["\\ud800"]["q\\""]["\\n"]'
    )


def test_a_name_of_megabytes_is_cut() -> None:
    shown = render_path(["x" * 5_000_000])
    assert shown == "$[" + json.dumps("x" * MAX_NAME)[:-1] + '..."]'
    assert render_path(["x" * MAX_NAME]) == "$." + "x" * MAX_NAME
