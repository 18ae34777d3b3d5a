"""What all tests share: where the repository is, and how a capability that this host lacks is treated."""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import NoReturn

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # tests import each other's helpers as tests.attacks.harness

from tests.support import leftovers, limited_host, warm_command  # noqa: E402

if limited_host.is_limited():
    limited_host.adapt()

# The same examples in every run, on a machine of any speed: a property that fails, fails for everybody who runs it. To look for
# new ones: pytest --hypothesis-profile=explore.
_ANY_SPEED = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.register_profile("explore", _ANY_SPEED)
hypothesis.settings.register_profile("fixed", _ANY_SPEED, derandomize=True, database=None)
hypothesis.settings.load_profile("fixed")

# Started in the background of a shell, this process ignores Ctrl-C, and so would every command that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


SLOW_TIMEOUT_S = 3600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(SLOW_TIMEOUT_S))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if limited_host.is_limited():
        limited_host.excuse(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if limited_host.is_limited():
        limited_host.excuse(report)
    return report


END_S = 30.0
"""What ends by itself has so long for it."""


@pytest.fixture(scope="session", autouse=True)
def own_temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Workers keep their files below a folder of this run, so that "nothing is left over" can be counted while other
    runs share the machine; at the end it is. What still runs then is ended, and the last lines say so."""
    tmp_path_factory.getbasetemp()  # made now, or pytest would make it inside the folder
    folder = leftovers.run_folder()
    before = tempfile.tempdir
    tempfile.tempdir = str(folder)
    yield folder
    tempfile.tempdir = before
    warm_command.stop()
    if rewards := sys.modules.get("reexec.runners.rewards.executors"):  # they live as long as the process
        rewards.shutdown()
    left = [path.name for path in sorted(folder.glob("reexec-*"))]
    assert not left, f"temporary folders of workers were left over: {left}"
    from tests.reliability.outside import groups_of  # not before `adapt`

    groups = groups_of(os.getpid())
    assert not groups, f"control groups were left over: {groups}"
    until = time.monotonic() + END_S
    while (running := leftovers.processes_that_name(folder)) and time.monotonic() < until:
        time.sleep(0.1)
    _ended.extend(leftovers.end(running))


_ended: list[str] = []
"""Command lines of processes that were left over."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for command in _ended:
        terminalreporter.write_line(f"left over, and ended: {command[:200]}", red=True)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Nothing that another run kept is believed here, and nothing of this run is by a user: not even what code kept that a
    mutant was put into. What installers keep, and the libraries unpacked for nsjail, stay where they are."""
    usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = tmp_path_factory.mktemp("cache")
    native = usual / "reexec" / "native"
    if native.is_dir():
        (folder / "reexec").mkdir()
        (folder / "reexec" / "native").symlink_to(native)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        for variable, name in (("UV_CACHE_DIR", "uv"), ("PIP_CACHE_DIR", "pip")):
            patch.setenv(variable, os.environ.get(variable) or str(usual / name))
        yield folder


def lacking(reason: str) -> NoReturn:
    """This host lacks a capability: the test is skipped and says so; in CI that is a failure, but where so few addresses are
    allowed that .ci/run itself says what is left out."""
    if os.environ.get("CI") and not limited_host.is_limited():
        pytest.fail(f"CI must offer it: {reason}", pytrace=False)
    pytest.skip(reason)
