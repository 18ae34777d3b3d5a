"""The exceptions of this package, with one root. What a program under test does is never one of them.

ReexecError
  UsageError        the caller's mistake
    PolicyError     in a policy
  EngineError       the host's failure (engine/errors.py)
  DeadlineExceededError   the caller's own timeout (engine/errors.py)
"""


class ReexecError(Exception):
    """The root: `except ReexecError` catches everything that this package raises on purpose."""


class UsageError(ReexecError, ValueError):
    """The caller's mistake; the message says what is wrong, where, and what to do."""


class PolicyError(UsageError):
    """A policy or a comparison rule that cannot be used; the message is one line and ends with the path of the fault."""
