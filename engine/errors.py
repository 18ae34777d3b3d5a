"""The host's failures, beside the caller's mistakes of `policies/errors.py`."""

from reexec.policies.errors import PolicyError, ReexecError, UsageError

__all__ = ["DeadlineExceededError", "EngineError", "IsolationUnavailableError", "PolicyError", "ReexecError", "UsageError"]


class EngineError(ReexecError, RuntimeError):
    """The host's failure.

    `stage` names the step that failed, `retry_helps` says whether the same call may succeed later.
    """

    def __init__(self, message: str, *, stage: str, retry_helps: bool = False) -> None:
        super().__init__(message)
        self.stage = stage
        self.retry_helps = retry_helps


class IsolationUnavailableError(EngineError):
    """This host cannot give the isolation that the policy asks for; the message holds what to type."""

    def __init__(self, message: str, *, stage: str) -> None:
        super().__init__(message, stage=stage, retry_helps=False)


class DeadlineExceededError(ReexecError, TimeoutError):
    """The caller's own `timeout` is over. Elapsed time of the caller's, never a verdict; what was not done is cancelled."""
