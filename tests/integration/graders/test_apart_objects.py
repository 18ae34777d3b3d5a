"""Tests about objects of the solution's own classes, about what it changes in place, and about a prompt's own definitions: as
Python judges them, and out of the solution's reach."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reexec import Executor, load_policy
from reexec.rewards import Reward
from reexec.runners.graders.apart import Apart
from reexec.runners.graders.assertions import AssertionTest, ProblemTest, dialogue_of, given_by, plan_assertions, prepared
from reexec.runners.graders.flow import Attempt, run_attempts
from reexec.runners.graders.plan import Plan, Result
from tests.support.helpers import read_rows, reexec, write_rows

NODE = "class Node:\n    def __init__(self, n):\n        self.n = n\n        self.left = self.right = None\n"
TOTAL = NODE + "def total(node):\n    return node.n + sum(total(each) for each in (node.left, node.right) if each)\n"
TREE_TEST = (
    "root = Node(1)\nroot.left = Node(2)\nroot.left.right = Node(4)\nassert total(root) == 7\nassert total(root.left) == 6\n"
)
ACCOUNT = """
class Poor(ValueError):
    def __init__(self, lacking):
        super().__init__('poor by %d' % lacking)
        self.lacking = lacking
class Account:
    opened = 'today'
    def __init__(self, balance):
        self.balance, self.log = balance, []
    @property
    def is_empty(self):
        return self.balance == 0
    @classmethod
    def empty(cls):
        return cls(0)
    def deposit(self, amount):
        self.balance += amount
        self.log.append(amount)
        return self
    def take(self, amount):
        if amount > self.balance:
            raise Poor(amount - self.balance)
        self.balance -= amount
    def __len__(self):
        return len(self.log)
    def __str__(self):
        return 'account of %d' % self.balance
"""
ACCOUNT_TEST = """
account = Account(10)
assert account.deposit(5) is account
assert account.balance == 15 and account.log == [5] and not account.is_empty
try:
    account.take(100)
    assert False
except Poor as error:
    assert error.lacking == 85 and str(error) == 'poor by 85' and isinstance(error, ValueError)
account.take(15)
assert account.is_empty and Account.empty().is_empty and Account.opened == 'today'
assert len(account) == 1 and str(account) == 'account of 0' and account != None
"""
COLOUR = "import enum\nclass Colour(enum.Enum):\n    RED = 1\n    BLUE = 2\ndef colour(n):\n    return Colour(n % 2 + 1)\n"
COLOUR_TEST = (
    "assert colour(2) == Colour.RED and colour(1) is Colour.BLUE and colour(1).value == 2 and colour(3) in (Colour.BLUE,)\n"
)
SHARED_TEST = """
row = [3, 1, 2]
grid = [row, row]
tidy(grid)
assert row == [1, 2, 3] and grid[0] is row and len(grid) == 3
seen = {'a': {2}}
assert note(seen) is seen
assert seen == {'a': {2, 3}, 'b': (1, [2])}
"""
SHARED = """
def tidy(grid):
    grid[1].sort()
    grid.append(grid[0])
def note(seen):
    seen['a'].add(3)
    seen['b'] = (1, [2])
    return seen
"""
ITEMS = "class Bag:\n    def __init__(self, items):\n        self.items = tuple(items)\n"
ITEMS_TEST = (
    "bag = Bag([2, 1])\nassert list(bag) == [2, 1] and bag[0] == 2 and bag(1) == 3 and sorted(Bag('ba')) == ['a', 'b']\n"
)
BAG = ITEMS + (
    "    def __iter__(self):\n        return iter(self.items)\n    def __getitem__(self, n):\n        return self.items[n]\n"
    "    def __call__(self, n):\n        return n + 2\n"
)
KNOWN = [
    (TOTAL, TREE_TEST, TOTAL.replace("node.left, node.right", "node.left,")),
    (ACCOUNT, ACCOUNT_TEST, ACCOUNT.replace("lacking = lacking", "lacking = 85 + lacking")),
    (ACCOUNT, ACCOUNT_TEST, ACCOUNT.replace("return self\n", "return None\n")),
    (ACCOUNT, ACCOUNT_TEST, ACCOUNT.replace("ValueError", "KeyError")),
    (ACCOUNT, ACCOUNT_TEST, ACCOUNT.replace("self.balance -= amount", "pass")),
    (COLOUR, COLOUR_TEST, COLOUR.replace("n % 2 + 1", "1")),
    (SHARED, SHARED_TEST, SHARED.replace("grid.append(grid[0])", "grid.append([1, 2, 3]) or grid.pop(0)")),
    (SHARED, SHARED_TEST, SHARED.replace("return seen", "return dict(seen)")),
    (BAG, ITEMS_TEST, BAG.replace("n + 2", "n")),
    ("def f(kind):\n    return kind('3')\n", "assert f(int) == 3\n", "def f(kind):\n    return kind('4')\n"),
    ("MOST = 4\ndef f(n):\n    return n + 1\n", "assert f(MOST) == 5\n", "MOST = 4\ndef f(n):\n    return n\n"),
]


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    settings = ["limits.cpu_s=1", "limits.idle_s=1", "limits.confirm=false"]
    with Executor(load_policy("grade", settings=settings), workers=2) as found:
        yield found


def ready(executor: Executor, test: str, solution: str, given: str = "") -> AssertionTest:
    return prepared(executor, [("one", ProblemTest("", test, f"{given}\n{solution}", given))])["one"]


def results(executor: Executor, test: AssertionTest, *solutions: str) -> list[Result]:
    attempts = [Attempt(plan_assertions(solution, test), None) for solution in solutions]
    return [each.finished_results()[0] for each in run_attempts(executor, attempts)]


def holds(solution: str, test: str) -> bool:
    """What plain Python says, for programs of our own."""
    space: dict[str, object] = {"__name__": "plain"}
    try:
        exec(compile(solution + "\n" + test, "plain.py", "exec"), space)
    except Exception:
        return False
    return True


@pytest.mark.parametrize(("right", "test", "wrong"), KNOWN)
def test_the_verdict_is_that_of_plain_python(executor: Executor, right: str, test: str, wrong: str) -> None:
    found = ready(executor, test, right)
    assert found.apart is not None
    assert found.apart.objects
    assert [each.passed for each in results(executor, found, right, wrong)] == [True, False]
    assert (holds(right, test), holds(wrong, test)) == (True, False)


@pytest.mark.parametrize(
    ("test", "solution"),
    [
        ("assert f(f(1)).n == 1", "class N(int):\n    n = 1\ndef f(x):\n    return N(x)\n"),
        ("assert f(lambda n: n + 1) == 2", "def f(g):\n    return g(1)\n"),
        ("assert f(3) == P(3)", "class P:\n    def __init__(self, n):\n        self.n = n\n"
         "    def __eq__(self, other):\n        return self.n == other.n\nf = P\n"),
        ("assert f(3) < f(4)", "class P:\n    def __init__(self, n):\n        self.n = n\n"
         "    def __lt__(self, other):\n        return self.n < other.n\nf = P\n"),
        ("assert 3 in f(3)", "class P:\n    def __init__(self, n):\n        self.n = n\n"
         "    def __contains__(self, n):\n        return self.n == n\nf = P\n"),
        ("assert next(f()) == 0", "def f():\n    yield 0\n"),
    ],
)  # fmt: skip
def test_what_the_solution_would_decide_or_nobody_can_exchange_is_not_judged_so(
    executor: Executor, test: str, solution: str
) -> None:
    assert ready(executor, test, solution).apart is None


# -- a prompt's own definitions -----------------------------------------------------------------------------------------

LISTS = """
from typing import *

class ListNode:
    def __init__(self, val=0, next=None):
        self.val = val
        self.next = next

def list_node(values):
    head = None
    for value in reversed(values):
        head = ListNode(value, head)
    return head

def is_same_list(a, b):
    while a is not None and b is not None:
        if a.val != b.val:
            return False
        a, b = a.next, b.next
    return a is None and b is None
"""
REVERSE = """
class Solution:
    def turn(self, head: Optional[ListNode]) -> Optional[ListNode]:
        before = None
        while head:
            head.next, before, head = before, head, head.next
        return before
"""
LISTS_TEST = "def check(candidate):\n" + "".join(
    f"    assert is_same_list(candidate(head = list_node({list(range(n))})), list_node({list(range(n))[::-1]}))\n"
    for n in range(1, 9)
) + "    assert candidate(head = list_node([])) == None\ncheck(Solution().turn)\n"  # fmt: skip
LIAR = (
    "class Liar:\n    def __eq__(self, other):\n        return True\n    def __ne__(self, other):\n        return False\n"
    "    def __bool__(self):\n        return True\n    def __getattr__(self, name):\n        return self\n"
)


def ends(*lines: str, before: str = "") -> str:
    """The right solution, with these lines in the place of its last one."""
    return before + REVERSE.replace("return before", "\n        ".join(lines))


def begins(*lines: str) -> str:
    return REVERSE.replace("before = None", "\n        ".join(lines))


CHEATS = {
    "a helper of the prompt made anew": ends("return head", before="def is_same_list(a, b):\n    return True\n"),
    "an object that equals everything": ends("return Liar()", before=LIAR),
    "a node whose values equal everything": ends(
        "node = before", "while node:", "    node.val, node = Liar(), node.next", "return before", before=LIAR
    ),
    "a class of the prompt made anew": ends("return ListNode()", before=LIAR.replace("Liar", "ListNode")),
    "a list without an end": ends("node = ListNode(0)", "node.next = node", "return node"),
    "the input as it was": begins("return head"),
    "nothing": ends("return None"),
    "attributes in the place of methods": ends(
        "node = ListNode(0)", "vars(node)['__class__'] = int", "vars(node)['__eq__'] = max", "return node"
    ),
    "an exit": begins("__import__('os')._exit(0)"),
    "a frame of the driver's": begins(
        "import sys",
        "frame = sys._getframe()",
        "while frame:",
        "    for space in (frame.f_locals, frame.f_globals):",
        "        space.update(told={'end': '', 'raised': None}, raised=None, result=True, rows=[], items=[])",
        "    frame = frame.f_back",
        "return True",
    ),
    "an answer of the driver's": ends("return {'end': '', 'raised': None, 'rows': [], 'result': True}"),
    "the test's own end as a value": ends("return ''"),
}


def test_a_prompts_definitions_are_the_tests_whatever_the_solution_makes_of_them(executor: Executor) -> None:
    found = ready(executor, LISTS_TEST, REVERSE, LISTS)
    assert found.apart is not None
    assert found.apart.objects
    own = "\n".join((LISTS, REVERSE))
    renamed = LISTS.replace("ListNode", "Other") + REVERSE  # it may leave the prompt's out, which then are there all the same
    assert [each.word for each in results(executor, found, own, REVERSE, renamed)] == ["accepted"] * 3
    cheats = results(executor, found, *CHEATS.values())
    words = dict(zip(CHEATS, (each.word for each in cheats), strict=True))
    assert "accepted" not in words.values(), words
    assert "engine-error" not in words.values(), words


def test_a_solution_of_leetcodes_form_is_lifted_call_by_call(executor: Executor) -> None:
    test = (
        "def check(candidate):\n    assert candidate(nums = [3, 4], target = 7) == [0, 1]\n    assert candidate([1], 1) == []\n"
    )
    solution = (
        "class Solution:\n    def pair(self, nums, target):\n        return [0, 1] if sum(nums[:2]) == target != 1 else []\n"
    )
    found = ready(executor, f"{test}check(Solution().pair)\n", solution)
    assert [[name for name, _ in check.calls] for check in found.lifted.checks] == [["Solution.pair"]] * 2
    liar = LIAR + "class Solution:\n    def pair(self, nums, target):\n        return Liar()\n"
    assert [each.word for each in results(executor, found, solution, liar)] == ["accepted", "bad-result"]


def test_methods_that_share_an_object_are_called_on_the_same_one(executor: Executor) -> None:
    test = "it = Solution()\nit.push(3)\nit.push(4)\nassert it.pop() == 4 and it.pop() == 3\n"
    solution = (
        "class Solution:\n    def __init__(self):\n        self.held = []\n"
        "    def push(self, n):\n        self.held.append(n)\n"
        "    def pop(self):\n        return self.held.pop()\n"
    )
    found = ready(executor, test, solution)
    assert found.apart is not None
    assert [each.passed for each in results(executor, found, solution, solution.replace("pop()", "pop(0)"))] == [True, False]


@pytest.mark.parametrize(
    ("prompt", "entry", "given"),
    [
        ("import math\n\ndef poly(xs, x):\n    return 1\n\ndef root(xs):\n    '''doc'''\n", "root",
         "import math\ndef poly(xs, x):\n    return 1\n"),
        ("def a(x):\n    '''doc'''\n\ndef b(x):\n    ...\n\ndef c(x):\n    pass\n\ndef f(x):\n    return 1\n", "f", ""),
        ("class Solution:\n    def f(self):\n        return 1\nx = 1\n", "Solution().f", "x = 1\n"),
        ("def f(x:\n", "f", ""), ("Write a function.", "f", ""), ("", "f", ""),
    ],
)  # fmt: skip
def test_what_a_prompt_gives_is_all_but_what_is_asked_for(prompt: str, entry: str, given: str) -> None:
    assert given_by(prompt, entry) == given


ROOT = {
    "task_id": "T/32", "entry_point": "root",
    "prompt": "import math\n\ndef poly(xs, x):\n    return sum(c * math.pow(x, i) for i, c in enumerate(xs))\n\n"
    "def root(xs):\n    \"\"\" A root of poly(xs). \"\"\"\n",
    "canonical_solution": "    return -xs[0] / xs[1]\n",
    "test": "def check(candidate):\n    for xs in ([6, 2], [1, 4]):\n"
    "        assert math.fabs(poly(xs, candidate(xs))) < 1e-6\n",
}  # fmt: skip
LEETCODE = {
    "task_id": "turn-it", "prompt": LISTS, "entry_point": "Solution().turn", "completion": REVERSE,
    "test": LISTS_TEST.replace("check(Solution().turn)\n", ""),
}  # fmt: skip
SAMPLES = [
    ("T/32", {"completion": "    return -xs[0] / xs[1]\n"}, True),
    ("T/32", {"completion": "    return xs[0]\n\ndef poly(xs, x):\n    return 0\n"}, False),
    ("turn-it", {"response": f"Here:\n```python\n{REVERSE}```\n"}, True),
    ("turn-it", {"solution": REVERSE}, True),
    ("turn-it", {"response": f"```python\n{CHEATS['a helper of the prompt made anew']}```"}, False),
]


def test_both_forms_from_the_command_line_and_as_rewards(tmp_path: Path) -> None:
    done = reexec(
        "grade", "humaneval", "--problems", write_rows(tmp_path / "p.jsonl", [ROOT, LEETCODE]),
        "--samples", write_rows(tmp_path / "s.jsonl", [{"task_id": task, **sample} for task, sample, _ in SAMPLES]),
        "-o", tmp_path / "out.jsonl", "--unlifted", "refuse", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert [row["passed"] for row in read_rows(tmp_path / "out.jsonl")] == [right for *_, right in SAMPLES]
    told = [row["tests"][0].get("detail", "") for row in read_rows(tmp_path / "out.tests.jsonl")]
    assert told[1] == "AssertionError, at: assert math.fabs(poly(xs, candidate(xs))) < 1e-6"
    assert done.summary["lifted"] == 1.0
    answers = [f"```python\n{REVERSE}```", f"```python\n{CHEATS['nothing']}```"]
    scores = Reward(workers=2, unlifted="refuse").score_many(answers, [LEETCODE] * 2)
    assert [score.reward for score in scores] == [1.0, 0.0]


def test_a_test_that_swallows_a_refusal_fails_all_the_same(executor: Executor) -> None:
    test = "try:\n    assert f(1) < 2\nexcept Exception:\n    pass\n"
    text = ProblemTest("", test)
    dialogue = dialogue_of(
        "class N:\n    def __lt__(self, other):\n        return True\ndef f(n):\n    return N()\n", text, Apart((), True)
    )
    assert dialogue is not None
    (done,) = run_attempts(executor, [Attempt(Plan([dialogue.as_test()]), None)])
    result = done.finished_results()[0]
    assert result.word == "wrong-answer"
    assert "the solution would decide a comparison" in result.detail
