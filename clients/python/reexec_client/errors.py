"""What goes wrong, by whose fault; the names are reexec's own."""


class ReexecError(Exception):
    """The root of them."""


class UsageError(ReexecError, ValueError):
    """The caller's mistake: a request that the service cannot read, or may not serve."""


class EngineError(ReexecError, RuntimeError):
    """The service's failure, or no service. It says nothing about the program."""


class DeadlineExceededError(ReexecError, TimeoutError):
    """The caller's own `timeout` is over; what was not done is ended."""
