"""reexec."""
