"""Which programs may share a fork among their checks: none that could leave a mark for the next one."""

import tomllib
from pathlib import Path

import pytest

from reexec.engine.zygote.sharing import reason_against

PROGRAMS = tomllib.loads(Path(__file__).with_name("sharing.toml").read_text())


@pytest.mark.parametrize("name", PROGRAMS["shares"])
def test_programs_that_leave_no_mark_share(name: str) -> None:
    assert reason_against(PROGRAMS["shares"][name]) == ""


@pytest.mark.parametrize("name", PROGRAMS["refused"])
def test_programs_that_could_leave_a_mark_do_not(name: str) -> None:
    assert reason_against(PROGRAMS["refused"][name]) != ""


@pytest.mark.parametrize(
    "source",
    ["(" * 5000 + ")" * 5000, "x" + ".a" * 100_000, "-" * 100_000 + "1", "\\0", "\\ud800 = 1"],
    ids=["brackets", "dots", "signs", "nul", "surrogate"],
)
def test_the_rule_is_total(source: str) -> None:
    assert isinstance(reason_against(source), str)
