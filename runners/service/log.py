"""Structured logs: one JSON object a line on standard error. No bodies, no tokens, no text of programs."""

import sys
import time
from typing import Any

from ..rows.text import dump


class Log:
    def __init__(self, *, requests: bool = True) -> None:
        self._requests = requests

    def event(self, event: str, **more: Any) -> None:
        try:
            print(dump({"time": round(time.time(), 3), "event": event, **more}), file=sys.stderr, flush=True)
        except OSError:  # whoever read the log has left: serving goes on
            pass

    def request(self, **more: Any) -> None:
        if self._requests:
            self.event("request", **more)
