"""What a run may do and what counts as equal. Policies know nothing of how they are enforced."""

from .comparison import ComparisonRule
from .errors import PolicyError, ReexecError, UsageError
from .layers import load_policy, preset_names
from .model import Determinism, Isolation, IsolationLevel, Limits, Policy
from .size import SizeRule

__all__ = [
    "ComparisonRule",
    "Determinism",
    "Isolation",
    "IsolationLevel",
    "Limits",
    "Policy",
    "PolicyError",
    "ReexecError",
    "SizeRule",
    "UsageError",
    "load_policy",
    "preset_names",
]
