"""Ctrl-C at any time: code 130, one line, whole files, no process left, and the same command goes on."""

import contextlib
import os
import random
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.support.helpers import (
    Row,
    all_gone,
    descendants,
    example_functions,
    example_responses,
    function_row,
    lines_done,
    manifest_of,
    read_rows,
    reexec,
    sleeper,
    start,
    wait_until,
    write_rows,
)

BUSY = "def f(n):\n    end = 20_000 + n\n    for i in range(end):\n        n += i\n    return n\n"


def busy_functions(count: int) -> list[Row]:
    """Functions that take about a millisecond a pair."""
    expected = [sum(range(20_000 + n)) + n for n in range(10)]
    pairs = [({"n": n}, expected[n]) for n in range(10)]
    return [function_row(f"# {number}\n{BUSY}", *pairs) for number in range(count)]


ROUNDS = 2  # of the bundled responses, some 220 rows each


def commands(tmp_path: Path) -> dict[str, list[str]]:
    """A third and two thirds of the way each sleeps: a machine of any speed has saved rows then, and is not done."""
    rows, programs, functions = example_responses(ROUNDS), example_functions(ROUNDS), busy_functions(18)
    for part in (1, 2):
        asleep, about_it = sleeper(len(programs))
        rows.insert(part * len(rows) // 3, about_it)
        programs.append(asleep)
        functions.insert(part * len(functions) // 3, sleeper(part)[0])
    responses = write_rows(tmp_path / "responses.jsonl", rows)
    checked = write_rows(tmp_path / "programs.jsonl", programs)
    audited = write_rows(tmp_path / "functions.jsonl", functions)
    output, keep = str(tmp_path / "out.jsonl"), str(tmp_path / "keep.jsonl")
    return {
        "verify": ["verify", str(responses), "-f", str(checked), "-o", output],
        "audit": ["audit", str(audited), "-o", output, "--keep", keep],
    }


def interrupt(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """What the terminal does: SIGINT to the whole group."""
    children = descendants(process)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=20)
    all_gone(children)
    return process.returncode, out, err


@pytest.mark.parametrize("stage", ["verify", "audit"])
def test_an_interrupted_run_ends_with_130_and_goes_on(stage: str, tmp_path: Path) -> None:
    command, output = commands(tmp_path)[stage], tmp_path / "out.jsonl"
    process = start(*command)
    wait_until(lambda: lines_done(output) > 0, what="some rows")
    code, out, err = interrupt(process)
    assert (code, out) == (130, "")
    assert len(err.splitlines()) == 1, err
    assert err.startswith("reexec: interrupted")
    assert manifest_of(output)["state"] == "interrupted"
    assert output.read_bytes().endswith(b"\n")
    done_then = lines_done(output)

    done = reexec(*command, "--json")
    assert done.code == 0, done.err
    assert f"resuming after {done_then:,} rows" in done.err
    names = ["out.jsonl"] + (["keep.jsonl"] if stage == "audit" else [])
    interrupted = {name: (tmp_path / name).read_bytes() for name in names}
    again = reexec(*command, "--overwrite", "--json")
    assert {name: (tmp_path / name).read_bytes() for name in names} == interrupted
    keys = ("rows", "rejected", "verdicts", "pairs", "reproducible", "reasons")
    assert [done.summary.get(key) for key in keys] == [again.summary.get(key) for key in keys]


def ended_or_saved(process: subprocess.Popen[str], output: Path, before: float | None) -> bool:
    return process.poll() is not None or manifest_of(output).get("saved") != before


def test_interruptions_at_any_moment_lose_and_repeat_nothing(tmp_path: Path) -> None:
    command, output = commands(tmp_path)["verify"], tmp_path / "out.jsonl"
    source = random.Random(130)
    for _ in range(5):
        before = manifest_of(output).get("saved")
        process = start(*command)
        wait_until(partial(ended_or_saved, process, output, before))
        try:
            process.wait(source.uniform(0, 0.4))
        except subprocess.TimeoutExpired:
            code, _, err = interrupt(process)
            assert (code, len(err.splitlines())) in ((130, 1), (130, 2), (0, 0)), err
            assert "Traceback" not in err, err
        else:
            process.communicate()
    done = reexec(*command, "--json")
    assert done.code == 0, done.err
    rows = read_rows(output)
    expected = read_rows(tmp_path / "responses.jsonl")
    keys = ("itemid", "ioid", "index")
    assert [[row[key] for key in keys] for row in rows] == [[row[key] for key in keys] for row in expected]
    assert all(row["verdict"] == row["expected_verdict"] for row in rows)
    assert sum(done.summary["verdicts"].values()) == len(rows) == done.summary["rows"]


def test_ctrl_c_during_a_call_that_never_ends_is_130(tmp_path: Path) -> None:
    program = tmp_path / "endless.py"
    program.write_text("def main_solution():\n    while True:\n        pass\n")
    process = start("call", program, "--set", "limits.cpu_s=60")

    def computing() -> bool:
        with contextlib.suppress(psutil.NoSuchProcess):
            return any(child.cpu_times().user > 0.5 for child in descendants(process))
        return False

    wait_until(computing, what="the program computes")
    code, out, err = interrupt(process)
    assert (code, out) == (130, "")
    assert len(err.splitlines()) == 1, err


# Ctrl-C at the moment when a module is asked for the first time, wherever in the start that is.
AT_IMPORT = """
import os, signal, sys
from reexec.cli.start import main

wanted = sys.argv.pop(1)

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == wanted:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
main()
"""


@pytest.mark.parametrize("module", ["typer", "reexec.engine.errors", "reexec.cli.commands", "reexec.cli.policy", "pydantic"])
def test_ctrl_c_while_a_command_starts_is_one_line_and_130(module: str, tmp_path: Path) -> None:
    arguments = ["policy", "show", "codeio"]
    done = subprocess.run(
        [sys.executable, "-c", AT_IMPORT, module, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (130, ""), done.stderr
    assert done.stderr.startswith("reexec: interrupted")
    assert len(done.stderr.splitlines()) == 1, done.stderr
