"""How often a start may fail and how much time one has: pure bookkeeping, no I/O, and time only as it is told.

A busy machine makes starts slow and, where somebody kills workers, makes it likely that a start is hit. Neither says anything
about whether this host can start a worker, so neither uses up what a start is allowed.
"""

from ..jail.progress import Used

FAILED_STARTS_ALLOWED = 3
KILLED_STARTS_ALLOWED = 30
KILLED_FOR_S = 300.0
START_S = 120.0
STOPPED_S = 60.0
"""For how long a worker may be stopped (SIGSTOP) before that counts as well: somebody must not hold a check up for ever."""
_MOST_BETWEEN_LOOKS_S = 1.0
"""Whoever looks later than this was kept from looking, and so was everybody else."""


class Attempts:
    """Starts that ended before the worker was up, since the last one that came up."""

    def __init__(self) -> None:
        self.first_is_up = False
        self._failed = 0
        self._killed = 0
        self._killed_since = self._killed_last = 0.0

    def came_up(self) -> None:
        self.first_is_up = True
        self._failed = self._killed = 0

    def killed(self, now: float) -> bool:
        """One was killed from outside; whether that is forgiven. Before the first worker is up it is so often only; after
        that the host is known to be able to, and it must have lasted for some time, too."""
        if now - self._killed_last > KILLED_FOR_S:
            self._killed = 0  # what was so long ago says nothing of today
        if not self._killed:
            self._killed_since = now
        self._killed_last = now
        self._killed += 1
        if self._killed <= KILLED_STARTS_ALLOWED or (self.first_is_up and now - self._killed_since < KILLED_FOR_S):
            return True
        self._killed = 0
        return False

    def failed(self) -> bool:
        """One ended by itself; whether another one may be tried before anybody is told."""
        self._failed += 1
        if self.first_is_up and self._failed < FAILED_STARTS_ALLOWED:
            return True
        self._failed = 0
        return False


class Patience:
    """The time that a worker has had: without what it waited for a processor or was stopped, and without what the one who looks
    was kept from looking. At least the processor time that it used, so that nothing lasts for ever."""

    def __init__(self, now: float, used: Used | None = None) -> None:
        self._last = now
        before = used or Used()
        self._cpu_s = self._cpu_before_s = before.cpu_s
        self._waited_s = before.waited_s
        self._passed_s = self._stopped_s = 0.0

    def had_s(self, now: float, used: Used) -> float:
        """Seconds so far, at this look."""
        elapsed = min(now - self._last, _MOST_BETWEEN_LOOKS_S)
        self._last = now
        # A look may fail, and threads that ended are in no sum any more: neither takes back what was seen before.
        waited_s = min(elapsed, max(0.0, used.waited_s - self._waited_s))
        self._waited_s = max(self._waited_s, used.waited_s)
        self._cpu_s = max(self._cpu_s, used.cpu_s)
        if used.stopped and self._stopped_s < STOPPED_S:
            self._stopped_s += elapsed
        else:
            self._passed_s += elapsed - waited_s
        return max(self._passed_s, self._cpu_s - self._cpu_before_s)
