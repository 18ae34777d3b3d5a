"""What hostile texts and values cost the host, as a multiple of plain work in the same process: no clock, so that it holds on
any machine."""

import gc
import math
import time
from collections.abc import Callable

import pytest

from reexec.engine.decoding import read_outcome
from reexec.engine.pool.answer import Answer
from reexec.engine.protocol import frames
from reexec.engine.rendering import render
from reexec.runners.answers import extract_answer
from reexec.runners.rows.text import quoted, quoted_json
from tests.reliability.fuzz_host import pace

SHAPES = {
    "open objects": '{"a":',
    "quotes behind braces": "{'",
    "typographic quotes behind braces": "{\u2018",
    "Python objects with the key": "{'output': 1}",
    "objects that cannot be read": '{"output": x} ',
    "objects in texts": '{"k": \'{"output": 1}\', ',
    "texts in texts": '{"a": "{\'output\': \\"{',
    "tuples": "(1,), ",
    "sets": "{1}, ",
    "constructors": "np.float64(1.5), ",
    "adjacent texts": '"a" ',
    "escapes": "'\\n', ",
    "thoughts": "<think>{</think>",
    "the key as a word": "output ",
    "entities": "{&quot;output&quot;: 1",
    "digits in rows": "1" * 4200 + " ",
}


def cost(run: Callable[[], object]) -> float:
    best = math.inf
    gc.disable()
    try:
        for _ in range(3):
            began = time.process_time()
            run()
            best = min(best, time.process_time() - began)
    finally:
        gc.enable()
    return best


@pytest.mark.parametrize("frame", ["%s", "{'output': [%s]}", '{"output": [%s} "output" \\"output\\"'])
@pytest.mark.parametrize("name", SHAPES)
def test_a_response_of_64_kb_costs_less_than_its_budget(name: str, frame: str) -> None:
    text = frame.replace("%s", SHAPES[name] * (64_000 // len(SHAPES[name])))
    # 20,000 objects made and dropped. 16,000 steps, as there once were, cost ten times this bound and more.
    assert cost(lambda: extract_answer(text, "output")) < 10 * pace()


VALUES = {
    "numbers": list(range(200_000)),
    "lists": [[number] for number in range(100_000)],
    "one key of many": {tuple(range(200_000)): 1},
    "entries": {str(number): (number,) for number in range(100_000)},
}


@pytest.mark.parametrize("name", VALUES)
def test_quoting_costs_what_is_shown(name: str) -> None:
    value = VALUES[name]
    whole = cost(lambda: render(value))
    assert cost(lambda: quoted(value)) < whole / 5
    assert cost(lambda: quoted_json(value)) < whole / 5


CLAIMS = {
    "equal numbers in a set": '{"!":"set","v":[%s1]}' % ("1," * 30_000),
    "empty lists": f"[{'[],' * 20_000}1]",
    "objects": f"[{'{},' * 20_000}1]",
    "tagged tuples": "[%s1]" % ('{"!":"tuple","v":[1]},' * 3_000),
    "brackets": "[" * 60_000,
}


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_of_60_kb_is_read_in_a_few_milliseconds(name: str) -> None:
    answer = Answer("value", CLAIMS[name].encode(), b"", flags=0)
    assert cost(lambda: read_outcome(answer, frames.PYTHON_VALUES)) < 10 * pace()
