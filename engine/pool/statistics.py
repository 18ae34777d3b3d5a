"""What an executor has counted."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts since the executor began; `submitted` = `completed` + `cancelled` + what is on its way."""

    submitted: int = 0
    completed: int = 0
    cancelled: int = 0
    """Calls that nobody waits for any more, and those that a shutdown ended."""
    retried: int = 0
    """Runs that had to be repeated because a worker died."""
    engine_errors: int = 0
    workers_started: int = 0
    worker_deaths: int = 0
    worker_kills: int = 0
    """Checks that a program ended by killing its worker twice."""
    kills_repeated: int = 0
    """Runs repeated because SIGKILL had ended the check's own process."""
    limits_confirmed: int = 0
    """Limits on time that were in doubt, and that a second run alone came to as well."""
    units: int = 0
    """Forks that many checks of one program shared. A check counts once above, however often it ran."""
    unit_confirmations: int = 0
    """Accepted answers of units that were run again alone before they were believed."""
    unit_disagreements: int = 0
    """Programs that answered one thing in a unit and another one alone; none of their units is believed from then on."""
    limit_disagreements: int = 0
    """Limits on time that a second run did not come to, or came to another one."""
    recalled: int = 0
    """Calls of streams that the cache answered; not `submitted`."""
    shared: int = 0
    """Calls of streams that an identical call of the same stream answered; not `submitted`."""
