"""Every case of spec/attacks.md that one process can try: the word, and all that must hold afterwards."""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator

import pytest

from reexec import Program
from tests.attacks.harness import Benches, Case, load_cases

CASES = list(load_cases())
GROUPS = (
    *(str(number) for number in (1, 2, 3, 4, 5, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21)),
    *(str(number) for number in range(23, 32)),
    *("32", "32a", "32b", "33"),
)  # fmt: skip


@pytest.fixture(scope="module")
def benches() -> Iterator[Benches]:
    benches = Benches()
    yield benches
    benches.close()


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_an_attack_gets_its_word_and_leaves_the_worker_as_it_was(
    case: Case, benches: Benches, record_property: Callable[[str, object], None]
) -> None:
    bench = benches.of(case.settings)
    verdict = bench.run(case)
    assert verdict.outcome is not None
    value = verdict.outcome.value
    shown = f"{verdict.word}: {verdict.outcome.describe()}; value {value if type(value) is not int else hex(value)!r:.300}"
    if verdict.word in case.widened:
        record_property("widened", f"{case.id}: {verdict.word}")
        print(f"widened: {case.id} ended as {verdict.word}")
    else:
        assert verdict.word == case.expect, shown
    if case.says:
        assert re.search(case.says, verdict.outcome.describe()), shown
    limits = bench.executor.policy.limits
    if verdict.word == "cpu-limit":
        assert limits.cpu_s <= verdict.outcome.usage.cpu_s <= limits.cpu_s + case.late_s
    if verdict.word == "wall-limit":
        assert verdict.outcome.usage.wall_s >= limits.idle_s
        assert verdict.outcome.usage.cpu_s < limits.cpu_s
    for _ in range(case.runs - 1):
        again = bench.check(case)
        assert again.word == verdict.word
        assert again.outcome is not None
        assert again.outcome.value == verdict.outcome.value
    if case.then:
        nothing_left = bench.executor.check(Program(case.then, "f"), [], json.loads(case.then_value))
        assert nothing_left.word == "accepted", nothing_left


def test_ids_are_unique_and_begin_with_their_group() -> None:
    assert len({case.id for case in CASES}) == len(CASES)
    assert {case.group for case in CASES} >= set(GROUPS)


def test_every_group_has_a_benign_twin_that_is_accepted() -> None:
    twins = defaultdict(list)
    for case in CASES:
        twins[case.group].append(case.benign and case.expect == "accepted")
    assert [group for group, found in twins.items() if not any(found)] == []
