"""For verl."""

from reexec.runners.rewards.verl import compute_score, compute_score_async, compute_scores

__all__ = ["compute_score", "compute_score_async", "compute_scores"]

