"""What is on its way through the service: counted at the door, so that a full house refuses instead of growing.

Lives in the event loop's thread alone.
"""

import math
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .faults import Refused
from .settings import ServiceSettings

_RECENT_S = 10.0


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks: which token, and the name that the client gave itself."""

    token: int = -1
    """Its place among the service's; -1 where the service has none."""
    name: str = ""

    @property
    def account(self) -> "Client | int":
        """Whom calls are counted for: names of its own choice give a client turns, and no larger share of the queue."""
        return self if self.token < 0 else self.token


class Desk:
    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self.calls = 0
        self.held_bytes = 0
        self._calls_of: Counter[Client | int] = Counter()
        self._done: deque[float] = deque(maxlen=4096)
        """When calls were done, for the guess when there is room."""

    @contextmanager
    def admitted(self, client: Client, calls: int = 1) -> Iterator[None]:
        """Room for so many calls of one request. Raises Refused."""
        settings = self._settings
        if calls > settings.batch_calls:
            raise Refused(413, "too-many-checks", f"{calls:,} checks in one request; the most is {settings.batch_calls:,}")
        if self._calls_of[client.account] + calls > settings.client_calls:
            raise Refused(429, "too-many-requests", "this client has too many calls on their way", self._wait_s())
        if self.calls + calls > settings.calls:
            raise Refused(503, "queue-full", "too many calls are on their way", self._wait_s())
        self.calls += calls
        self._calls_of[client.account] += calls
        try:
            yield
        finally:
            now = time.monotonic()
            self._done.extend([now] * min(calls, 4096))
            self.calls -= calls
            self._calls_of[client.account] -= calls
            if not self._calls_of[client.account]:
                del self._calls_of[client.account]

    @contextmanager
    def holding(self) -> "Iterator[Held]":
        """An account of bytes for one request, given back at its end."""
        held = Held(self)
        try:
            yield held
        finally:
            self.held_bytes -= held.bytes

    def hold(self, more: int) -> None:
        if self.held_bytes + more > self._settings.held_bytes:
            raise Refused(503, "memory-full", "too many bytes of requests and answers are on their way", self._wait_s())
        self.held_bytes += more

    def _wait_s(self) -> int:
        """A guess when half of the queue is done."""
        now = time.monotonic()
        recent = sum(now - done < _RECENT_S for done in self._done)
        return max(1, min(60, math.ceil(self.calls / 2 / (recent / _RECENT_S)))) if recent else 5


class Held:
    """Bytes that one request keeps in memory."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.bytes = 0

    def add(self, more: int) -> None:
        """Raises Refused where all requests together hold too much."""
        self._desk.hold(more)
        self.bytes += more

    def add_anyway(self, more: int) -> None:
        """For an answer that is there: it is sent, and later requests are refused."""
        self._desk.held_bytes += more
        self.bytes += more
