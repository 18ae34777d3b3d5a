"""Tests that run beside their solution: what passes, and what a solution cannot change about them."""

from collections.abc import Iterator

import pytest

from reexec import Executor, Policy
from reexec.runners.graders.plan import inside

NODE = "class Node:\n    def __init__(self, n):\n        self.n = n\n"


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor(Policy.preset("grade"), workers=1) as found:
        yield found


def kind(executor: Executor, solution: str, test: str, setup: str = "") -> str:
    outcome = executor.submit(inside("asserts", "run"), [solution, setup, test]).result()
    return "passes" if outcome.ok and outcome.value is True else outcome.kind


@pytest.mark.parametrize(
    ("solution", "test"),
    [
        (NODE + "def f(node):\n    return node.n", "assert f(Node(3)) == 3"),
        (NODE + "def f(n):\n    return Node(n)", "assert f(3).n == 3\nassert isinstance(f(1), Node)"),
        ("from collections import OrderedDict\ndef f():\n    return OrderedDict(a=1)", "assert f() == {'a': 1}"),
        ("import numpy\ndef f():\n    return numpy.float64(1.5)", "assert f() == 1.5"),
        ("def f(kind):\n    return kind('3')", "assert f(int) == 3"),
        (
            "def f(n):\n    if n < 0:\n        raise ValueError(n)",
            "try:\n    f(-1)\n    assert False\nexcept ValueError:\n    pass",
        ),
        (
            "def f(n):\n    return n",
            "import math\nfrom os.path import join\nassert math.isclose(f(3), 3)\nassert join('a', 'b')",
        ),
        ("class A:\n    def m(self):\n        return [1]", "assert A().m() == [1]"),
        ("f = lambda n: n + 1", "assert f(1) == 2"),
    ],
)
def test_honest_solutions_pass(executor: Executor, solution: str, test: str) -> None:
    assert kind(executor, solution, test) == "passes"


CLOSE = "import math\nassert math.isclose(f(1), 2)\nassert abs(f(2) - 4) < 1e-9\nassert round(f(3)) == 6"


@pytest.mark.parametrize(
    "trick",
    [
        "import math\nmath.isclose = lambda *a, **k: True",
        "import sys, types\nsys.modules['math'] = types.SimpleNamespace(isclose=lambda *a: True)",
        "import builtins\nbuiltins.abs = builtins.round = lambda *a: 0",
        "abs = lambda x: 0",
        "import builtins\nbuiltins.__import__ = None",
        "import builtins\nbuiltins.AssertionError = type('Quiet', (Exception,), {})",
        "import sys\nsys.settrace(lambda *a: None)",
        "math = None",
        "__builtins__ = {}",
        "def check(f): pass",
        "import builtins\nbuiltins.exec = builtins.compile = print",
    ],
)
def test_no_trick_changes_what_the_test_uses(executor: Executor, trick: str) -> None:
    assert kind(executor, f"{trick}\ndef f(n):\n    return 2 * n", CLOSE) == "passes"
    assert kind(executor, f"{trick}\ndef f(n):\n    return 3 * n", CLOSE) == "exception"


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ("type('L', (), {'__eq__': lambda s, o: True})()", "exception"),
        ("type('L', (int,), {'__eq__': lambda s, o: True})(5)", "exception"),
        ("type('L', (), {'__getattr__': lambda s, n: 3})()", "exception"),
        ("[type('L', (float,), {'__eq__': lambda s, o: True, '__hash__': None})(5)]", "exception"),
        ("exit(0)", "early-exit"),
        ("__import__('os')._exit(0)", "early-exit"),
    ],
)
def test_results_that_lie_do_not_pass(executor: Executor, result: str, said: str) -> None:
    assert kind(executor, f"def f():\n    return {result}", "assert f() == 3 or f() == [3]") == said


@pytest.mark.parametrize("end", ["if False:\n", "x = \\", 'x = """', "@print\n", "(", "# \\"])
def test_the_end_of_a_solution_reaches_no_test(executor: Executor, end: str) -> None:
    assert kind(executor, f"def f():\n    return 1\n{end}", "assert f() == 2") == "exception"
