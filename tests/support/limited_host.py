"""Tests on a host that allows processes few addresses (`ulimit -Hv`): the default of 1 GiB for a check cannot be had there.

What a user of such a host does is done for all tests: REEXEC_POLICY asks for less, and so do presets and defaults that tests
use directly. Tests that ask for more in a process of their own, or that need libraries which do not fit, fail with one of the
texts below; there, and only on such a host, they count as skipped.
"""

import os
import resource
from pathlib import Path

import pytest

from reexec.policies import reading
from reexec.policies.model import MIB, Limits, Policy

ENOUGH_BYTES = 4096 * MIB
_TEXTS = (
    "the limit on addresses here (ulimit -Hv)",
    "failed to map segment from shared object",
    "Cannot allocate memory",
    "can't start new thread",
    "MemoryError",
    "bad_alloc",
    "out of memory",
    "libarrow",
    "Segmentation fault",
    "Aborted",
    "more code than a worker keeps",  # its room for code, for a call and for an input is smaller too
    "; a worker takes at most",
    "a standard input of",
)
MEMORY_BYTES = 192 * MIB
TOOLCHAINS = Path(__file__).parent / "toolchains"
"""Languages whose compilers and run times fit with thrifty flags."""
SETTING = f"limits.memory_bytes={MEMORY_BYTES}"


def is_limited() -> bool:
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    return hard != resource.RLIM_INFINITY and hard < ENOUGH_BYTES


def excuse(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Makes a failure for want of addresses a skip that says so."""
    if report.failed:
        said = report.longreprtext + report.capstdout + report.capstderr
        text = next((text for text in _TEXTS if text in said), None)
        if text is not None:
            report.outcome = "skipped"
            report.longrepr = (str(report.nodeid), 0, f"Skipped: this host allows few addresses (ulimit -Hv): {text}")


def adapt() -> None:
    os.environ.setdefault("REEXEC_POLICY", SETTING)
    os.environ.setdefault("REEXEC_TOOLCHAINS", str(TOOLCHAINS))
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")
    Limits.model_fields["memory_bytes"].default = MEMORY_BYTES
    Limits.model_rebuild(force=True)
    Policy.model_fields["limits"].default = Limits()
    Policy.model_rebuild(force=True)
    read = reading._read

    def read_less(source: str) -> dict[str, object]:
        tree = read(source)
        if source in reading.preset_names() and tree.get("limits", {}).get("memory_bytes", 0) > MEMORY_BYTES:
            tree["limits"]["memory_bytes"] = MEMORY_BYTES
        return tree

    reading._read = read_less
