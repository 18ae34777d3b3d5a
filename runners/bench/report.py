"""What a run of `reexec bench` came to."""

import os
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil


@dataclass(slots=True)
class Report:
    host: dict[str, Any]
    workers: int
    isolation: str
    python: str
    """Of the checked programs."""
    rounds: int
    figures: dict[str, float] = field(default_factory=dict)
    """Checks, rows or forks a second, all workers together; medians over the rounds."""
    ratios: dict[str, float] = field(default_factory=dict)
    """See ratios.py; the only thing that can be compared with another day or machine."""
    limits: dict[str, float] = field(default_factory=dict)
    """The most a second that a figure could be here, by measurement: a fork a check, and the programs' own time."""
    host_us: dict[str, float] = field(default_factory=dict)
    """Processor time of the host's process per check, in microseconds."""
    latency_ms: dict[str, float] = field(default_factory=dict)
    """One check at a time on a warm executor."""
    start_s: dict[str, float] = field(default_factory=dict)
    """Elapsed time of a cold command, and until an executor's first verdict."""
    scaling: dict[str, float] = field(default_factory=dict)
    """Isolated checks a second by number of workers."""
    resident_mb: dict[str, float] = field(default_factory=dict)
    not_available: dict[str, str] = field(default_factory=dict)
    """What was not measured, and why."""
    methods: dict[str, float] = field(default_factory=dict)
    """Checks a second of other ways to run the same checks, and of ours, in turn."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def host_facts() -> dict[str, Any]:
    """What a reader must know of a machine to make sense of its figures."""
    return {
        "processors": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model", "CPU part"))]
    return named[0] if named else platform.machine()
