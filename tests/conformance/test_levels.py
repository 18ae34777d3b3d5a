"""The suite that ships with the package, over every isolation level of this host: as who runs the tests, and as an
ordinary user."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reexec.engine.conformance import Offer, run_conformance, suite_cases
from reexec.engine.conformance.outside import processes_of_workers
from reexec.engine.conformance.suite import exceptions
from reexec.engine.jail import interpreter
from reexec.engine.jail.binds import out_of_reach, wanted_binds
from reexec.engine.jail.entry import restrict
from reexec.policies.model import IsolationLevel
from tests.attacks.harness import offered
from tests.conftest import ROOT, lacking

NOBODY = 65534
LEVELS = [IsolationLevel.NSJAIL_CGROUP, IsolationLevel.NSJAIL, IsolationLevel.RESTRICTED]

AS_SOMEBODY = """
import json, sys
from reexec.engine.conformance import offer, run_conformance
isolation, short = sys.argv[1], sys.argv[2] == "short"
reason = offer(isolation).reason
results = [] if reason else run_conformance(isolation=isolation, short=short)
print(json.dumps({"reason": reason, "results": [[r.case.id, r.word, list(r.faults)] for r in results]}))
"""


def of(isolation: IsolationLevel) -> Offer:
    found = next(offer for offer in offered() if offer.isolation is isolation)
    if found.reason:
        lacking(found.reason)
    return found


@pytest.mark.parametrize("isolation", LEVELS)
def test_a_level_holds_the_contract_in_its_short_form(isolation: IsolationLevel) -> None:
    of(isolation)
    before = set(processes_of_workers())  # of an ordinary user these are all children, the tests' own helpers too
    results = run_conformance(isolation=isolation, short=True)
    assert len(results) > 20
    assert [(result.case.id, result.faults) for result in results if result.faults] == []
    assert set(processes_of_workers()) <= before


@pytest.mark.slow
@pytest.mark.parametrize("isolation", LEVELS)
def test_a_level_holds_the_contract(isolation: IsolationLevel) -> None:
    of(isolation)
    results = run_conformance(isolation=isolation)
    assert {result.case.id for result in results} >= {case.id for case in suite_cases()} | {"secret-reach", "secret-search"}
    assert [(result.case.id, result.faults) for result in results if result.faults] == []


def as_nobody(isolation: IsolationLevel, form: str) -> None:
    """As uid 65534 with nothing of root's, in an interpreter that this uid is shown where it could not go."""
    if os.geteuid() != 0:
        lacking("only root can become another user")
    task = {
        "uid": NOBODY,
        "gid": NOBODY,
        "keep": [],
        "hidden": [bind.target for bind in wanted_binds(interpreter.ask()) if out_of_reach(bind.target)],
        "fixed_addresses": False,
        "limits": {},
    }
    if out_of_reach(str(ROOT)):
        lacking(f"{ROOT} is closed to others")
    command = [sys.executable, "-I", "-S", restrict.__file__, json.dumps(task), "--"]
    done = subprocess.run(
        [*command, sys.executable, "-B", "-c", AS_SOMEBODY, isolation.value, form, "planted-" + "0123456789abcdef" * 2],
        capture_output=True,
        text=True,
        env={"HOME": "/nonexistent", "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "SECRET": "planted-" + "0" * 32},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    if report["reason"]:
        lacking(report["reason"])
    assert len(report["results"]) > 20
    assert [result for result in report["results"] if result[2]] == []


def test_an_ordinary_users_restricted_level_holds_the_contract() -> None:
    as_nobody(IsolationLevel.RESTRICTED, "short")


@pytest.mark.slow
@pytest.mark.parametrize("isolation", [IsolationLevel.NSJAIL, IsolationLevel.RESTRICTED])
def test_an_ordinary_users_levels_hold_the_whole_contract(isolation: IsolationLevel) -> None:
    as_nobody(isolation, "all")


def test_every_exception_stands_in_the_threat_model_with_its_reason() -> None:
    from tests.attacks.harness import corpus

    text = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
    rows = {tuple(cell.strip() for cell in line.strip("|").split("|")) for line in text.splitlines() if line.startswith("|")}
    missing = [
        row for row in exceptions([*corpus(), *suite_cases()]) if (f"`{row[0]}`", row[1], f"`{row[2]}`", row[3]) not in rows
    ]
    assert missing == []


def test_the_suite_ships_with_the_package() -> None:
    import reexec.engine.conformance as suite

    folder = Path(suite.__file__).parent
    assert list(folder.glob("cases/*.toml"))
    assert {path.name for path in folder.glob("inside/*")} >= {"probe.py.txt", "search.py.txt", "reach.py.txt"}
