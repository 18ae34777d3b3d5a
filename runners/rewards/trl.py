"""TRL: `GRPOTrainer(reward_funcs=reward)`, and every other trainer of TRL's that takes reward functions.

TRL calls with the whole batch: `prompts`, `completions` (texts, or lists of messages where prompts are conversations),
`completion_ids`, the data set's other columns as lists, and hooks of the trainer's. It takes None for "not judged". Releases
before 1.6 add up a lone None as 0; they get an exception where the engine failed or the time was over.
"""

import functools
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from packaging.version import Version

from .core import Reward, Score
from .hearing import bound, heard, refuse_unusable

_FIRST_WITH_NONE = Version("1.6")
_NOT_COLUMNS = frozenset(("completion_ids", "trainer_state", "log_extra", "log_metric", "environments"))


def reexec_reward(reward: Reward, /, prompts: Sequence[Any], completions: Sequence[Any], **more: Any) -> list[float | None]:
    """A reward for each completion, None where there is none.

    Raises UsageError where no row of the batch can be judged by.
    """
    return _told(reward.score_many(completions, _rows(prompts, more)), more)


async def reexec_reward_async(
    reward: Reward, /, prompts: Sequence[Any], completions: Sequence[Any], **more: Any
) -> list[float | None]:
    """As reexec_reward, awaited: TRL runs it beside its other awaited rewards."""
    return _told(await reward.ascore_many(completions, _rows(prompts, more)), more)


def with_settings(*, awaited: bool = False, **settings: Any) -> Callable[..., Any]:
    """A reward function with the settings of `Reward`, by name."""
    return bound(reexec_reward_async if awaited else reexec_reward, Reward(**settings))


def _rows(prompts: Sequence[Any], more: dict[str, Any]) -> list[dict[str, Any]]:
    count = len(prompts)
    columns = {
        name: values
        for name, values in more.items()
        if name not in _NOT_COLUMNS and isinstance(values, Sequence) and not isinstance(values, str) and len(values) == count
    }
    return [{"prompt": prompts[at], **{name: values[at] for name, values in columns.items()}} for at in range(count)]


@functools.cache
def _takes_none() -> bool:
    try:
        return Version(version("trl")) >= _FIRST_WITH_NONE
    except PackageNotFoundError:
        return True


def _told(scores: list[Score], more: dict[str, Any]) -> list[float | None]:
    refuse_unusable(scores)
    if not _takes_none():
        for score in scores:
            if score.missing != "row":
                heard(score)
    if callable(log := more.get("log_extra")):
        log("verdict", [score.verdict or f"none ({score.missing})" for score in scores])
    if callable(log := more.get("log_metric")) and scores:
        log("reexec/without_reward", sum(score.reward is None for score in scores) / len(scores))
    return [score.reward for score in scores]


reward = with_settings()
reward_async = with_settings(awaited=True)
