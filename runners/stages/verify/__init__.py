"""The verify stage: model responses to verdicts, feedback and pass rates."""

from .stage import JudgingSettings, Verify, VerifySettings, verify

__all__ = ["JudgingSettings", "Verify", "VerifySettings", "verify"]
