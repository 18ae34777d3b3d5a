"""What the isolation levels say of themselves, against what they do."""

import pytest

from reexec.engine.jail.backends import BACKENDS
from reexec.policies.layers import load_policy
from reexec.policies.model import IsolationLevel, Limits
from tests.attacks.harness import offered
from tests.conformance.test_attributes import executor_on, inside

NOT_ENFORCED_BY_A_LEVEL = {"confirm"}  # how the host reports
BEYOND_DEFAULTS = {"processes": "limits.processes=3", "scratch_bytes": "limits.scratch_bytes=4096"}


def test_every_level_has_one_backend_strongest_first() -> None:
    assert list(BACKENDS) == sorted(IsolationLevel, key=lambda level: -level.strength)
    assert all(backend.level is level for level, backend in BACKENDS.items())


@pytest.mark.parametrize("isolation", list(BACKENDS))
def test_a_limit_is_enforced_or_a_policy_that_sets_it_is_refused(isolation: IsolationLevel) -> None:
    backend = BACKENDS[isolation]
    assert backend.enforces <= set(Limits.model_fields)
    assert not backend.refuses(load_policy("codeio"))
    left = set(Limits.model_fields) - backend.enforces - NOT_ENFORCED_BY_A_LEVEL
    if isolation is IsolationLevel.NONE:
        assert left == {"processes", "scratch_bytes", "scratch_inodes"}  # promises nothing, refuses nothing
        return
    assert left <= {"scratch_bytes", "scratch_inodes"}
    for name, setting in BEYOND_DEFAULTS.items():
        refusal = backend.refuses(load_policy("codeio", settings=[setting]))
        assert bool(refusal) == (name in backend.lacks)
        assert not refusal or setting in refusal


def test_a_level_that_this_host_offers_does_not_call_itself_unavailable() -> None:
    for offer in offered():
        if offer.available:
            assert BACKENDS[offer.isolation].unavailable() == ""


@pytest.mark.parametrize("isolation", [level for level, backend in BACKENDS.items() if "scratch_bytes" in backend.enforces])
def test_shared_memory_is_as_large_as_what_counts_it(isolation: IsolationLevel) -> None:
    """Where a control group counts it, processes may share megabytes; elsewhere a page."""
    source = (
        "import mmap\ndef f():\n    made = []\n    for size in (4096, 1 << 20):\n        try:\n"
        "            made.append(len(mmap.mmap(-1, size)))\n        except OSError:\n            made.append(0)\n"
        "    return made"
    )
    with executor_on(isolation, "limits.processes=3") as executor:
        assert inside(executor, source) == [4096, (1 << 20) * BACKENDS[isolation].limits_tree]
