"""What a framework is told where there is no reward.

Most frameworks have no word for it: they take a number or an exception. A number would be trained on, so they get an
exception. None of these is a TimeoutError, which some callers take for a zero of the model's.
"""

import functools
from collections.abc import Callable, Iterable
from typing import Any

from reexec.engine.errors import EngineError, UsageError

from .core import Score


def heard(score: Score) -> float:
    """The reward. Raises EngineError where the host failed or the timeout was over, UsageError where the row is at fault."""
    if score.reward is not None:
        return score.reward
    if score.missing == "row":
        raise UsageError(score.detail)
    if score.missing == "deadline":
        raise EngineError(f"no reward: {score.detail}", stage="timeout of the reward", retry_helps=True)
    raise EngineError(f"no reward, the engine failed: {score.detail}", stage="reward", retry_helps=True)


def refuse_unusable(scores: Iterable[Score]) -> None:
    """Raises UsageError where not one row of a batch can be judged by: then it is the data set, and not a row."""
    scores = list(scores)
    if scores and all(score.missing == "row" for score in scores):
        raise UsageError(f"no row of the batch can be judged by: {scores[0].detail}")


def bound(function: Callable[..., Any], first: Any) -> Callable[..., Any]:
    """`function` with its first argument given; it has a name, as trainers want one, and can be pickled."""
    found = functools.partial(function, first)
    functools.update_wrapper(found, function)
    del found.__wrapped__  # type: ignore[attr-defined]  # whoever asks for the signature gets the one that is left
    return found
