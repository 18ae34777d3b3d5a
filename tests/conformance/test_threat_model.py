"""The page of promises names what tries to break them: every case by its name, and nothing that is not there."""

import fnmatch
import re

from reexec.engine.conformance import suite_cases
from tests.attacks.harness import corpus
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")


def promises() -> list[str]:
    section = PAGE.partition("\n## Promises\n")[2].partition("\n## ")[0]
    return re.split(r"\n- (?=\*\*)", section)[1:]


def named(promise: str) -> set[str]:
    return set(re.findall(r"`([\w./*-]+)`", promise.partition("\n\n")[2]))


def test_every_case_is_named_by_a_promise_and_every_name_exists() -> None:
    cases = {case.id for case in [*corpus(), *suite_cases()]} | {"secret-reach", "secret-search"}
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    found = set().union(*map(named, promises()))
    patterns = [name for name in found if "*" in name]
    assert [pattern for pattern in patterns if not fnmatch.filter(cases, pattern)] == []
    unnamed = {case for case in cases - found if not any(fnmatch.fnmatchcase(case, pattern) for pattern in patterns)}
    assert unnamed == set(), "cases that no promise names"
    for name in found - cases - set(patterns):
        assert (ROOT / name).is_file() if "/" in name else re.search(rf"^def {name}\(", text, re.MULTILINE), name


def test_every_promise_names_what_tries_to_break_it() -> None:
    assert len(promises()) > 15
    assert [promise.splitlines()[0] for promise in promises() if not named(promise) and "reliability.md" not in promise] == []
