"""For slime."""

from reexec.runners.rewards.slime import reward, with_settings

__all__ = ["reward", "with_settings"]
