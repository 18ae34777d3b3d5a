"""Tokens and money: estimates before a reply, what was spent after it, and the limit that is never passed.

A request is only sent where the money that is spent, the worst that the requests on their way can cost, and its own worst fit
below the limit together; so a run can come near the limit and not over it, as far as the estimate of prompt tokens holds.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

BYTES_PER_TOKEN = 3.0
"""Of UTF-8 text, for estimates. English and code have 3.5 to 4.5 with today's vocabularies, JSON and numbers nearer 2.5; an
estimate for a limit should err on the high side."""
MESSAGE_TOKENS = 6
"""What the frame of a message costs, roughly."""


def estimate_prompt_tokens(messages: list[dict[str, Any]]) -> int:
    total = 0.0
    for message in messages:
        content = message["content"]
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        total += MESSAGE_TOKENS + len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN
    return math.ceil(total)


@dataclass(frozen=True, slots=True)
class Prices:
    """Per million tokens, in whatever currency the user thinks in."""

    price_in: float
    price_out: float

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        return (prompt_tokens * self.price_in + completion_tokens * self.price_out) / 1e6


class Budget:
    """Spent and reserved money of a run; without prices it only counts tokens."""

    def __init__(self, prices: Prices | None, most: float | None = None) -> None:
        self.prices, self.most = prices, most
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self._reserved = 0.0

    def add(self, prompt_tokens: int, completion_tokens: int) -> None:
        self.prompt_tokens += prompt_tokens
        self.completion_tokens += completion_tokens

    @property
    def spent(self) -> float | None:
        return None if self.prices is None else self.prices.of(self.prompt_tokens, self.completion_tokens)

    def worst(self, prompt_estimate: int, max_tokens: int) -> float:
        return 0.0 if self.prices is None else self.prices.of(prompt_estimate, max_tokens)

    def fits(self, worst: float) -> bool:
        return self.most is None or (self.spent or 0.0) + self._reserved + worst <= self.most

    def reserve(self, worst: float) -> None:
        self._reserved += worst

    def release(self, worst: float) -> None:
        self._reserved -= worst

    def projection(self, requests_done: int, requests_in_all: int) -> float | None:
        """What the whole run will cost if the rest costs as much a request as what is done."""
        spent = self.spent
        if spent is None or not requests_done:
            return None
        return spent / requests_done * max(requests_in_all, requests_done)
