"""The verify stage: model responses to verdicts, feedback and pass rates."""

from .stage import Verify, VerifySettings, verify

__all__ = ["Verify", "VerifySettings", "verify"]
