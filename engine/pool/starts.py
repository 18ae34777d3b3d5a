"""How often a start may fail and how much time one has: pure bookkeeping, no I/O, and time only as it is told.

A busy machine makes starts slow and, where somebody kills workers, makes it likely that a start is hit. Neither says anything
about whether this host can start a worker, so neither uses up what a start is allowed.

Starts are counted by kind of worker (the modules it imports), because a kind may be unable to start by itself: a package
crashes when it is imported, or needs more memory than there is. What becomes of a kind:

    it was          then                                  it is
    --------------  ------------------------------------  -----------------------------------------------------------------
    coming up       a start ended                         coming up; from the third in a row on after a pause, in which no
                                                          place is kept for it and other kinds go on
    coming up       its budget is used up                 coming up with a fresh budget, where others can make room: idle
                                                          workers end, so often as there are places (where its starts are
                                                          killed: once, all of them); else given up
    given up        its jobs ended as `engine-error`      coming up, with a fresh budget and the pauses it had; nobody makes
                                                          room for it again
    any             one of it came up                     up: all of this is forgotten
    any             KILLED_FOR_S without a start          the same

A kind of which a worker runs is not given up: its jobs get done.
"""

from ..jail.progress import Used

FAILED_STARTS_ALLOWED = 3
KILLED_STARTS_ALLOWED = 30
KILLED_FOR_S = 300.0
STARTS_WITHOUT_PAUSE = 3
"""In a row, of one kind."""
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0
"""Before the next start of a kind whose starts keep ending: doubled each time. A start costs a few tenths of a second."""
START_S = 120.0
STOPPED_S = 60.0
"""For how long a worker may be stopped (SIGSTOP) before that counts as well: somebody must not hold a check up for ever."""
_MOST_BETWEEN_LOOKS_S = 1.0
"""Whoever looks later than this was kept from looking, and so was everybody else."""

Kind = frozenset[str]
_NONE: frozenset[Kind] = frozenset()


class _OfKind:
    """Since the last one of its kind that came up."""

    __slots__ = ("ended", "failed", "killed", "killed_since", "last", "not_before", "rooms")

    def __init__(self) -> None:
        self.failed = self.killed = 0
        """Of those that count against the budget."""
        self.ended = 0
        """All, in a row."""
        self.killed_since = self.last = self.not_before = 0.0
        self.rooms = 0
        """How often others have made room."""


class Attempts:
    """Starts that ended before the worker was up."""

    def __init__(self) -> None:
        self.first_is_up = False
        self._of: dict[Kind, _OfKind] = {}

    def came_up(self, kind: Kind) -> None:
        self.first_is_up = True
        self._of.pop(kind, None)

    def killed(self, kind: Kind, now: float) -> bool:
        """One was killed from outside; whether that is forgiven. Before the first worker is up it is so often only; after
        that the host is known to be able to, and it must have lasted for some time, too."""
        own = self._ended(kind, now)
        if not own.killed:
            own.killed_since = now
        own.killed += 1
        if own.killed <= KILLED_STARTS_ALLOWED or (self.first_is_up and now - own.killed_since < KILLED_FOR_S):
            return True
        own.killed = 0
        return False

    def failed(self, kind: Kind, now: float) -> bool:
        """One ended by itself; whether another one may be tried before anybody is told."""
        own = self._ended(kind, now)
        own.failed += 1
        if self.first_is_up and own.failed < FAILED_STARTS_ALLOWED:
            return True
        own.failed = 0
        return False

    def may_make_room(self, kind: Kind, most: int) -> bool:
        """Whether others may make room once more for a kind whose budget is used up."""
        own = self._of[kind]
        own.rooms += 1
        return own.rooms <= most

    def paused(self, now: float) -> frozenset[Kind]:
        """Kinds of which none is to be started yet."""
        if not self._of:
            return _NONE
        return frozenset(kind for kind, own in self._of.items() if now < own.not_before)

    def _ended(self, kind: Kind, now: float) -> _OfKind:
        for other in [other for other, own in self._of.items() if now - own.last > KILLED_FOR_S]:
            del self._of[other]  # what was so long ago says nothing of today
        own = self._of.setdefault(kind, _OfKind())
        own.last = now
        own.ended += 1
        doublings = min(own.ended - STARTS_WITHOUT_PAUSE, 16)
        if self.first_is_up and doublings >= 0:
            own.not_before = now + min(LONGEST_PAUSE_S, SHORTEST_PAUSE_S * 2**doublings)
        return own


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
