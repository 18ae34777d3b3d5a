"""Programs that would give another answer if something of an earlier call were left: the same words and values in a fork of
their own, in shared ones, and where they are made to share against the rule."""

import json
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from reexec import Check, Executor, Program, load_policy
from reexec.engine import units
from reexec.engine.conformance import Case
from reexec.engine.conformance.case import REFUSED
from reexec.engine.pool import sharing
from reexec.engine.pool.job import Caller, Job
from reexec.engine.protocol import claim, frames
from reexec.policies.model import Execution, IsolationLevel, Policy
from tests.attacks.harness import corpus, offered

CASES = tomllib.loads(Path(__file__).with_name("shared_forks.toml").read_text())["cases"]
CALLS = 12


def policy(execution: str) -> Policy:
    return load_policy("codeio", settings=[f"execution={execution}", "limits.cpu_s=0.5", "limits.idle_s=0.5"])


@pytest.fixture(scope="module")
def executors() -> Iterator[dict[str, Executor]]:
    """`against`: where programs are made to share against the rule. What it learns of one it believes of no other."""
    with (
        Executor(policy("call"), workers=1) as call,
        Executor(policy("batch"), workers=1) as batch,
        Executor(policy("batch"), workers=1) as against,
    ):
        yield {"call": call, "batch": batch, "against": against}


def checks(name: str) -> list[Check]:
    case = CASES[name]
    forged = repr(claim.pack("value", b"%3d"))
    source = case["source"].replace("CLAIM", f"({forged} % n + {forged} % (n + 1))")
    expects = case.get("expects", "n")
    return [Check(Program(source, "f"), [n], eval(expects, {"n": n})) for n in range(CALLS)]


def results(executor: Executor, name: str) -> list[tuple[str, Any]]:
    varies = CASES[name].get("value_varies")
    return [
        (verdict.word, verdict.outcome.value if verdict.outcome and verdict.outcome.ok and not varies else None)
        for verdict in executor.check_many(checks(name))
    ]


@cache
def alone(executor: Executor, name: str) -> list[tuple[str, Any]]:
    return results(executor, name)


@pytest.mark.parametrize("name", CASES)
def test_a_call_in_a_fork_of_its_own_gets_the_word_that_is_written(name: str, executors: dict[str, Executor]) -> None:
    case = CASES[name]
    words = [case.get("words", {}).get(str(n), case.get("word_instead", case["word"])) for n in range(CALLS)]
    if case.get("forges"):  # a claim for its own check counts as if it were returned
        words = ["accepted"] * CALLS
    assert [word for word, _ in alone(executors["call"], name)] == words


@pytest.mark.parametrize("name", CASES)
def test_words_and_values_are_the_same_where_checks_may_share_a_fork(name: str, executors: dict[str, Executor]) -> None:
    assert results(executors["batch"], name) == alone(executors["call"], name)


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].get("caught")])
def test_a_program_that_shares_against_the_rule_is_found_out(
    name: str, executors: dict[str, Executor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second layer by itself: confirmations, and what calls say alone."""
    monkeypatch.setattr(sharing, "may_vary", lambda source: False)
    monkeypatch.setattr(units, "UNIT_OPTIONS", frames.SHARE_ALWAYS)
    before = executors["against"].statistics()
    assert results(executors["against"], name) == alone(executors["call"], name)
    after = executors["against"].statistics()
    assert after.units > before.units
    assert after.unit_disagreements == before.unit_disagreements + 1


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 40
    assert sum(bool(case.get("caught")) for case in CASES.values()) >= 25


def in_batches(case: Case, isolation: IsolationLevel) -> Policy:
    return case.policy(isolation).model_copy(update={"execution": Execution.BATCH})


def may_share(case: Case) -> bool:
    """Others run in a fork of their own whatever the policy says, and test_corpus.py shows what comes of that."""
    job = Job(Program(case.program, case.entry), b"", 0, lambda job: None, Caller())
    return not sharing.policy_shares(in_batches(case, IsolationLevel.NSJAIL)) and not sharing.check_shares(job)


def of_corpus() -> Iterator[Any]:
    for case in corpus():
        yield pytest.param(case, id=case.id, marks=[] if case.short and may_share(case) else [pytest.mark.slow])


def test_enough_of_the_corpus_may_share() -> None:
    assert sum(case.short and may_share(case) for case in corpus()) >= 30


@pytest.fixture(scope="module")
def many_at_once() -> Iterator[dict[str, Executor]]:
    made: dict[str, Executor] = {}
    yield made
    for executor in made.values():
        executor.shutdown()


@pytest.mark.parametrize("case", list(of_corpus()))
def test_an_attack_among_checks_that_may_share_gets_its_word(case: Case, many_at_once: dict[str, Executor]) -> None:
    isolation = next(offer.isolation for offer in offered() if offer.available)
    expected = case.expected(isolation)
    if expected == REFUSED:
        pytest.skip("this isolation level refuses the policy")
    policy = in_batches(case, isolation)
    executor = many_at_once.get(policy.digest)
    if executor is None:
        executor = many_at_once[policy.digest] = Executor(policy, workers=1, isolation=isolation)
    check = Check(Program(case.program, case.entry), json.loads(case.call), json.loads(case.value))
    for verdict in executor.check_many([check] * 3):
        assert verdict.outcome is not None
        assert verdict.word == expected or verdict.word in case.widened, verdict.outcome.describe()
