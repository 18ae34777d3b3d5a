"""Every outcome has its word, with the caller's id; and a path shows any name on one line of ASCII."""

import json

import pytest

from reexec import ComparisonRule
from reexec.engine.judging.paths import MAX_NAME, render_path
from reexec.engine.judging.verdict import VERDICT_WORDS, judge
from reexec.engine.outcome import KINDS, Outcome

RULE = ComparisonRule.preset("codeio")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_word_of_each_kind_of_outcome(kind: str) -> None:
    found = judge(Outcome(kind, 5), 5, RULE, "mine")  # type: ignore[arg-type]
    assert found.word == {"value": "accepted", "exception": "runtime-error"}.get(kind, kind)
    assert found.word in VERDICT_WORDS
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
