"""Functions, truths and completions that the tests of rewards share."""

import json
from typing import Any

DOUBLE = "def double(n):\n    return 2 * n\n"
SQUARE = "def square(n):\n    return n * n\n"
LOOP = "def f(n):\n    while n:\n        pass\n    return n\n"


def truth(io_pred: str, source: str = DOUBLE, name: str = "double", given: Any = None, output: Any = 10) -> str:
    """The ground truth of an exported row."""
    recorded = {"n": 5} if given is None else given
    return json.dumps({"io_pred": io_pred, "refcode": source, "funcname": name, "input": recorded, "output": output})


def says_input(value: Any) -> str:
    return f'I think so. {{"input": {json.dumps(value)}}}'


def says_output(value: Any) -> str:
    return f'I think so. {{"output": {json.dumps(value)}}}'


def fenced(code: str) -> str:
    return f"Here it is.\n```python\n{code}```\nDone."


STDIN = {"inputs": ["3\n1 5 2\n", "1\n7\n"], "outputs": ["5\n", "7\n"]}
CALLS = {"inputs": [[3], [0]], "outputs": [6, 0], "fn_name": "double"}
HUMANEVAL = {
    "task_id": "Harbour/9",
    "prompt": 'def double(n):\n    """ Twice n. """\n',
    "entry_point": "double",
    "test": "def check(candidate):\n    assert candidate(3) == 6\n    assert candidate(0) == 0\n",
}
MBPP = {"task_id": 7, "test_list": ["assert double(3) == 6", "assert double(0) == 0"]}
