"""How many requests may be on their way, and how long to wait before the next try. No I/O and no clock: times come in.

Additive increase, multiplicative decrease, as in congestion control of TCP (RFC 5681): every reply raises the limit by one
until the first sign of congestion, then by one a round; a sign of congestion halves it. A burst of them is one sign: requests
that were already on their way at the last cut do not cut again. Where the server says when to come back, nobody sends before
that.
"""

import random

START = 8
"""Requests at first; a server that takes them gets twice as many a round."""
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
MOST_PATIENCE_S = 900.0
"""A server that asks for longer waits than this ends the run instead."""


class Controller:
    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = float(min(START, most))
        self.not_before = 0.0
        self.cuts = 0
        self._cut_at = float("-inf")
        self._calm = True

    def may_start(self, now: float, on_their_way: int) -> bool:
        return now >= self.not_before and on_their_way < int(self.limit)

    def succeeded(self) -> None:
        self.limit = min(self.most, self.limit + (1.0 if self._calm else 1.0 / self.limit))

    def congested(self, started: float, now: float, wait_s: float | None) -> None:
        """A request that began at `started` met congestion at `now`; the server asked for `wait_s` of rest, or said nothing."""
        if wait_s is not None:
            self.not_before = max(self.not_before, now + wait_s)
        if started < self._cut_at:
            return
        self._cut_at = now
        self._calm = False
        self.cuts += 1
        self.limit = max(1.0, self.limit / 2)


def backoff_s(failures: int, chance: random.Random) -> float:
    """Seconds before the next try of one request after so many failures: doubling, at half to all of it by chance, so that
    requests that failed together do not come back together."""
    most = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(failures - 1, 10))
    return most * chance.uniform(0.5, 1.0)
