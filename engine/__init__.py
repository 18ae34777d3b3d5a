"""The pooled executor and what it judges with: program, call and check in; outcome and verdict out."""

from .errors import EngineError, IsolationUnavailableError, ReexecError, UsageError
from .executor import Executor
from .judging.compare import Comparison, compare
from .judging.size_guard import strict_check_size
from .judging.verdict import VERDICT_WORDS, Verdict, judge
from .outcome import Outcome, RaisedException, Usage
from .pool.loop import Statistics
from .program import Call, Check, Program

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
