"""Runs over a Ray cluster of three node processes, one of them pulled out. A cluster takes half a minute to come up."""

import contextlib
import importlib.util
import os
import resource
import selectors
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.conftest import ROOT, lacking
from tests.support import limited_host
from tests.support.helpers import (
    COMMAND,
    EXAMPLES,
    FUNCTIONS,
    environment,
    example_functions,
    example_responses,
    lines_done,
    reexec,
    reexec_cold,
    sleeper,
    temporary_folder,
    wait_until,
    write_rows,
)

pytestmark = pytest.mark.timeout(1800)
GRADERS = EXAMPLES / "graders"
UP_S, RUN_S = 240, 600
SMALL_STACK = 256 << 10
SLEEPERS = 15


class Cluster:
    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self._process, self.address = process, address

    def kill(self, node: int) -> None:
        assert self._process.stdin is not None
        print("kill", node, file=self._process.stdin, flush=True)
        assert next_line(self._process, 60) == "killed"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Of three nodes, one of which a test pulls out: others may find two."""
    if importlib.util.find_spec("ray") is None:
        lacking("ray is not installed")
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # jails pass through it
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.ray_nodes", "3", folder],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT,
            env=ray_environment(folder), preexec_fn=small_stack, start_new_session=True,
        )  # fmt: skip
        try:
            word, _, rest = next_line(process, UP_S).partition(" ")
            if word != "up":
                pytest.skip(f"Ray starts no cluster of three nodes here: {rest or 'it is not up in time'}")
            yield Cluster(process, rest)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(60)
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
            end_all_of(folder)


def ray_environment(folder: str) -> dict[str, str]:
    """Few threads, nothing that calls home, and no token in the user's home."""
    kept = {name: os.environ[name] for name in ("REEXEC_POLICY",) if name in os.environ}
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled", "RAY_enable_metrics_collection": "0"}
    few = {"MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1", "RAY_num_server_call_thread": "1"}
    few |= {"RAY_enable_worker_prestart": "0", "RAY_prestart_worker_first_driver": "0"}  # processes that nobody asked for
    patient = {"RAY_worker_register_timeout_seconds": "600"}  # a slow one would be ended, and another begin
    return environment({"TMPDIR": folder, **kept, **quiet, **few, **patient})


def small_stack() -> None:
    """Where a process may have few addresses, the stacks of Ray's threads would take most of them. The hard limit stays, so
    that jails have the stack that they are given."""
    if limited_host.is_limited():
        resource.setrlimit(resource.RLIMIT_STACK, (SMALL_STACK, resource.getrlimit(resource.RLIMIT_STACK)[1]))


def next_line(process: subprocess.Popen[str], patience_s: float) -> str:
    """The process's next line; "" where none comes."""
    stream: IO[str] | None = process.stdout
    assert stream is not None
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        return stream.readline().strip() if selector.select(patience_s) else ""


def end_all_of(folder: str) -> None:
    """What a cluster whose session lies in the folder has left behind."""
    import psutil

    left = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(folder in word for word in process.cmdline()):
                process.kill()
                left.append(process)
    psutil.wait_procs(left, 30)


@pytest.mark.slow
def test_a_node_of_a_cluster_lost_in_mid_run_costs_time_and_nothing_else(cluster: Cluster, tmp_path: Path) -> None:
    functions, responses = example_functions(1), example_responses(1)[:60]
    for index in range(SLEEPERS):  # five times two seconds for each node: it has work left when it is pulled out
        function, row = sleeper(len(functions), seconds=2 + index / 100)
        functions.append(function)
        responses.insert(3 + 4 * index, row)
    source = write_rows(tmp_path / "responses.jsonl", responses)
    call: list[str | Path] = ["verify", source, "--functions", write_rows(tmp_path / "functions.jsonl", functions)]
    one = reexec(*call, "-o", tmp_path / "one.jsonl")
    assert one.code == 0, one.err
    output = tmp_path / "out.jsonl"
    more = ["-o", output, "--backend", "ray", "--address", cluster.address, "-w", "1", "--json"]
    driver = subprocess.Popen(
        [COMMAND, *map(str, call), *map(str, more)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=ray_environment(temporary_folder()), preexec_fn=small_stack,
    )  # fmt: skip
    try:
        wait_until(lambda: driver.poll() is not None or (output.exists() and lines_done(output) > 0), RUN_S)
        cluster.kill(1)
        out, err = driver.communicate(timeout=RUN_S)
    finally:
        driver.kill()
    assert driver.returncode == 0, err
    assert '"workers": 3' in out
    assert "was lost (" in err
    assert output.read_bytes() == (tmp_path / "one.jsonl").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "endings"),
    [
        (["audit", FUNCTIONS, "--keep", "kept.jsonl"], ("jsonl", "kept.jsonl")),
        (["generate", EXAMPLES / "unified.jsonl", "--pairs", "2", "--calls", "20"], ("jsonl", "drops.jsonl")),
        (
            ["grade", "mbpp", "--problems", GRADERS / "mbpp.jsonl", "--samples", GRADERS / "mbpp-samples.jsonl"],
            ("jsonl", "tests.jsonl"),
        ),
    ],
    ids=["audit", "generate", "grade"],
)
def test_the_other_commands_write_the_same_over_a_cluster(
    cluster: Cluster, tmp_path: Path, command: list[str | Path], endings: tuple[str, ...]
) -> None:
    more: dict[str, list[str]] = {"one": [], "out": ["--backend", "ray", "--address", cluster.address, "-w", "1"]}
    for name, where in more.items():
        own = [tmp_path / f"{name}.kept.jsonl" if word == "kept.jsonl" else word for word in command]
        done = subprocess.run(
            [COMMAND, *map(str, own), "-o", str(tmp_path / f"{name}.jsonl"), *where],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=RUN_S,
            env=ray_environment(temporary_folder()), preexec_fn=small_stack,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    for ending in endings:
        assert (tmp_path / f"out.{ending}").read_bytes() == (tmp_path / f"one.{ending}").read_bytes()
        assert (tmp_path / f"out.{ending}").stat().st_size


def test_without_ray_its_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "ray.py").write_text("raise ImportError('hidden')")
    source, output = EXAMPLES / "responses.jsonl", tmp_path / "o.jsonl"
    hidden = {"PYTHONPATH": str(tmp_path)}
    done = reexec_cold("verify", source, "--functions", FUNCTIONS, "-o", output, "--backend", "ray", env=hidden)
    assert done.code == 2
    assert "--backend ray needs the extra `ray`" in done.one_line()
