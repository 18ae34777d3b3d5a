"""The verify stage: model responses to verdicts, feedback and pass rates."""

from .feedback import Feedback, default_feedback, status_of
from .stage import VerifySummary, verify

__all__ = ["Feedback", "VerifySummary", "default_feedback", "status_of", "verify"]
