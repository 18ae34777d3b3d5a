"""The pooled executor and what it judges with: program, call and check in; outcome and verdict out."""

from .comparator import Comparison, compare
from .errors import EngineError, IsolationUnavailableError, ReexecError, UsageError
from .executor import Executor
from .outcome import Outcome, RaisedException, Usage
from .pool.loop import Statistics
from .program import Call, Check, Program
from .size_guard import strict_check_size
from .verdict import VERDICT_WORDS, Verdict, judge

__all__ = [
    "VERDICT_WORDS",
    "Call",
    "Check",
    "Comparison",
    "EngineError",
    "Executor",
    "IsolationUnavailableError",
    "Outcome",
    "Program",
    "RaisedException",
    "ReexecError",
    "Statistics",
    "Usage",
    "UsageError",
    "Verdict",
    "compare",
    "judge",
    "strict_check_size",
]
