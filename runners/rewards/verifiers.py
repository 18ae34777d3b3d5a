"""verifiers: `fn = "reexec.rewards.verifiers:reward"` among the `rewards` of a task's config.

verifiers awaits it with those of `task`, `trace` and `runtime` that it names. An exception is kept on the trace as the error
of this rollout, and the reward stays unscored.
"""

from collections.abc import Callable
from typing import Any

from .core import Reward
from .hearing import bound, heard


async def reexec_reward(reward: Reward, /, task: Any, trace: Any) -> float:
    """The reward of a rollout's last reply. The task's data hold what it is judged by, under a name of `truth.py`.

    Raises EngineError where the engine failed or the timeout was over, UsageError where the task cannot be judged by.
    """
    return heard(await reward.ascore(trace.last_reply, _row(task)))


def _row(task: Any) -> dict[str, Any]:
    # verifiers hands over the task's data, which may have a field of any name; a task itself holds them in `data`.
    data = task if hasattr(task, "model_dump") else getattr(task, "data", task)
    found = data.model_dump() if hasattr(data, "model_dump") else dict(vars(data))
    # Of the prompt nothing is judged by; a HumanEval problem's own is a text.
    return {name: value for name, value in found.items() if name != "prompt" or isinstance(value, str)}


def with_settings(**settings: Any) -> Callable[..., Any]:
    """A reward function with the settings of `Reward`, by name."""
    return bound(reexec_reward, Reward(**settings))


reward = with_settings()
