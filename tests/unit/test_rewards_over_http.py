"""What is answered over HTTP, with the reward played by the test: numbers for what was judged, an error for what was not."""

import asyncio
import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from reexec.engine.errors import EngineError, UsageError
from reexec.runners.rewards import over_http, slime
from reexec.runners.rewards.core import Reward, Score
from reexec.runners.rewards.openrlhf import response_of

RIGHT, WRONG = Score(1.0, "accepted"), Score(0.0, "wrong-answer")


class Played:
    """Right is what says "right"; what it was asked is kept."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []

    async def ascore(self, text: str, label: Any) -> Score:
        self.asked.append((text, label))
        if label == "engine":
            raise EngineError("no worker comes up", stage="start")
        if label == "row":
            return Score(None, "", "no ground truth", "row")
        return RIGHT if text == "right" else WRONG

    async def ascore_many(self, texts: Sequence[str], labels: Sequence[Any]) -> list[Score]:
        return [await self.ascore(text, label) for text, label in zip(texts, labels, strict=True)]


def answer(asked: Any, reward: Played | None = None) -> tuple[int, Any]:
    body = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
    return asyncio.run(over_http.answer_to(cast(Reward, reward or Played()), body))


def test_a_number_for_each_query_and_one_for_a_sample() -> None:
    reward = Played()
    asked = {"query": ["Q1 right", "Q2 no<|im_end|>"], "prompts": ["Q1 ", "Q2 "], "labels": ["a", "b"]}
    assert answer(asked, reward) == (200, {"rewards": [1.0, 0.0], "scores": [1.0, 0.0], "extra_logs": {"accepted": [1.0, 0.0]}})
    assert reward.asked == [("right", "a"), ("no", "b")]
    reward = Played()
    assert answer({"prompt": "Q", "response": "right", "label": "a"}, reward) == (200, 1.0)
    assert answer({"prompt": "Q", "response": "no"}, reward) == (200, 0.0)
    assert reward.asked == [("right", "a"), ("no", None)], "a prompt is no label"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff", "not JSON"),
        ([], "at $"),
        ({}, "$.query"),
        ({"query": ["a"], "prompts": ["", ""], "labels": [1]}, "$.prompts"),
        ({"query": ["a"], "prompts": [""], "labels": []}, "$.labels"),
        ({"query": ["a"], "prompts": [""], "labels": "x"}, "$.labels"),
        ({"query": [None], "prompts": [""], "labels": [1]}, "$.query"),
        ({"query": ["other"], "prompts": ["Q1"], "labels": [1]}, "begin with its prompt"),
        ({"query": ["right", "x"], "prompts": ["", ""], "labels": [1, "row"]}, "no ground truth"),
        ({"response": "right", "label": "row"}, "no ground truth"),
    ],
)
def test_what_cannot_be_judged_is_told_with_its_place_and_is_no_reward(asked: Any, words: str) -> None:
    status, found = answer(asked)
    assert (status, found["error"]["code"]) == (422, "bad-request")
    assert words in found["error"]["message"]


@pytest.mark.parametrize(
    "asked", [{"response": "right", "label": "engine"}, {"query": ["right"], "prompts": [""], "labels": ["engine"]}]
)
def test_an_engine_that_fails_is_told_and_is_no_reward(asked: Any) -> None:
    status, found = answer(asked)
    assert (status, found["error"]["code"]) == (503, "engine-error")


@pytest.mark.parametrize(
    ("query", "prompt", "response"),
    [
        ("Q: 1 A: 2<|im_end|>\n", "Q: 1 ", "A: 2"),
        ("<s>Q: 1 A: 2</s>", "Q: 1 ", "A: 2"),
        ("p" * 300 + "tail, and it says: tail again", "lost" + "p" * 300 + "tail", ", and it says: tail again"),
        ("x" * 200 + " twice " + "x" * 200 + " answer", "lost " + "x" * 200 + " twice " + "x" * 200, " answer"),
        ("all of it", None, "all of it"),
    ],
)
def test_the_response_is_what_follows_the_prompt(query: str, prompt: Any, response: str) -> None:
    assert response_of(query, prompt) == response


def test_a_query_without_its_prompt_is_refused() -> None:
    with pytest.raises(UsageError, match="does not begin with its prompt"):
        response_of("something else", "the prompt")


def test_slime_gets_a_number_for_a_sample_and_a_list_for_a_list() -> None:
    def sample(response: str, label: Any, metadata: Any) -> Any:
        return SimpleNamespace(response=response, label=label, metadata=metadata)

    reward = Played()
    one = asyncio.run(slime.reexec_reward(cast(Reward, reward), None, sample("right", "a", {"b": 1})))
    many = asyncio.run(
        slime.reexec_reward(cast(Reward, reward), None, [sample("right", "", {"b": 1}), sample("no", None, ["c"])])
    )
    assert (one, many) == (1.0, [1.0, 0.0])
    assert [label for _, label in reward.asked] == ["a", {"b": 1}, None]
