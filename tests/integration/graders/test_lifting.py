"""Assertions become calls with the expected values on the host; what cannot is run as it is, and says why."""

from collections.abc import Iterator

import pytest

from reexec import Executor, Policy
from reexec.runners.graders.assertions import ProblemTest, plan_assertions, prepared
from reexec.runners.graders.flow import Attempt, run_attempts
from reexec.runners.graders.lifting import judge_tree, lift_all
from reexec.runners.graders.lifting.lift import Lifted


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor(Policy.preset("grade"), workers=1) as found:
        yield found


def lift(executor: Executor, source: str) -> Lifted:
    ((lifted, _),) = list(lift_all(executor, [(source, None)]))
    return lifted


@pytest.mark.parametrize(
    ("assertion", "right", "wrong"),
    [
        ("f(1) == 2", 2, 3),
        ("f(1) == 2", 2.0, "2"),
        ("f([1, (2,)]) == {'a': (1, 2)}", {"a": (1, 2)}, {"a": [1, 2]}),
        ("f(1) != 2", 3, 2),
        ("not f(1)", [], [0]),
        ("f(1)", "x", ""),
        ("abs(f(1.5) - 6.0 / 5.0) < 1e-6", 1.2, 1.3),
        ("abs(f(1.5) - 6.0 / 5.0) < 1e-6", 1.2, None),
        ("f(1) in (1, 2)", 2, 3),
        ("f(1) not in [1, 2]", 3, 2),
        ("2 in f(1)", {2, 3}, {3}),
        ("set(f(1)) == {1, 2}", [2, 1, 1], [1]),
        ("sorted(f(1)) == [1, 2]", [2, 1], [2, 2]),
        ("sorted(f(1), reverse=True) == [2, 1]", (1, 2), (1, 1)),
        ("math.isclose(f(1), 0.5, rel_tol=1e-3)", 0.5001, 0.51),
        ("math.isclose(f(1), 0.5, abs_tol=0.1)", 0.55, 0.7),
        ("math.isclose(f(1), 0.5, rel_tol=1e-9, abs_tol=0.1)", 0.55, 0.7),
        ("f(1) is None", None, 0),
        ("f(1) is True", True, 1),
        ("0 < f(1) <= 3 and len(str(f(1))) == 1", 3, 4),
        ("f(1) == 1 or f(1) == 2", 2, 3),
        ("f(1)[0] == 4", [4, 5], [5]),
        ("[f(1), 2] == [1, 2]", 1, 2),
        ("round(f(1), 2) == 0.33", 0.333, 0.34),
        ("f(-1) == -(2 ** 3)", -8, 8),
        ("tuple(f(1)) == tuple([1, 2])", [1, 2], [2, 1]),
        ("isinstance(f(1), list)", [], ()),
        ("isinstance(f(1), (int, type(None)))", None, "x"),
        ("not isinstance(f(1), str)", 1, "x"),
        ("type(f(1)) == int", 1, True),
        ("type(f(1)) is not str", 1, "x"),
        ("all(f(n) == 5 for n in (1, 2))", 5, 4),
        ("any(f(n) > n for n in range(3) if n)", 2, 0),
        ("[f(n) for n in range(2)] == ['a', 'a']", "a", "b"),
        ("{f(n) for n in range(2)} == {'a'}", "a", "b"),
        ("sum(f(n) for n in range(4)) == 4", 1, 2),
    ],
)
def test_an_assertion_becomes_a_condition_on_the_value(
    executor: Executor, assertion: str, right: object, wrong: object
) -> None:
    lifted = lift(executor, f"import math\nassert {assertion}, 'a message'")
    assert not lifted.refused
    (check,) = lifted.checks
    count = len(check.calls)
    assert judge_tree(check.tree, [right] * count) == ""
    assert judge_tree(check.tree, [wrong] * count) != ""


def test_loops_helpers_and_set_up_code_are_run_and_not_parsed(executor: Executor) -> None:
    source = """
import random
def expected(n):
    return n * n
rng = random.Random(1)
def check(candidate):
    for n in range(3):
        assert candidate(n, key=rng.randint(0, 9)) == expected(n)
check(square)
"""
    lifted = lift(executor, source)
    assert [(name, call.args, set(call.kwargs)) for check in lifted.checks for name, call in check.calls] == [
        ("square", (n,), {"key"}) for n in range(3)
    ]
    assert [judge_tree(check.tree, [n * n]) for n, check in enumerate(lifted.checks)] == ["", "", ""]


def test_arguments_are_those_at_the_time_of_the_call(executor: Executor) -> None:
    lifted = lift(executor, "x = [1]\nassert f(x) == 1\nx.append(2)\nassert f(x) == 2")
    assert [check.calls[0][1].args for check in lifted.checks] == [([1],), ([1, 2],)]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("assert g(f(1)) == 2", "passed on"),
        ("x = f(1)\nx.sort()\nassert x == [1]", "computes with a returned value"),
        ("if f(1):\n    pass", "computes with a returned value"),
        ("assert f(Node(1)) == 2", "passed on"),
        ("abs = len\nassert abs(f(1)) == 2", "computes with a returned value"),  # a name of the test's own
        (
            "def isclose(a, b):\n    return True\nisclose = isclose\nassert isclose(f(1), 2)",
            "no assertion about a function under test",
        ),
        ("assert f(int) == 2", "type"),
        ("try:\n    f(1)\nexcept ValueError:\n    pass\nassert f(2) == 1", "handles exceptions"),
        ("assert 1 == 2", "whatever the functions return"),
        ("raise KeyError(1)", "KeyError"),
        ("assert f(", "not Python"),
        ("f(1)", "no assertion"),
        ("x = f(1)\nif x is None:\n    assert f(3) == 4\nassert f(2) == 1", "computes with a returned value"),
        ("y = f(1) is not None\nassert y or f(2) == 1", "computes with a returned value"),
        ("assert f(2) == 1 if isinstance(f(1), int) else True", "computes with a returned value"),
        ("assert id(f(1)) and f(2) == 1", "computes with a returned value"),
        ("assert callable(f(1)) or f(2) == 1", "computes with a returned value"),
        ("import numbers\nx = f(1)\ny = isinstance(x, numbers.Number)\nassert f(2) == 1", "computes with a returned value"),
        ("def safe(x):\n    return f'{x}'\nassert safe(f(1)) or f(2) == 1", "computes with a returned value"),
        ("match f(1):\n    case None:\n        pass\nassert f(2) == 1", "matches patterns"),
        ("assert isinstance(f(1), range)", "a type that is not plain"),
        ("import collections\nassert isinstance(f(1), collections.abc.Sized)", "a type that is not plain"),
        ("import os\nos._exit(0)\nassert f(1) == 1", "early-exit"),
    ],
)
def test_what_cannot_be_lifted_says_why(executor: Executor, source: str, why: str) -> None:
    assert why in lift(executor, source).refused


@pytest.mark.parametrize(
    ("assertion", "iterated"),
    [
        ("list(f(1)) == [1, 2]", {0}), ("[1, 2] == sorted(f(1), reverse=True)", {0}), ("2 in f(1)", {0}),
        ("set(f(1)) | {3}", None),
        ("sum(f(1)) == sum(f(2))", {0, 1}), ("max(f(1), 3) == 3", set()), ("f(1) in [2]", set()), ("f(1) == [1, 2]", set()),
        ("len(f(1)) == 2", set()), ("[list(f(1)), f(1)] == [[1], 1]", {0}),
    ],
)  # fmt: skip
def test_a_value_that_is_only_gone_through_may_be_an_iterator(
    executor: Executor, assertion: str, iterated: set[int] | None
) -> None:
    lifted = lift(executor, f"assert {assertion}")
    assert (None if lifted.refused else set(lifted.checks[0].iterated)) == iterated


def test_a_value_that_is_gone_through_twice_may_not(executor: Executor) -> None:
    (check,) = lift(executor, "x = f(1)\nassert list(x) == [1] and list(x) == []").checks
    assert not check.iterated


def test_no_value_makes_the_host_compute_without_bound(executor: Executor) -> None:
    for assertion, value in [("f(1) ** f(1) == 1", 10**6), ("f(1) * 'x' == ''", 10**12), ("f(1) * f(1) == 1", 1 << 900_000)]:
        (check,) = lift(executor, f"assert {assertion}").checks
        assert "cannot be decided" in judge_tree(check.tree, [value] * len(check.calls))


LISTED = "def f(n):\n    {}\nclass Solution:\n    def g(self, n):\n        return (each for each in range(n))\n"


@pytest.mark.parametrize(
    ("body", "assertion", "word"),
    [
        ("yield from range(n)", "list(f(3)) == [0, 1, 2]", "accepted"),
        ("yield from range(n)", "list(f(3)) == [0, 1]", "wrong-answer"),
        ("yield from range(n)", "f(3) == [0, 1, 2]", "bad-result"),
        ("return map(str, range(n))", "sorted(f(2)) == ['0', '1'] and '1' in f(2)", "accepted"),
        ("return {1: 2}.items()", "tuple(f(2)) == ((1, 2),)", "accepted"),
        ("return [0, 1]", "tuple(f(2)) == (0, 1)", "accepted"),
        ("return 'ab'", "list(f(2)) == ['a', 'b'] and 'ab' in f(2)", "accepted"),
        ("return n", "list(f(2)) == [0, 1]", "wrong-answer"),
        ("return object()", "list(f(2)) == [0, 1]", "runtime-error"),
        ("yield 1; 1 / 0", "list(f(2)) == [1]", "runtime-error"),
        ("pass", "sum(Solution().g(4)) == 6", "accepted"),
    ],
)
def test_what_returns_an_iterator_passes_where_the_test_goes_through_it(
    executor: Executor, body: str, assertion: str, word: str
) -> None:
    text = ProblemTest("", f"assert {assertion}")
    test = prepared(executor, [("p", text)])["p"]
    assert not test.lifted.refused
    (attempt,) = run_attempts(executor, [Attempt(plan_assertions(LISTED.format(body), test), "p")])
    assert [result.word for result in attempt.finished_results()] == [word]
