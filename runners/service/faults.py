"""Errors as clients see them: a status, a word that programs read, a line that people read."""

from dataclasses import dataclass, field

from reexec.engine.errors import DeadlineExceededError, EngineError, UsageError

from ..rows.text import BadRowError, dump_line


@dataclass(eq=False)
class Refused(Exception):  # noqa: N818 - not always an error: a refusal may say when to come again
    """A request that gets no answer. Nothing of it was executed, but for `deadline-exceeded`."""

    status: int
    word: str
    message: str
    retry_after_s: int | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def body(self) -> bytes:
        return dump_line({"error": {"code": self.word, "message": self.message}})

    def all_headers(self) -> dict[str, str]:
        retry = {} if self.retry_after_s is None else {"retry-after": str(self.retry_after_s)}
        return self.headers | retry


def refusal_of(error: Exception) -> Refused:
    """What a client is told of an exception; one that nobody expected says nothing of itself."""
    match error:
        case Refused():
            return error
        case DeadlineExceededError():
            return Refused(504, "deadline-exceeded", "no answer within timeout_s; the call was ended")
        case BadRowError() | UsageError():
            return Refused(400, "bad-request", str(error))
        case EngineError():
            return Refused(503, "engine-error", str(error), retry_after_s=10)
    return Refused(500, "internal-error", "an error in reexec itself; its log says more")
