"""The public names of `reexec.runners.rewards`: `Reward` for your own loop, and one module a framework."""

from reexec.runners.rewards import BadTruthError, Reward, Score, shutdown

__all__ = ["BadTruthError", "Reward", "Score", "shutdown"]
