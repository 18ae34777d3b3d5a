"""Every command's help shows an example, and the example works as it is printed."""

import re
import shlex
import shutil
import subprocess
from functools import cache
from pathlib import Path

import httpx
import pytest

from reexec.cli.commands import NAMES, load
from tests.support.helpers import COMMAND, EXAMPLES, Done, environment, reexec, reexec_cold, wait_until
from tests.support.viewing import address_of, start_view

# The bundled responses hold programs that compute or sleep for ever; they need not do so for 5 s each here.
SMALL = {"REEXEC_POLICY": "limits.cpu_s=1 limits.idle_s=1", "REEXEC_CACHE": "cache-of-the-examples"}
EXPECTED_CODE = {"doctor": (0, 3)}
NEEDS = {"explain": "verify", "rows": "verify", "env missing": "audit", "report": "pipeline"}
MAKES = {
    "call": '"verdict": "accepted"',
    "verify": "accepted",
    "audit": "reproducible",
    "demo": "rows/s",
    "explain": "to repeat it",
    "rows": "no row was left out",
    "doctor": "isolation here",
    "transform": "12 prompts",
    "infer": "12 responses",
    "generate": "90 proven pairs",
    "env create": "to be used as: --python programs-env/bin/python",
    "env missing": "no program lacked a module",
    "prompts": "240 prompts about 120 pairs of 40 functions",
    "revise": "13 of 16 rows asked again",
    "assemble": "right at turn 2",
    "grade cruxeval": r"pass@1 50\.0",
    "grade humaneval": r"pass@1 0\.5000",
    "grade mbpp": r"pass@1 0\.7500",
    "grade evalplus": r"pass@1 0\.5000",
    "grade tests": r"5 samples of 3 problems",
    "grade package": r"4 as labelled, 0 otherwise",
    "report": r"functions; [\d,]+ bytes in report\.html",
    "cache stats": "outcomes|no cache there yet",
    "cache prune": "stay|no cache there yet",
    "cache clear": "bytes freed",
    "export": "16 rows of 4 functions",
    "pipeline": "repaired at turn 2",
    "merge": "2 shards, 12 rows of transform: merged.jsonl",
    "policy show": "digest",
    "policy list": "codeio",
    "bench": "call_vs_fresh",
}


STAYS = ("serve", "view")
"""Run until they are told to stop."""


def commands() -> list[str]:
    found: list[str] = []
    for name in NAMES:
        inner = getattr(load(name), "commands", {})
        found += [f"{name} {each}" for each in sorted(inner)] or [name]
    return sorted(found)


def help_of(command: str) -> str:
    done = reexec(*command.split(), "--help", env={"COLUMNS": "250", "NO_COLOR": "1"})
    assert done.code == 0
    return done.out


def example_of(command: str) -> list[str]:
    found = re.search(r"Example: (reexec .+?)\s*$", help_of(command), re.MULTILINE)
    assert found, f"no example in the help of {command}"
    words = shlex.split(found[1])
    assert words[1 : 1 + len(command.split())] == command.split()
    return words[1:]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a newcomer stands: the examples, and nothing else."""
    folder = tmp_path_factory.mktemp("clone")
    (folder / "examples").mkdir()
    for path in (*EXAMPLES.glob("*.jsonl"), EXAMPLES / "pipeline.toml"):
        shutil.copy(path, folder / "examples")
    shutil.copytree(EXAMPLES / "graders", folder / "examples" / "graders")
    return folder


@cache
def run_example(command: str, folder: Path) -> Done:
    """Once for each command: what one leaves in the folder the next may take."""
    env = {**SMALL, "COLUMNS": "200"}
    if command == "merge":
        for index in range(2):
            words = ("transform", "examples/raw.jsonl", "-o", f"shard-{index}.jsonl", "--shard", f"{index}/2")
            assert reexec_cold(*words, cwd=folder, env=env).code == 0
    return reexec_cold(*example_of(command), cwd=folder, env=env)


@pytest.mark.parametrize("command", [command for command in commands() if command not in STAYS])
def test_the_example_in_the_help_works_as_printed(command: str, folder: Path) -> None:
    if command in NEEDS:
        assert run_example(NEEDS[command], folder).code == 0
    done = run_example(command, folder)
    assert done.code in EXPECTED_CODE.get(command, (0,)), done.err
    assert "Traceback" not in done.err
    assert re.search(MAKES[command], done.out), done.out


def test_the_example_of_serve_answers_until_it_is_told_to_stop(folder: Path) -> None:
    words = example_of("serve")
    address = f"http://127.0.0.1:{words[words.index('--port') + 1]}"
    server = subprocess.Popen([COMMAND, *words], cwd=folder, env=environment(SMALL), stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=address, timeout=10, trust_env=False) as client:
            wait_until(lambda: _is_healthy(client), 60)
    finally:
        server.terminate()
        code = server.wait(60)
    assert code == 0


def test_the_example_of_view_answers_until_it_is_told_to_stop(folder: Path) -> None:
    assert run_example("pipeline", folder).code == 0
    process = start_view(*example_of("view")[1:], cwd=folder)
    try:
        answer = httpx.get(address_of(process), trust_env=False, timeout=30)
        assert (answer.status_code, "<h2>Funnel</h2>" in answer.text) == (200, True)
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0


def _is_healthy(client: httpx.Client) -> bool:
    try:
        return client.get("/v1/health").status_code == 200
    except httpx.TransportError:
        return False


def test_the_help_lists_every_command() -> None:
    text = reexec("--help", env={"COLUMNS": "200"}).out
    for command in commands():
        assert command.split()[0] in text


@pytest.mark.parametrize("command", ["verify", "audit"])
def test_commands_on_files_share_their_options(command: str) -> None:
    text = help_of(command)
    for option in ("--workers", "--policy", "--set", "--python", "--limit", "--shard", "--overwrite", "--json", "--output"):
        assert option in text
