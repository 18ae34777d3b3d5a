"""Which sources of nondeterminism a call reads: asked where a proof or an audit must explain a pair, never in ordinary checks.

A profile hook sees every call of a C function, at a factor of several in time. Reading a source proves nothing by itself:
whether it has an effect shows only in runs that see another clock and other entropy. What a library reads while it is imported
is not told.
"""

from __future__ import annotations

import json
import sys
from typing import Any

_TOLD = {
    "time": ("time", "time_ns", "clock_gettime", "clock_gettime_ns"),
    "posix": ("urandom", "getrandom", "getpid", "times"),
}
_CLOCKS = ("perf_counter", "perf_counter_ns", "monotonic", "monotonic_ns", "process_time", "process_time_ns")
_NOW = ("now", "today", "utcnow")
_RANDOM = ("random", "getrandbits", "seed")
_CONVERSIONS = {"localtime": 0, "gmtime": 0, "ctime": 0, "asctime": 0, "strftime": 1}
"""Functions of `time` that read the clock where the argument at that place is missing, and else only convert it."""
_IMPORTING = "<frozen importlib._bootstrap>"


def _is_import(frame: Any) -> bool:
    """Whether an import is under way above `frame`."""
    while frame is not None:
        if frame.f_code.co_filename == _IMPORTING:
            return True
        frame = frame.f_back
    return False


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
        for name, place in _CONVERSIONS.items():
            self._watch_conversion(sys.modules["time"], name, place)
        sys.setprofile(self._profile)

    def stop(self) -> None:
        sys.setprofile(None)
        if self._numpy_state is not None and _numpy_state() != self._numpy_state:
            self._seen.add("random")

    def report(self) -> bytes:
        """JSON list of the sources read, sorted."""
        return self._json(sorted(self._seen)).encode()

    def _watch_conversion(self, time: Any, name: str, place: int) -> None:
        """The hook does not see arguments. The replacement reaches code that looks the function up from now on."""
        real, seen = getattr(time, name), self._seen

        def convert(*arguments: Any) -> Any:
            if (len(arguments) <= place or arguments[place] is None) and not _is_import(sys._getframe(1)):
                seen.add("clock")
            return real(*arguments)

        convert.__name__ = convert.__qualname__ = name
        setattr(time, name, convert)

    def _profile(self, frame: Any, event: str, function: Any) -> None:
        if event != "c_call":
            return
        source = self._source(function)
        if source is not None and source not in self._seen and not _is_import(frame):
            self._seen.add(source)

    @staticmethod
    def _source(function: Any) -> str | None:
        """What a built-in function reads, by its name and its owner."""
        try:
            name = function.__name__
            owner = getattr(function, "__self__", None)
            module = getattr(function, "__module__", None) or getattr(owner, "__name__", "")
        except Exception:
            return None
        if name == "id" and module == "builtins":
            return "id"
        if module == "time" and (name in _TOLD["time"] or name in _CLOCKS):
            return "clock"
        if name in _NOW and isinstance(owner, type) and owner.__module__ == "datetime":
            return "clock"
        if module == "posix" and name in _TOLD["posix"]:
            return "entropy" if "random" in name else "process"
        if name in _RANDOM and type(owner).__module__ in ("_random", "random"):
            return "random"
        if type(owner).__module__.startswith("numpy.random"):
            return "random"
        return None
