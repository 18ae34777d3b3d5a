"""Every case of the corpus on every isolation level that this host offers: the word, and all that must hold afterwards.

By default the strongest isolation level runs all of it and the others the short form; `make attacks` runs all on all
and prints the table.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from reexec.engine.conformance import Benches, Case
from reexec.policies.model import IsolationLevel
from tests.attacks.harness import corpus, offered
from tests.attacks.table import RESULTS
from tests.conftest import lacking

CASES = list(corpus())
GROUPS = (
    *(str(number) for number in (1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22)),
    *(str(number) for number in range(23, 32)),
    *("32", "32a", "32b", "33", "37", "channel", "neighbours", "waiting", "uncounted", "hostfiles", "kernel"),
)  # fmt: skip


def runs() -> Iterator[Any]:
    first = True
    for offer in offered():
        for case in CASES:
            marks = [pytest.mark.slow] if not (first or case.short or not offer.available) else []
            if offer.available or case is CASES[0]:  # one skip tells it
                yield pytest.param(offer.isolation, case, offer.reason, id=f"{offer.isolation.value}-{case.id}", marks=marks)
        first = first and not offer.available


@pytest.fixture(scope="module")
def benches() -> Iterator[Callable[[IsolationLevel], Benches]]:
    made: dict[IsolationLevel, Benches] = {}
    yield lambda isolation: made.setdefault(isolation, Benches(isolation))
    for benches in made.values():
        benches.close()


@pytest.mark.parametrize(("isolation", "case", "reason"), list(runs()))
def test_an_attack_gets_its_word_and_leaves_the_worker_as_it_was(
    isolation: IsolationLevel, case: Case, reason: str, benches: Callable[[IsolationLevel], Benches]
) -> None:
    if reason:
        lacking(reason)
    result = benches(isolation).run(case)
    RESULTS.append(result)
    assert not result.faults, "\n".join(result.faults)


def test_ids_are_unique_and_begin_with_their_group() -> None:
    assert len({case.id for case in CASES}) == len(CASES)
    assert {case.group for case in CASES} == set(GROUPS)


def test_every_group_has_a_benign_twin_that_is_accepted() -> None:
    twins = defaultdict(list)
    for case in CASES:
        twins[case.group].append(case.benign and case.expect == "accepted")
    assert [group for group, found in twins.items() if not any(found)] == []
