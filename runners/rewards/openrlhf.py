"""OpenRLHF: `--reward.remote_url FILE.py`, where the file holds `reward_func`.

OpenRLHF calls with lists of `queries` (prompt and response as one text, special tokens and all), `prompts` and `labels`, one
of each today, and takes an object of tensors. An exception leaves the sample without a reward, which ends the run.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from reexec.engine.errors import UsageError

from .core import Reward
from .hearing import bound, heard

_SPECIAL = re.compile(r"(?:<\|[\w .-]{1,60}\|>|<[|\uff5c][^<>\n]{1,60}[|\uff5c]>|</s>|<eos>|<end_of_turn>|<pad>|\s)+\Z")
_TAIL_CHARACTERS = 200


def reexec_reward(
    reward: Reward, /, queries: Sequence[str], prompts: Sequence[Any], labels: Sequence[Any], **_more: Any
) -> dict[str, Any]:
    """{"rewards", "scores", "extra_logs"}: tensors of one number for each query, lists where there is no torch.

    Raises EngineError where the engine failed or the timeout was over, UsageError where a label is no ground truth.
    """
    texts = [response_of(query, prompt) for query, prompt in zip(queries, prompts, strict=True)]
    scores = reward.score_many(texts, list(labels))
    rewards = _tensor([heard(score) for score in scores])
    accepted = _tensor([float(score.verdict == "accepted") for score in scores])
    return {"rewards": rewards, "scores": rewards, "extra_logs": {"accepted": accepted}}


def response_of(query: str, prompt: Any) -> str:
    """The response in a query. The prompt goes away first: it may hold an answer of its own, as an example of the form.
    Raises UsageError where the query does not hold its prompt."""
    prompt = prompt if isinstance(prompt, str) else ""
    at = query.find(prompt)
    if at >= 0:
        return _SPECIAL.sub("", query[at + len(prompt) :])
    tail = prompt[-_TAIL_CHARACTERS:]  # a prompt that was cut at its beginning
    at = query.rfind(tail)
    if at < 0:
        raise UsageError("a query does not begin with its prompt, so what of it is the response cannot be known")
    return _SPECIAL.sub("", query[at + len(tail) :])


def with_settings(**settings: Any) -> Callable[..., Any]:
    """A `reward_func` with the settings of `Reward`, by name."""
    return bound(reexec_reward, Reward(**settings))


def _tensor(numbers: list[float]) -> Any:
    try:
        import torch  # pyright: ignore[reportMissingImports]
    except ImportError:
        return numbers
    return torch.tensor(numbers, dtype=torch.float32)


reward_func = with_settings()
