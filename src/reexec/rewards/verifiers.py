"""For verifiers."""

from reexec.runners.rewards.verifiers import reward, with_settings

__all__ = ["reward", "with_settings"]
