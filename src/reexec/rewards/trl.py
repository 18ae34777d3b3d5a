"""For TRL."""

from reexec.runners.rewards.trl import reward, reward_async, with_settings

__all__ = ["reward", "reward_async", "with_settings"]
