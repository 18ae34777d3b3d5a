"""Group 28: an expected value never enters the jail. The search is shown to work on what is there."""

import secrets
from pathlib import Path

import pytest

from reexec import Check, Executor, Program, load_policy
from reexec.engine import conformance

SEARCH = Program((Path(conformance.__file__).parent / "inside" / "search.py.txt").read_text(encoding="utf-8"), "search")
POLICY = load_policy("codeio", settings=["limits.cpu_s=20", "limits.idle_s=20"])


def planted() -> str:
    return "planted-" + secrets.token_hex(16)


@pytest.fixture(scope="module")
def executor() -> object:
    with Executor(POLICY, workers=1) as executor:
        yield executor


def test_the_search_finds_what_is_in_the_jail(executor: Executor) -> None:
    hint = planted()
    found, pages = executor.submit(SEARCH, [hint]).result().value
    assert found == [hint]
    assert pages > 500, "the memory was not read"


def test_no_expected_value_is_found_from_inside(executor: Executor) -> None:
    with Executor(POLICY, workers=1) as fresh:
        verdict = fresh.check(SEARCH, [], planted())
        assert verdict.outcome is not None
        assert verdict.outcome.value[0] == []
        assert verdict.word == "wrong-answer"


def test_no_expected_value_of_checks_before_and_after_is_found() -> None:
    """Other checks are on their way to the same worker while the search runs."""
    quick = Program("def f(n):\n    return n", "f")
    with Executor(POLICY, workers=1) as fresh:
        checks = [Check(quick, [n], planted(), id=n) for n in range(20)]
        checks.insert(5, Check(SEARCH, [], planted(), id="search"))
        verdicts = {verdict.id: verdict for verdict in fresh.check_many(checks)}
    outcome = verdicts["search"].outcome
    assert outcome is not None
    assert outcome.value[0] == []
    assert {verdict.word for verdict in verdicts.values()} == {"wrong-answer"}


def test_nothing_of_the_caller_is_found(executor: Executor, tmp_path: Path) -> None:
    """Neither its environment, nor its command line, nor its files."""
    canary = tmp_path / "canary"
    canary.write_text("caller's")
    places = [str(canary), str(Path.cwd() / "pyproject.toml"), "/etc/passwd", "/proc"]
    program = Program(
        "import os, sys\ndef f(places):\n"
        "    return [sorted(os.environ), sys.argv, [place for place in places if os.path.exists(place)]]",
        "f",
    )
    environment, arguments, found = executor.submit(program, [places]).result().value
    assert "PYTEST_CURRENT_TEST" not in environment
    assert arguments == ["-c"]
    assert found == []
