"""Results that hang on where objects lie in memory differ between the runs of a proof."""

import json

from reexec import Executor, Policy, Program, load_policy
from reexec.runners.proof.seeds import MORE_SEEDS, SEEDS, reseeded

ORDER = Program(
    """
class Node:
    def __init__(self, name):
        self.name = name

def f(n):
    return [node.name for node in {Node(name) for name in range(n)}]
""",
    "f",
)
POLICY = load_policy("codeio")


def orders(policies: list[Policy]) -> set[str]:
    found = set()
    for policy in policies:
        with Executor(policy, workers=1) as executor:
            outcome = executor.submit(ORDER, [7]).result(60)
            assert sorted(outcome.value) == list(range(7))
            found.add(json.dumps(outcome.value))
    return found


def test_the_runs_of_a_proof_see_a_small_set_of_objects_in_different_orders() -> None:
    assert len(orders([reseeded(POLICY, *seeds) for seeds in (*SEEDS, *MORE_SEEDS)])) >= 4
