"""Rewards over HTTP, for OpenRLHF and slime."""

from reexec.runners.rewards.over_http import main

__all__ = ["main"]

if __name__ == "__main__":
    raise SystemExit(main())
