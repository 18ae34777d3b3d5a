"""reexec verifies predicted inputs and outputs of programs by executing them again, in a sandbox, fast.

    from reexec import Executor, Program

    with Executor(workers=2) as executor:
        program = Program(source="def double(n):\\n    return 2 * n", entry="double")
        executor.submit(program, {"n": 21}).result().value    # 42
        executor.check(program, {"n": 21}, expected=42).word  # "accepted"
"""

from .engine import (
    Call,
    Check,
    Comparison,
    EngineError,
    Executor,
    IsolationUnavailableError,
    Outcome,
    Program,
    ReexecError,
    Statistics,
    Usage,
    UsageError,
    Verdict,
    compare,
    judge,
    strict_check_size,
)
from .engine.version import VERSION as __version__
from .policies import ComparisonRule, Policy, PolicyError, IsolationLevel, SizeRule, load_policy

__all__ = [
    "Call",
    "Check",
    "Comparison",
    "ComparisonRule",
    "EngineError",
    "Executor",
    "IsolationUnavailableError",
    "Outcome",
    "Policy",
    "PolicyError",
    "Program",
    "ReexecError",
    "IsolationLevel",
    "SizeRule",
    "Statistics",
    "Usage",
    "UsageError",
    "Verdict",
    "__version__",
    "compare",
    "judge",
    "load_policy",
    "strict_check_size",
]
