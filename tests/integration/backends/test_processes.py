"""Runs on several processes of this machine: the files that one process writes, whatever happens to a node."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from reexec.policies.layers import load_policy
from reexec.runners.backends import fleet as fleet_module
from reexec.runners.backends import opened, processes
from reexec.runners.backends.fleet import Fleet
from reexec.runners.execution import ExecutorOptions
from reexec.runners.stage import Silent, Stage
from reexec.runners.stages.audit import Audit, AuditSettings
from reexec.runners.stages.generate import Generate, GenerateSettings
from reexec.runners.stages.verify import Verify, VerifySettings
from tests.support.helpers import (
    COMMAND,
    EXAMPLES,
    FUNCTIONS,
    SMALL,
    all_gone,
    environment,
    example_functions,
    example_responses,
    lines_done,
    reexec,
    sleeper,
    start,
    temporary_folder,
    wait_until,
    write_rows,
)  # fmt: skip

GRADERS = EXAMPLES / "graders"
NODES = ("--backend", "processes", "--nodes", "2", "-w", "1")


class KillsANode(Silent):
    """Pulls out a node when so many rows are done; with SIGSTOP it hangs instead."""

    def __init__(self, rows: int, end: signal.Signals = signal.SIGKILL) -> None:
        self._left, self._end, self.pid = rows, end, 0

    def tell(self, word: str) -> None:
        self._left -= 1
        if not self._left:
            self.pid = node_processes()[0].pid
            os.kill(self.pid, self._end)


def node_processes(of: int | None = None) -> list[psutil.Process]:
    found = []
    for each in psutil.Process(of).children(recursive=True):
        with contextlib.suppress(psutil.Error):  # one that is ending
            if "reexec.runners.backends.node_process" in each.cmdline():
                found.append(each)
    return found


def here(stage: type[Stage[Any]], source: Path, output: Path, settings: Any, fleet: Fleet | None = None, **more: Any) -> Any:
    policy = load_policy("codeio", settings=("limits.cpu_s=2", "limits.idle_s=1"), environment=os.environ)
    return stage.run(source, output, settings, ExecutorOptions(policy, 1 if fleet else 2, fleet=fleet), **more)


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without nodes, over programs that differ; with its input and functions."""
    folder = tmp_path_factory.mktemp("verified")
    write_rows(folder / "functions.jsonl", example_functions(2))
    write_rows(folder / "responses.jsonl", example_responses(2))
    settings = VerifySettings(functions=folder / "functions.jsonl")
    here(Verify, folder / "responses.jsonl", folder / "one.jsonl", settings)
    return folder


@pytest.mark.parametrize("nodes", [1, 3])
def test_verify_writes_what_it_writes_without_nodes(verified: Path, tmp_path: Path, nodes: int) -> None:
    settings = VerifySettings(functions=verified / "functions.jsonl")
    with opened("processes", nodes=nodes) as fleet:
        summary = here(Verify, verified / "responses.jsonl", tmp_path / "out.jsonl", settings, fleet)
        assert len(node_processes()) == nodes
    assert node_processes() == []
    assert summary.workers == nodes
    same_files(verified / "one", tmp_path / "out", "jsonl", "passrates.jsonl")


def test_a_node_killed_in_mid_run_costs_time_and_nothing_else(verified: Path, tmp_path: Path) -> None:
    settings, told, killer = VerifySettings(functions=verified / "functions.jsonl"), list[str](), KillsANode(60)
    with opened("processes", nodes=3, tell=told.append) as fleet:
        here(Verify, verified / "responses.jsonl", tmp_path / "out.jsonl", settings, fleet, progress=killer)
    assert killer.pid
    assert [line for line in told if "was lost (its process ended by signal 9)" in line]
    same_files(verified / "one", tmp_path / "out", "jsonl", "passrates.jsonl")


def test_a_node_that_hangs_is_lost_and_ended(verified: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_module, "SILENT_S", 8.0)
    monkeypatch.setattr(processes, "END_S", 1.0)
    settings, told = VerifySettings(functions=verified / "functions.jsonl"), list[str]()
    killer = KillsANode(1, signal.SIGSTOP)
    with opened("processes", nodes=3, tell=told.append) as fleet:
        here(Verify, verified / "responses.jsonl", tmp_path / "out.jsonl", settings, fleet, progress=killer)
        wait_until(lambda: not psutil.pid_exists(killer.pid), 60)
    assert [line for line in told if "was lost (no word for " in line]
    same_files(verified / "one", tmp_path / "out", "jsonl", "passrates.jsonl")


@pytest.mark.parametrize(
    ("stage", "source", "settings", "side"),
    [
        (Audit, FUNCTIONS, lambda output: AuditSettings(keep=output.with_suffix(".kept.jsonl")), "kept.jsonl"),
        (Generate, EXAMPLES / "unified.jsonl", lambda _: GenerateSettings(pairs=3, calls=40), "drops.jsonl"),
    ],
)
def test_proofs_are_the_same_with_a_node_killed(
    tmp_path: Path, stage: type[Stage[Any]], source: Path, settings: Callable[[Path], Any], side: str
) -> None:
    here(stage, source, tmp_path / "one.jsonl", settings(tmp_path / "one.jsonl"))
    killer = KillsANode(2)
    with opened("processes", nodes=2) as fleet:
        here(stage, source, tmp_path / "out.jsonl", settings(tmp_path / "out.jsonl"), fleet, progress=killer)
    assert killer.pid
    same_files(tmp_path / "one", tmp_path / "out", "jsonl", side)


@pytest.mark.parametrize("task", ["humaneval", "mbpp", "evalplus"])
def test_grades_are_the_same(tmp_path: Path, task: str) -> None:
    files = ("--problems", GRADERS / f"{task}.jsonl", "--samples", GRADERS / f"{task}-samples.jsonl")
    one = reexec("grade", task, *files, "-o", tmp_path / "one.jsonl", *SMALL)
    out = reexec("grade", task, *files, "-o", tmp_path / "out.jsonl", *SMALL, *NODES)
    assert (one.code, out.code) == (0, 0), one.err + out.err
    same_files(tmp_path / "one", tmp_path / "out", "jsonl", "tests.jsonl")


def test_scripts_are_graded_the_same(tmp_path: Path) -> None:
    files = ("--problems", GRADERS / "tests.jsonl", "--samples", GRADERS / "tests-samples.jsonl")
    one = reexec("grade", "tests", *files, "-o", tmp_path / "one.jsonl", *SMALL)
    out = reexec("grade", "tests", *files, "-o", tmp_path / "out.jsonl", *SMALL, *NODES)
    assert (one.code, out.code) == (0, 0), one.err + out.err
    same_files(tmp_path / "one", tmp_path / "out", "jsonl", "tests.jsonl")


def test_cruxeval_is_scored_the_same(tmp_path: Path) -> None:
    files = ("--problems", GRADERS / "cruxeval.jsonl", "--generations", GRADERS / "cruxeval-generations.json")
    for name, more in (("one", ()), ("out", NODES)):
        done = reexec("grade", "cruxeval", *files, "--mode", "output", "-o", tmp_path / f"{name}.json", *more)
        assert done.code == 0, done.err
    same_files(tmp_path / "one", tmp_path / "out", "json", "tests.jsonl")


def test_nodes_recall_from_a_cache(tmp_path: Path) -> None:
    settings = ("--functions", FUNCTIONS, "--limit", "40", "--cache", tmp_path / "cache", *SMALL, *NODES, "--json")
    first = reexec("verify", EXAMPLES / "responses.jsonl", *settings, "-o", tmp_path / "one.jsonl")
    second = reexec("verify", EXAMPLES / "responses.jsonl", *settings, "-o", tmp_path / "two.jsonl")
    assert first.summary["recalled"] == 0
    assert second.summary["recalled"] > 0
    same_files(tmp_path / "one", tmp_path / "two", "jsonl")


def test_ctrl_c_ends_the_nodes_and_the_same_command_goes_on(tmp_path: Path) -> None:
    functions, responses = example_functions(1), example_responses(1)[:60]
    for index in range(12):
        function, row = sleeper(len(functions), seconds=1.5 + index / 100)
        functions.append(function)
        responses.insert(5 + 5 * index, row)
    call = ("verify", write_rows(tmp_path / "r.jsonl", responses), "-f", write_rows(tmp_path / "f.jsonl", functions))
    output = tmp_path / "out.jsonl"
    process = start(*call, "-o", output, *NODES)
    wait_until(lambda: lines_done(output) > 0)
    nodes = node_processes(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, len(nodes)) == (130, "", 2), err
    assert err.startswith("reexec: interrupted"), err
    all_gone(nodes, 30)
    done = reexec(*call, "-o", output, *NODES)
    assert done.code == 0, done.err
    assert "resuming after" in done.err
    assert reexec(*call, "-o", tmp_path / "one.jsonl").code == 0
    same_files(tmp_path / "one", tmp_path / "out", "jsonl")


def test_nodes_end_with_their_driver(verified: Path, tmp_path: Path) -> None:
    kept = {name: os.environ[name] for name in ("REEXEC_POLICY",) if name in os.environ}
    arguments = [
        "verify",
        verified / "responses.jsonl",
        "--functions",
        verified / "functions.jsonl",
        "-o",
        tmp_path / "o.jsonl",
    ]
    driver = subprocess.Popen(
        [COMMAND, *map(str, arguments), *NODES], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=environment({"TMPDIR": temporary_folder(), **kept}),
    )  # fmt: skip
    wait_until(lambda: len(node_processes(driver.pid)) == 2, 120)
    nodes = node_processes(driver.pid)
    driver.kill()
    driver.wait()
    gone, alive = psutil.wait_procs(nodes, 60)
    assert (len(gone), alive) == (2, [])


def test_an_interpreter_that_is_not_there_is_said_of_the_node(tmp_path: Path) -> None:
    done = reexec(
        "verify",
        EXAMPLES / "responses.jsonl",
        "--functions",
        FUNCTIONS,
        "-o",
        tmp_path / "o.jsonl",
        *NODES,
        "--python",
        "/no/python",
    )
    assert done.code == 2
    assert done.one_line().startswith("reexec: process ")
    assert "/no/python: no such file" in done.err


def test_options_of_other_backends_are_refused(tmp_path: Path) -> None:
    call = ("verify", EXAMPLES / "responses.jsonl", "--functions", FUNCTIONS, "-o", tmp_path / "o.jsonl")
    for more, said in (
        (("--nodes", "2"), "with --backend processes"),
        (("--address", "auto"), "only --backend ray has one"),
        (("--backend", "processes", "--nodes", "0"), "must be 1 or more"),
    ):
        done = reexec(*call, *more)
        assert done.code == 2
        assert said in done.one_line()


def same_files(one: Path, other: Path, *endings: str) -> None:
    for ending in endings:
        first, second = one.with_name(f"{one.name}.{ending}"), other.with_name(f"{other.name}.{ending}")
        assert first.read_bytes() == second.read_bytes(), ending
        assert first.stat().st_size, ending


def test_a_node_says_nothing_on_its_output_that_is_no_frame() -> None:
    node = subprocess.run(
        [sys.executable, "-m", "reexec.runners.backends.node_process", ""],
        input=b"",
        capture_output=True,
        check=True,
        timeout=120,
    )
    assert node.stdout == b"" or node.stdout.endswith(b'{"do":"lives"}')
