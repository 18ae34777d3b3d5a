"""slime: `--custom-rm-path reexec.rewards.slime.reward`.

slime awaits it with its own arguments and a sample, or with a list of samples (`--group-rm`, and where a rollout gives
several). A sample has `response`, `label` (the column of `--label-key`) and `metadata`. An exception ends the rollout.
"""

from collections.abc import Callable, Mapping
from typing import Any

from .core import Reward
from .hearing import bound, heard


async def reexec_reward(reward: Reward, /, args: Any, sample: Any, **_more: Any) -> float | list[float]:
    """The reward of a sample, or those of a list of samples in one batch.

    Raises EngineError where the engine failed or the timeout was over, UsageError where a sample cannot be judged by.
    """
    many = isinstance(sample, list)
    samples = sample if many else [sample]
    scores = await reward.ascore_many([each.response for each in samples], [_truth(each) for each in samples])
    rewards = [heard(score) for score in scores]
    return rewards if many else rewards[0]


def _truth(sample: Any) -> Any:
    if sample.label not in (None, ""):
        return sample.label
    metadata = getattr(sample, "metadata", None)
    return metadata if isinstance(metadata, Mapping) else None


def with_settings(**settings: Any) -> Callable[..., Any]:
    """A reward function with the settings of `Reward`, by name."""
    return bound(reexec_reward, Reward(**settings))


reward = with_settings()
