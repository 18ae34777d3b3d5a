"""Of the host's files a program sees those that belong to its interpreter, by name: not what lies beside them."""

import subprocess
from pathlib import Path

import pytest

from reexec import Executor, Program, load_policy
from reexec.engine.jail import interpreter
from reexec.engine.jail.binds import wanted_binds
from reexec.policies.model import IsolationLevel
from tests.attacks.harness import offered
from tests.conftest import lacking

LEVELS = [IsolationLevel.NSJAIL_CGROUP, IsolationLevel.NSJAIL, IsolationLevel.RESTRICTED]

LOOK = Program(
    """
import os
def f(project):
    read, listed = [], []
    for folder in (project, project + "/lib", project + "/bin", project + "/data"):
        try:
            listed.append([folder, sorted(os.listdir(folder))])
        except OSError:
            pass
    for path in ("functions.jsonl", "data/answers.jsonl", "lib/notes.txt", "lib/python", "bin/activate", "bin/tool", ".env"):
        try:
            with open(project + "/" + path) as file:
                read.append(path)
        except OSError:
            pass
    return [read, listed]
""",
    "f",
)
IMPORT = Program("import beside\ndef f():\n    return beside.VALUE", "f")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with `python -m venv .` in it, and things of its own in every folder."""
    folder = tmp_path_factory.mktemp("project")
    for above in (folder, *folder.parents):
        if above.owner() == folder.owner():
            above.chmod(above.stat().st_mode | 0o711)
    made_of = interpreter.ask().prefixes[-1]
    subprocess.run([f"{made_of}/bin/python3", "-m", "venv", "--without-pip", folder], check=True)
    for name in ("functions.jsonl", "data/answers.jsonl", "lib/notes.txt", "bin/tool", ".env"):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("private")
        path.chmod(0o644)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "beside.py").write_text("VALUE = 'installed'\n")
    return folder


@pytest.mark.parametrize("isolation", LEVELS)
def test_an_environment_in_a_project_shows_nothing_of_the_project(isolation: IsolationLevel, project: Path) -> None:
    for offer in offered():
        if offer.isolation is isolation and offer.reason:
            lacking(offer.reason)
    policy = load_policy("codeio", settings=["limits.cpu_s=20", f'isolation.lowest="{isolation.value}"'])
    with Executor(policy, workers=1, python=project / "bin" / "python", isolation=isolation) as executor:
        assert executor.submit(IMPORT, []).result().value == "installed"
        read, listed = executor.submit(LOOK, [str(project)]).result().value
    assert read == []
    for folder, names in listed:
        rest = {name for name in names if not name.startswith("python")}
        assert rest <= ({"bin", "lib", "lib64", "pyvenv.cfg"} if folder == str(project) else set()), (folder, names)


def test_no_prefix_is_shown_as_a_whole(project: Path) -> None:
    for python in (None, str(project / "bin" / "python"), "/usr/bin/python3"):
        if python is not None and not Path(python).exists():
            continue
        asked = interpreter.ask(python)
        shown = {bind.target for bind in wanted_binds(asked)}
        assert not shown & {
            *asked.prefixes,
            "/",
            "/usr",
            "/usr/local",
            "/usr/local/lib",
            "/home",
            "/root",
            "/opt",
            "/etc",
            "/dev",
        }
        for name in asked.prefixes:
            assert not shown & {f"{name}/lib", f"{name}/bin", f"{name}/share"} - {"/usr/lib"}
