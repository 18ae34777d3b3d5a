"""infer at its edges: what counts as a number of tokens, what an estimate counts, and how far a limit goes down."""

import json
import math
from typing import Any

import pytest

from reexec.runners.stages.infer.body import Completion, read_body
from reexec.runners.stages.infer.control import Controller
from reexec.runners.stages.infer.cost import BYTES_PER_TOKEN, MESSAGE_TOKENS, Budget, Prices, estimate_prompt_tokens


def usage(**counts: Any) -> tuple[int | None, int | None]:
    body = {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": counts}
    found = read_body(json.dumps(body).encode())
    assert isinstance(found, Completion)
    return found.prompt_tokens, found.completion_tokens


@pytest.mark.parametrize("value", [True, -1, "5", 2.0, None, [1]])
def test_a_count_of_tokens_is_a_whole_number(value: Any) -> None:
    assert usage(prompt_tokens=value, completion_tokens=value) == (None, None)
    assert usage(prompt_tokens=0, completion_tokens=7) == (0, 7)


def test_an_estimate_counts_bytes_of_utf_8() -> None:
    plain = estimate_prompt_tokens([{"content": "a" * 300}])
    wide = estimate_prompt_tokens([{"content": "\u4e2d" * 300}])
    assert plain == math.ceil(MESSAGE_TOKENS + 300 / BYTES_PER_TOKEN)
    assert wide == math.ceil(MESSAGE_TOKENS + 900 / BYTES_PER_TOKEN)
    assert estimate_prompt_tokens([{"content": "a"}] * 5) >= 5 * MESSAGE_TOKENS


def test_money_on_its_way_counts_and_is_given_back_one_by_one() -> None:
    budget = Budget(Prices(1.0, 2.0), 1.0)
    budget.reserve(0.4)
    budget.reserve(0.5)
    assert not budget.fits(0.2)
    budget.release(0.4)
    assert budget.fits(0.5)
    assert not budget.fits(0.51)
    budget.add(1_000_000, 0)
    assert budget.spent == 1.0
    budget.add(0, 1_000_000)
    assert budget.spent == 3.0


def test_the_limit_on_requests_never_falls_below_one_nor_passes_the_most() -> None:
    control = Controller(4)
    for number in range(20):
        control.congested(float(number), float(number), None)
    assert control.limit == 1.0
    assert control.may_start(100.0, 0)
    for _ in range(1000):
        control.succeeded()
    assert control.limit == 4
    fresh = Controller(4)
    for _ in range(50):
        fresh.succeeded()
    assert fresh.limit == 4
