"""For `evaluate` and lm-evaluation-harness: `evaluate.load(FOLDER)`."""

from reexec.runners.rewards.code_eval import FOLDER, TIMEOUT_S, evaluate_candidates

__all__ = ["FOLDER", "TIMEOUT_S", "evaluate_candidates"]
