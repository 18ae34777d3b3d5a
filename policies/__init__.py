"""What a run may do and what counts as equal. Policies know nothing of how they are enforced."""

from .comparison import ComparisonRule
from .layers import PolicyError, load_policy, preset_names
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
    "SizeRule",
    "load_policy",
    "preset_names",
]
