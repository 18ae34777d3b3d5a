"""A client of `reexec serve`, with the methods of reexec's Executor.

from reexec_client import Client, Program

with Client("http://127.0.0.1:8317") as executor:
    program = Program(source="def double(n):\\n    return 2 * n", entry="double")
    executor.check(program, {"n": 21}, expected=42).word  # "accepted"
"""

from .aio import AsyncClient
from .client import Client
from .data import Call, Check, Comparison, Outcome, Program, RaisedException, Script, Stdin, Usage, Verdict
from .errors import DeadlineExceededError, EngineError, ReexecError, UsageError

__all__ = [
    "AsyncClient",
    "Call",
    "Check",
    "Client",
    "Comparison",
    "DeadlineExceededError",
    "EngineError",
    "Outcome",
    "Program",
    "RaisedException",
    "ReexecError",
    "Script",
    "Stdin",
    "Usage",
    "UsageError",
    "Verdict",
]
