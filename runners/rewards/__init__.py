"""Rewards for reinforcement learning: a model's text in, a number out, and nothing where the engine knows nothing.

    completions   the text of a completion, plain or in chat form
    truth         what a completion is judged by: a CodeI/O pair, tests, or a benchmark's problem
    plans         text and truth to what has to run, by the readers, extractors and graders that the other commands use
    executors     one pool a process and policy: opened when first needed, closed at its end, never taken over by a fork
    core          `Reward`: batches of completions to scores

One module a framework says how that framework calls and what it can hear: trl, verl, verifiers, openrlhf, slime; and
code_eval, a metric for the library `evaluate`. They are imported as `reexec.rewards.NAME` and import their framework
themselves only where they need one of its types.
"""

from .core import Reward, Score
from .executors import shutdown
from .truth import BadTruthError

__all__ = ["BadTruthError", "Reward", "Score", "shutdown"]
