"""For OpenRLHF, which loads this file by its path."""

from reexec.runners.rewards.openrlhf import reward_func, with_settings

__all__ = ["reward_func", "with_settings"]
