"""What deploy/ holds, as far as it can be tried without systemd as process 1 and without a container's daemon."""

import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from reexec import load_policy
from tests.conftest import ROOT, lacking
from tests.support.helpers import COMMAND, reexec
from tests.support.service import check, service

UNIT = ROOT / "deploy" / "reexec.service"
CONTAINERFILE = ROOT / "deploy" / "Containerfile"


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        lacking("systemd-analyze")
    unit = tmp_path / "reexec.service"
    unit.write_text(UNIT.read_text().replace("/opt/reexec/bin/reexec", COMMAND))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    if "Failed to initialize manager" in done.stderr or "Failed to create" in done.stderr:
        lacking("a systemd-analyze that works without systemd")
    assert done.returncode == 0, done.stderr
    assert "reexec.service" not in done.stderr, done.stderr


@pytest.mark.parametrize("path", [UNIT, CONTAINERFILE], ids=lambda path: path.name)
def test_every_option_exists(path: Path) -> None:
    known = reexec("serve", "--help", env={"COLUMNS": "250"}).out
    options = set(re.findall(r"--(?:host|port|drain-s|[a-z]+-s|workers|quiet)\b", path.read_text()))
    assert {"--host", "--port"} <= options
    for option in options - {"--start-period"} if path == UNIT else {"--host", "--port"}:
        assert option in known


def test_the_service_serves_under_the_containers_policy(tmp_path: Path) -> None:
    found = re.search(r'^ENV REEXEC_POLICY="(.*?)"', CONTAINERFILE.read_text(), re.MULTILINE)
    assert found
    policy = load_policy("serve", environment={"REEXEC_POLICY": found[1]})
    assert (policy.isolation.lowest, policy.limits.processes, policy.limits.scratch_bytes) == ("restricted", 1, 0)
    settings = found[1] + " limits.memory_bytes=192MiB"
    with service(tmp_path, "--workers", "1", env={"REEXEC_POLICY": settings, "REEXEC_TOKEN": "0123456789abcdef"}) as served:
        answer = httpx.post(f"{served.url}/v1/check", json=check(1, 2), headers={"authorization": "Bearer 0123456789abcdef"})
        assert answer.json()["word"] == "accepted"
        code = {"language": "python", "code": "print(1)"}
        answer = httpx.post(f"{served.url}/run_code", json=code, headers={"authorization": "Bearer 0123456789abcdef"})
        assert answer.json()["status"] == "Success"
