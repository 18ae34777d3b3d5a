"""Tests that cannot be lifted, judged apart from their solution: as Python judges them, and out of the solution's reach."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reexec import Executor, Policy, UsageError
from reexec.rewards import Reward
from reexec.runners.graders import apart
from reexec.runners.graders.assertions import AssertionTest, ProblemTest, dialogue_of, plan_assertions, prepared
from reexec.runners.graders.flow import FIRST_TESTS, Attempt, run_attempts
from reexec.runners.graders.plan import Plan
from tests.support.helpers import read_rows, reexec, write_rows

CODEC = "def encode(s):\n    return s[::-1] + '!'\ndef decode(s):\n    return s[:-1][::-1]\n"
CODEC_TEST = """
import random
def check(candidate):
    rng = random.Random(3)
    for _ in range(6):
        word = ''.join(rng.choice('abcde') for _ in range(5))
        assert candidate(encode(word)) == word
    assert encode('a') != 'a'
check(decode)
"""
ROOT = "def poly(xs, x):\n    return sum(c * x ** i for i, c in enumerate(xs))\ndef root(xs):\n    return -xs[0] / xs[1]\n"
ROOT_TEST = "import math\nassert math.fabs(poly([6, 2], root([6, 2]))) < 1e-6\n"
PARTS = "def parts(n):\n    if n < 0:\n        raise ValueError('negative')\n    return list(range(n))\n"
LOOP_TEST = """
found = parts(4)
assert isinstance(found, list)
total = 0
for each in found:
    total += each
found.sort(reverse=True)
assert total == 6 and found[0] == 3
if parts(0):
    raise RuntimeError('not empty')
"""
RAISES_TEST = """
class raises:
    def __init__(self, kind):
        self.kind = kind
    def __enter__(self):
        return self
    def __exit__(self, kind, value, trace):
        assert kind is not None and issubclass(kind, self.kind), 'nothing was raised'
        return True
try:
    parts(-1)
    assert False
except ValueError as error:
    assert 'negative' in str(error)
with raises(ValueError):
    parts(-2)
assert all(len(parts(n)) == n for n in [0, 1, 2])
"""
KNOWN = [
    (CODEC, CODEC_TEST, CODEC.replace("'!'", "'?!'")),
    (CODEC, CODEC_TEST, CODEC.replace("s[:-1][::-1]", "s[:-1]")),
    (ROOT, ROOT_TEST, ROOT.replace("-xs[0]", "xs[0]")),
    (PARTS, LOOP_TEST, PARTS.replace("range(n)", "range(n + 1)")),
    (PARTS, LOOP_TEST, PARTS.replace("list(range(n))", "None")),
    (PARTS, RAISES_TEST, PARTS.replace("n < 0", "n < -1")),
    (PARTS, RAISES_TEST, PARTS.replace("ValueError", "KeyError")),
]


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    policy = Policy.preset("grade")
    limits = policy.limits.model_copy(update={"cpu_s": 1.0, "idle_s": 1.0, "confirm": False})
    with Executor(policy.model_copy(update={"limits": limits}), workers=2) as found:
        yield found


def words(executor: Executor, test: AssertionTest, *solutions: str) -> list[str]:
    attempts = [Attempt(plan_assertions(solution, test), None) for solution in solutions]
    return [each.finished_results()[0].word for each in run_attempts(executor, attempts)]


def holds(solution: str, test: str) -> bool:
    """What plain Python says, for programs of our own."""
    space: dict[str, object] = {}
    try:
        exec(compile(solution + "\n" + test, "plain.py", "exec"), space)
    except Exception:
        return False
    return True


@pytest.mark.parametrize(("right", "test", "wrong"), KNOWN)
def test_the_verdict_is_that_of_plain_python(executor: Executor, right: str, test: str, wrong: str) -> None:
    ready = prepared(executor, [("one", ProblemTest("", test, right))])["one"]
    assert ready.lifted.refused
    assert ready.apart
    assert [word == "accepted" for word in words(executor, ready, right, wrong)] == [True, False]
    assert (holds(right, test), holds(wrong, test)) == (True, False)


@pytest.mark.parametrize(
    ("test", "solution"),
    [
        ("assert f(f(1)).n == 1", "class N(int):\n    n = 1\ndef f(x):\n    return N(x)\n"),
        ("assert f(lambda n: n + 1) == 2", "def f(g):\n    return g(1)\n"),
    ],
)
def test_what_cannot_be_exchanged_stays_beside_the_solution(executor: Executor, test: str, solution: str) -> None:
    ready = prepared(executor, [("one", ProblemTest("", test, solution))])["one"]
    assert (bool(ready.lifted.refused), ready.apart) == (True, None)
    assert plan_assertions(solution, ready).lifted == 0


def test_a_problem_without_its_own_solution_is_not_judged_apart(executor: Executor) -> None:
    assert prepared(executor, [("one", ProblemTest("", LOOP_TEST, None))])["one"].apart is None


CHEATS = [
    "class Liar(str):\n    def __eq__(self, other):\n        return True\n    __hash__ = str.__hash__\n"
    "def encode(s):\n    return Liar('x')\ndef decode(s):\n    return Liar('y')\n",
    "class Any:\n    def __eq__(self, other):\n        return True\n    def __ne__(self, other):\n        return True\n"
    "def encode(s):\n    return Any()\ndecode = encode\n",
    "import os\ndef encode(s):\n    os._exit(0)\ndecode = encode\n",
    "import sys\ndef encode(s):\n    sys.exit(0)\ndecode = encode\n",
    "import builtins, random\nbuiltins.AssertionError = ValueError\nrandom.Random = lambda n: None\n"
    "def encode(s):\n    return 'x'\ndecode = encode\n",
    "import gc, sys\ndef encode(s):\n    frame = sys._getframe()\n    while frame:\n        frame.f_globals['check'] = print\n"
    "        frame.f_globals['known'] = []\n        frame = frame.f_back\n    return 'x'\ndecode = encode\n",
    "def encode(s):\n    raise AssertionError\ndecode = encode\n",
    "def encode(s):\n    return {'end': '', 'raised': None}\ndecode = encode\n",
    "def check(candidate):\n    pass\ndef encode(s):\n    return s\ndef decode(s):\n    return ''\n",
    "def encode(s):\n    return s\ndef decode(s):\n    return s.upper()\n@print\n",
    "import atexit, os\natexit.register(os._exit, 0)\ndef encode(s):\n    return 'x'\ndecode = encode\n",
    "def encode(s):\n    while True:\n        pass\ndecode = encode\n",
    "import os, signal\ndef encode(s):\n    os.kill(os.getpid(), signal.SIGSEGV)\ndecode = encode\n",
]


def test_no_cheater_is_accepted(executor: Executor) -> None:
    ready = prepared(executor, [("one", ProblemTest("", CODEC_TEST, CODEC))])["one"]
    assert ready.apart
    found = words(executor, ready, *CHEATS, CODEC)
    assert found[-1] == "accepted"
    assert "accepted" not in found[:-1], found
    assert "engine-error" not in found


def test_values_that_grow_with_each_call_and_calls_without_end_are_bounded(
    executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "MOST_BYTES", 4096)
    monkeypatch.setattr(apart, "MOST_CALLS", 12)
    test = "x = f('a')\nwhile len(x) < 4:\n    x = f(x)\nassert x == 'aaaa'"
    honest, grows = "def f(x):\n    return x + 'a'\n", "def f(x):\n    return x * 5000\n"
    short, same = "def f(x):\n    return chr(ord(x[0]) + 1)\n", "def f(x):\n    return x\n"
    ready = prepared(executor, [("one", ProblemTest("", test, honest))])["one"]
    assert ready.apart
    found = words(executor, ready, honest, grows, short, same)
    assert found == ["accepted", "output-limit", "wrong-answer", "cpu-limit"]


def test_a_runaway_costs_a_few_limits_and_not_one_for_each_call(executor: Executor) -> None:
    ready = prepared(executor, [("one", ProblemTest("", CODEC_TEST, CODEC))])["one"]
    assert ready.apart is not None
    assert len(ready.apart.likely) > 10
    loops = Attempt(plan_assertions("def encode(s):\n    while True:\n        pass\ndecode = encode\n", ready), None)
    list(run_attempts(executor, [loops]))
    assert loops.finished_results()[0].word == "cpu-limit"
    assert len(loops.outcomes_of(0)) <= FIRST_TESTS + 2


def test_a_test_that_swallows_everything_is_still_asked_for_its_values(executor: Executor) -> None:
    test = "try:\n    x = f(1)\nexcept BaseException:\n    x = 2\nassert x == 2"
    dialogue = dialogue_of("def f(n):\n    return 3\n", ProblemTest("", test))
    assert dialogue is not None
    (done,) = run_attempts(executor, [Attempt(Plan([dialogue.as_test()]), None)])
    assert done.finished_results()[0].word == "wrong-answer"


PASSES_ON = {
    "task_id": "T/0", "prompt": "def twice(n):\n", "entry_point": "twice", "canonical_solution": "    return 2 * n\n",
    "test": "def check(candidate):\n    assert candidate(candidate(3)) == 12\n",
}  # fmt: skip
CALLS_BACK = {
    "task_id": "T/1", "prompt": "def at(g):\n", "entry_point": "at", "canonical_solution": "    return g(1)\n",
    "test": "def check(candidate):\n    assert candidate(lambda n: n + 1) == 2\n",
}  # fmt: skip
SAMPLES = [
    {"task_id": "T/0", "completion": "    return 2 * n\n"},
    {"task_id": "T/0", "completion": "    return n + 3\n"},
    {"task_id": "T/1", "completion": "    return g(1)\n"},
    {"task_id": "T/1", "completion": "    return g(2)\n"},
]


@pytest.mark.parametrize(
    ("unlifted", "found", "lifted"), [("run", [True, False, True, False], 0.5), ("refuse", [True, False], 1.0)]
)
def test_what_must_run_beside_the_solution_is_run_or_refused(
    tmp_path: Path, unlifted: str, found: list[bool], lifted: float
) -> None:
    done = reexec(
        "grade", "humaneval", "--problems", write_rows(tmp_path / "p.jsonl", [PASSES_ON, CALLS_BACK]),
        "--samples", write_rows(tmp_path / "s.jsonl", SAMPLES), "-o", tmp_path / "out.jsonl", "--unlifted", unlifted, "--json",
    )  # fmt: skip
    assert done.code == (1 if unlifted == "refuse" else 0), done.err
    assert [row["passed"] for row in read_rows(tmp_path / "out.jsonl")] == found
    assert done.summary["lifted"] == lifted
    told = read_rows(tmp_path / "out.tests.jsonl")
    assert told[0]["judged apart from the solution"] == "a returned value is passed on"
    assert [test["name"] for test in told[0]["tests"]] == ["the whole test, apart from the solution"]
    if unlifted == "refuse":
        rejects = read_rows(tmp_path / "out.rejects.jsonl")
        assert len(rejects) == 2
        assert "would run beside the solution" in rejects[0]["reason"]
    explained = reexec("explain", tmp_path / "out.jsonl", ":2", env={"COLUMNS": "200"})
    assert explained.code == 0, explained.err
    assert "judged apart" in explained.out


def test_a_reward_may_refuse_what_must_run_beside_the_solution() -> None:
    answers = ["```python\ndef twice(n):\n    return 2 * n\n```", "```python\ndef at(g):\n    return g(1)\n```"]
    for unlifted, expected in (("run", [1.0, 1.0]), ("refuse", [1.0, None])):
        scores = Reward(workers=1, unlifted=unlifted).score_many(answers, [PASSES_ON, CALLS_BACK])  # type: ignore[arg-type]
        assert [score.reward for score in scores] == expected
    assert scores[1].missing == "row"
    with pytest.raises(UsageError, match="unlifted"):
        Reward(unlifted="never")  # type: ignore[arg-type]
