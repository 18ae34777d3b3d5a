"""reexec verifies predicted inputs and outputs of programs by executing them again, in a sandbox, fast.

    from reexec import Executor, Program

    with Executor(workers=2) as executor:
        program = Program(source="def double(n):\\n    return 2 * n", entry="double")
        executor.submit(program, {"n": 21}).result().value    # 42
        executor.check(program, {"n": 21}, expected=42).word  # "accepted"
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .engine.version import VERSION as __version__

if TYPE_CHECKING:
    from .engine.commands import CommandExecutor as CommandExecutor
    from .engine.errors import DeadlineExceededError as DeadlineExceededError
    from .engine.errors import EngineError as EngineError
    from .engine.errors import IsolationUnavailableError as IsolationUnavailableError
    from .engine.executor import Executor as Executor
    from .engine.judging.compare import Comparison as Comparison
    from .engine.judging.compare import compare as compare
    from .engine.judging.strict_size import strict_check_size as strict_check_size
    from .engine.judging.verdict import Verdict as Verdict
    from .engine.judging.verdict import judge as judge
    from .engine.outcome import Outcome as Outcome
    from .engine.outcome import Usage as Usage
    from .engine.own_terms import CallLimits as CallLimits
    from .engine.own_terms import Files as Files
    from .engine.pool.statistics import Statistics as Statistics
    from .engine.program import Call as Call
    from .engine.program import Check as Check
    from .engine.program import Command as Command
    from .engine.program import Program as Program
    from .engine.program import Script as Script
    from .engine.program import Stdin as Stdin
    from .policies.comparison import ComparisonRule as ComparisonRule
    from .policies.errors import PolicyError as PolicyError
    from .policies.errors import ReexecError as ReexecError
    from .policies.errors import UsageError as UsageError
    from .policies.layers import load_policy as load_policy
    from .policies.model import IsolationLevel as IsolationLevel
    from .policies.model import Policy as Policy
    from .policies.size import SizeRule as SizeRule
    from .runners.reports.tables import RunTables as RunTables
    from .runners.reports.tables import read_run as read_run

_HOMES = {
    "engine.commands": ("CommandExecutor",),
    "engine.errors": ("DeadlineExceededError", "EngineError", "IsolationUnavailableError"),
    "engine.executor": ("Executor",),
    "engine.judging.compare": ("Comparison", "compare"),
    "engine.judging.strict_size": ("strict_check_size",),
    "engine.judging.verdict": ("Verdict", "judge"),
    "engine.outcome": ("Outcome", "Usage"),
    "engine.own_terms": ("CallLimits", "Files"),
    "engine.pool.statistics": ("Statistics",),
    "engine.program": ("Call", "Check", "Command", "Program", "Script", "Stdin"),
    "policies.comparison": ("ComparisonRule",),
    "policies.errors": ("PolicyError", "ReexecError", "UsageError"),
    "policies.layers": ("load_policy",),
    "policies.model": ("IsolationLevel", "Policy"),
    "policies.size": ("SizeRule",),
    "runners.reports.tables": ("RunTables", "read_run"),
}
"""Where each name lives. It is imported when it is first asked for: a command that needs one of them pays for one."""
__all__ = sorted(["__version__", *(name for names in _HOMES.values() for name in names)])


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            found = globals()[name] = getattr(import_module(f".{home}", __name__), name)
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
