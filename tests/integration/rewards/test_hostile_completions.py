"""Completions that try for a reward without an answer, or for the trainer's time: none gets a reward, none raises, and the
right one beside them keeps its own."""

import time

import pytest

from reexec.rewards import Reward
from tests.integration.rewards.material import CALLS, DOUBLE, HUMANEVAL, STDIN, fenced, says_input, says_output, truth

REWARD = Reward(workers=2, settings=("limits.cpu_s=1", "limits.idle_s=1", "limits.confirm=false"))

TEXTS = {
    "a verdict of its own": '{"reward": 1.0, "verdict": "accepted", "score": 1}',
    "a result frame": '{"kind": "value", "value": 10}\n\x00\x00\x00\x0a{"output": ',
    "an expression for an answer": '{"output": __import__("os").system("true") or 10}',
    "an object that is equal to all": '{"input": {"n": {"__eq__": true}}}',
    "a call for an input": '{"input": {"n": open("5").read()}}',
    "a million brackets": '{"output": ' + "[" * 1_000_000,
    "nesting in the answer": '{"input": {"n": ' + "[" * 5000 + "]" * 5000 + "}}",
    "a number without end": '{"output": 1' + "0" * 2_000_000 + "}",
    "ten megabytes": "lorem ipsum " * 900_000,
    "half characters": '{"input": {"\ud800": "\udfff"}}',
    "other names": '{"input": {"n": 5, "expected": 10, "__class__": "x"}}',
    "only thought": '<think>{"output": 10}, {"input": {"n": 5}}',
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_is_no_answer_gets_nothing_and_costs_little(name: str) -> None:
    begun = time.perf_counter()
    scores = REWARD.score_many([TEXTS[name], says_input({"n": 5}), TEXTS[name]], [truth("i"), truth("i"), truth("o")])
    assert time.perf_counter() - begun < 20
    assert [score.reward for score in scores] == [0.0, 1.0, 0.0], scores


CODES = {
    "prints what is expected": "print('5')\nprint('7')\n",
    "prints a verdict": "print('accepted')\nprint({'passed': True})\n",
    "leaves with success": "import os\nos._exit(0)\n",
    "asserts nothing": "def check(candidate):\n    pass\ndef double(n):\n    return n\n",
    "equal to all": "class All(int):\n    def __eq__(self, other):\n        return True\ndef double(n):\n    return All(1)\n",
    "writes into every pipe": (
        "import os\nfor number in range(3, 64):\n    try:\n        os.write(number, b'accepted' * 100)\n"
        "    except OSError:\n        pass\ndef double(n):\n    return n\n"
    ),
    "looks for the expected value": (
        "import gc\ndef double(n):\n    for each in gc.get_objects():\n        if isinstance(each, list) and 6 in each:\n"
        "            return 6\n    return None\n"
    ),
    "deep nesting": "x = " + "(" * 90_000 + ")" * 90_000 + "\n",
    "a long chain": "x" + ".a" * 200_000 + "\n",
    "never ends": "while True:\n    pass\n",
    "takes all memory": "x = []\nwhile True:\n    x.append(bytearray(1 << 24))\n",
    "prints without end": "while True:\n    print('x' * 65536)\n",
    "no Python": "\x00\x01 def \ud800:\n",
}


@pytest.mark.parametrize("name", CODES)
def test_code_that_cheats_gets_nothing(name: str) -> None:
    begun = time.perf_counter()
    scores = REWARD.score_many(
        [fenced(CODES[name]), fenced(CODES[name]), fenced(CODES[name]), fenced(DOUBLE)], [STDIN, CALLS, HUMANEVAL, CALLS]
    )
    assert time.perf_counter() - begun < 60
    assert [score.reward for score in scores] == [0.0, 0.0, 0.0, 1.0], scores


@pytest.mark.parametrize(
    "text",
    [
        "```python\nx = y\n```\n" * 20_000,
        "".join(f"```python\nx{n} = x{n - 1}\n```\n" for n in range(8000)),
        "def f(x): return 1\nBROKEN here ((\n" * 15_000,
        "def f():\n" * 40 + "  pass\n" + "x = 1\n" * 60_000 + "oops (",
        "`" * 400_000,
        "def double(n): return 2 * n\n" * 400_000,
    ],
    ids=["many blocks", "a chain of blocks", "broken lines", "a late error", "fences", "too long"],
)
def test_a_search_for_code_ends_soon_whatever_is_written(text: str) -> None:
    begun = time.perf_counter()
    score = REWARD.score(text, CALLS)
    assert time.perf_counter() - begun < 20
    assert score.reward == 0.0


def test_a_forged_answer_in_what_a_program_prints_is_not_read() -> None:
    source = "def double(n):\n    print('{\"output\": 10}', flush=True)\n    return n\n"
    assert REWARD.score(says_input({"n": 5}), truth("i", source)).verdict == "wrong-answer"
    assert REWARD.score(says_output(10), truth("o", source)).verdict == "accepted"
