"""verl: `custom_reward_function.path=pkg://reexec.rewards.verl`, with `name` one of the three functions below.

verl's reward managers call `compute_score` once a sample, in threads or awaited, or with whole columns (`batch`). They take a
number, or an object whose `score` is the number and whose other members are logged. An exception ends the run, which is the
only way to say that there is no score: a NaN would become a gradient.
"""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from .core import Reward, Score
from .hearing import heard

_SETTINGS = tuple(each.name for each in fields(Reward))


def compute_score(
    data_source: Any, solution_str: str, ground_truth: Any, extra_info: Any = None, **given: Any
) -> dict[str, Any]:
    """{"score", "acc", "verdict"} of one sample. `given`: the settings of `Reward`, from verl's `reward_kwargs`.

    Raises EngineError where the engine failed or the timeout was over, UsageError where the ground truth is none.
    """
    return _told(_reward(given).score(solution_str, ground_truth))


async def compute_score_async(
    data_source: Any, solution_str: str, ground_truth: Any, extra_info: Any = None, **given: Any
) -> dict[str, Any]:
    """As compute_score, awaited."""
    return _told(await _reward(given).ascore(solution_str, ground_truth))


def compute_scores(
    data_sources: Sequence[Any],
    solution_strs: Sequence[str],
    ground_truths: Sequence[Any],
    extra_infos: Any = None,
    **given: Any,
) -> list[dict[str, Any]]:
    """As compute_score for a whole batch, as verl's `batch` manager asks."""
    return [_told(score) for score in _reward(given).score_many(list(solution_strs), list(ground_truths))]


def _reward(given: dict[str, Any]) -> Reward:
    return Reward(**{name: given[name] for name in _SETTINGS if name in given})


def _told(score: Score) -> dict[str, Any]:
    reward = heard(score)
    # The same members for every sample: verl makes columns of them.
    return {"score": reward, "acc": float(score.verdict == "accepted"), "verdict": score.verdict}
