"""Which sources of nondeterminism a call reads: asked only where an audit must explain a pair that does not reproduce.

A profile hook sees every call of a C function. It costs a factor of several, so it is never on in ordinary checks.
"""

from __future__ import annotations

import json
import sys
from typing import Any

_TOLD = {
    "time": ("time", "time_ns", "localtime", "gmtime", "ctime", "asctime", "strftime"),
    "posix": ("urandom", "getrandom", "getpid", "times"),
}
_CLOCKS = ("perf_counter", "perf_counter_ns", "monotonic", "monotonic_ns", "process_time", "process_time_ns")
_NOW = ("now", "today", "utcnow")
_RANDOM = ("random", "getrandbits", "seed")


def _numpy_state() -> Any:
    """Of numpy's global generator, whose methods no hook sees called; None where numpy is not loaded."""
    try:
        state = sys.modules["numpy"].random.get_state()
        return state[1].tobytes(), state[2:]
    except Exception:
        return None


class SourceWatch:
    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._json = json.dumps
        self._numpy_state: Any = None

    def start(self) -> None:
        __import__("_strptime")  # makes its tables with time.strftime at first, which reads no clock
        self._numpy_state = _numpy_state()
        sys.setprofile(self._profile)

    def stop(self) -> None:
        sys.setprofile(None)
        if self._numpy_state is not None and _numpy_state() != self._numpy_state:
            self._seen.add("random")

    def report(self) -> bytes:
        """JSON list of the sources read, sorted."""
        return self._json(sorted(self._seen)).encode()

    def _profile(self, _frame: Any, event: str, function: Any) -> None:
        if event != "c_call":
            return
        try:
            name = function.__name__
            owner = getattr(function, "__self__", None)
            module = getattr(function, "__module__", None) or getattr(owner, "__name__", "")
        except Exception:
            return
        if name == "id" and module == "builtins":
            self._seen.add("id")
        elif module == "time" and (name in _TOLD["time"] or name in _CLOCKS):
            self._seen.add("clock")
        elif name in _NOW and isinstance(owner, type) and owner.__module__ == "datetime":
            self._seen.add("clock")
        elif module == "posix" and name in _TOLD["posix"]:
            self._seen.add("entropy" if "random" in name else "process")
        elif name in _RANDOM and type(owner).__module__ in ("_random", "random"):
            self._seen.add("random")
        elif type(owner).__module__.startswith("numpy.random"):
            self._seen.add("random")
