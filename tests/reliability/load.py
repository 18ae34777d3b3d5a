"""A busy machine and verdicts: how late deadlines are, whether whole files stay the same, and what the usual method does there.

    python -m tests.reliability.load --rows 2000 --runs 10          (`make load`)

The load is eight processes a core that compute without end, each in a session of its own; a control process must be slowed to a
quarter at the beginning and at the end of it, or the run fails. Three parts:

    deadlines   an endless loop and an endless sleep under several limits: never early, and how late
    verify      the same rows verified again and again, half of the runs under load: the same bytes, and every label right
    fresh       the usual method on the same predictions, idle and under load: a new interpreter for each check, 5 s of wall
                time, 24 at once as CodeI/O runs it; how many words differ from the label
"""

import argparse
import json
import sys
import tempfile
import time
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Any

from reexec import Executor, load_policy
from reexec.runners.answers import extract_answer
from tests.conftest import ROOT
from tests.integration.test_load import LOOP, SLEEP, busy_machine, control_s, words
from tests.support import plain_replay
from tests.support.helpers import Row, read_rows, reexec_cold, write_rows
from tests.support.label_predictions import label
from tests.support.sample import sample

IDLE_LATE, IDLE_LATE_S, BUSY_LATE = 0.05, 0.05, 0.15
FRESH_S, FRESH_PROCESSES = 5, 24
QUARTER_S = 4 * 0.25  # of the control process of test_load.py


# -- deadlines --------------------------------------------------------------------------------------------------------


def lateness(cpu_s: float, times: int, allowed_s: float) -> dict[str, Any]:
    """Seconds of processor time past the limit, of `times` endless loops; the wall time of as many sleeps. Never early."""
    idle_s = min(cpu_s, 0.5)
    settings = [f"limits.cpu_s={cpu_s}", f"limits.idle_s={idle_s}", "limits.confirm=false"]
    late, slept = [], []
    with Executor(load_policy("codeio", settings=settings), workers=1) as executor:
        for _ in range(times):
            outcome = executor.submit(LOOP, []).result()
            assert outcome.kind == "cpu-limit", outcome
            late.append(outcome.usage.cpu_s - cpu_s)
            outcome = executor.submit(SLEEP, []).result()
            assert outcome.kind == "wall-limit", outcome
            slept.append(outcome.usage.wall_s - outcome.usage.cpu_s - idle_s)
    assert min(late) >= 0, "a deadline was early"
    assert min(slept) >= 0, "a sleep was ended early"
    return {
        "cpu_s": cpu_s,
        "times": times,
        "allowed_ms": round(allowed_s * 1e3),
        "late_ms": [round(median(late) * 1e3, 1), round(max(late) * 1e3, 1)],
        "beyond": sum(one > allowed_s for one in late),
        "sleep_late_ms": [round(median(slept) * 1e3, 1), round(max(slept) * 1e3, 1)],
    }


def deadlines(limits: tuple[float, ...], times: int) -> None:
    """Prints a line for each limit, idle and under load. Raises AssertionError where one was early or too late."""
    beyond = 0
    for loaded in (False, True):
        with busy_machine() if loaded else nullcontext():
            for cpu_s in limits:
                allowed = BUSY_LATE * cpu_s if loaded else max(IDLE_LATE_S, IDLE_LATE * cpu_s)
                told = lateness(cpu_s, times, allowed)
                beyond += told["beyond"]
                print(json.dumps({"part": "deadlines", "load": loaded, **told}), flush=True)
            with Executor(load_policy("codeio", settings=["limits.cpu_s=1", "limits.idle_s=1"]), workers=1) as executor:
                found = words(executor, 1.0, 1.0)
            assert found == ["accepted", "accepted", "cpu-limit", "wall-limit", "wrong-answer"], found
            if loaded:
                control = control_s()
                assert control >= QUARTER_S, "the load was not there until the end"
                print(json.dumps({"part": "deadlines", "control slowed": round(control / 0.25, 1)}), flush=True)
    assert not beyond, f"{beyond} deadlines were late by more than allowed"


# -- whole files ------------------------------------------------------------------------------------------------------


def labelled_rows(folder: Path, count: int) -> tuple[Path, Path]:
    """(functions, responses): predictions about CodeI/O's sample with labels that no engine made; those that take an
    execution first."""
    functions, everything, chosen = (folder / name for name in ("functions.jsonl", "all.jsonl", "responses.jsonl"))
    done = reexec_cold("audit", sample(), "-o", folder / "report.jsonl", "--keep", functions, timeout=1800)
    assert done.code == 0, done.err
    label(functions, everything, pairs=2, inputs=1)
    rows = read_rows(everything)
    assert len(rows) >= count, f"only {len(rows)} rows"
    by_use = sorted(range(len(rows)), key=lambda number: (rows[number]["io_pred"] != "i", number))
    write_rows(chosen, [rows[number] for number in sorted(by_use[:count])])
    return functions, chosen


def verify(functions: Path, responses: Path, output: Path, workers: int, *more: str) -> float:
    began = time.monotonic()
    command = ["verify", str(responses), "-f", str(functions), "-o", str(output), "-w", str(workers), "--overwrite", *more]
    done = reexec_cold(*command, timeout=3600)
    assert done.code == 0, done.err
    return time.monotonic() - began


def same_bytes(functions: Path, responses: Path, folder: Path, runs: int, *more: str) -> list[Row]:
    """Verifies `runs` times, the second half under load, with 1, 2 and 4 workers in turn; the rows. Raises AssertionError where
    one file differs from the first in any byte."""
    first = content = b""
    for loaded in (False, True):
        with busy_machine() if loaded else nullcontext():
            for number in range(runs // 2):
                output = folder / f"verified-{loaded:d}-{number}.jsonl"
                workers = (2, 1, 4)[number % 3]
                elapsed = verify(functions, responses, output, workers, *more)
                content = output.read_bytes()
                first = first or content
                told = {"part": "verify", "load": loaded, "workers": workers, "seconds": round(elapsed, 1)}
                print(json.dumps({**told, "rows": content.count(b"\n"), "same": content == first}), flush=True)
                assert content == first, f"{output.name} differs"
            if loaded:
                assert control_s() >= QUARTER_S, "the load was not there until the end"
    rows: list[Row] = [json.loads(line) for line in content.splitlines()]
    wrong = [row for row in rows if row["verdict"] != row["expected_verdict"]]
    assert not wrong, wrong[:3]
    return rows


# -- the usual method -------------------------------------------------------------------------------------------------


def fresh(functions: Path, responses: Path, statements: list[str]) -> tuple[Counter[str], Counter[tuple[str, str]], float]:
    """(words, (label, word) where they differ, seconds) of the input predictions whose label is a matter of their run."""
    programs = read_rows(functions)
    rows = [row for row in read_rows(responses) if row["io_pred"] == "i" and row["expected_verdict"] != "no-answer"]
    prelude = "\n".join(statements)

    def word(row: Row) -> str:
        program = programs[row["itemid"]]
        given = extract_answer(row["output"], "input").value
        call = {"source": program["refcode"], "entry": program["funcname"], "input": given, "prelude": prelude}
        kind, value = plain_replay.run(sys.executable, call, "0", timeout_s=FRESH_S)
        if kind == "value":
            expected = program["ios"][row["ioid"]]["output"]
            return "accepted" if plain_replay.same(value, expected) else "wrong-answer"
        return "timeout" if value == "timeout" else "runtime-error"

    began = time.monotonic()
    with ThreadPoolExecutor(FRESH_PROCESSES) as pool:
        found = list(pool.map(word, rows))
    flips = Counter(
        (row["expected_verdict"], one) for row, one in zip(rows, found, strict=True) if one != row["expected_verdict"]
    )
    return Counter(found), flips, time.monotonic() - began


def usual_method(functions: Path, responses: Path) -> None:
    """Prints how many of its words differ from the label, idle and under load. It is here to be compared with, not to pass."""
    statements = tomllib.loads((ROOT / "policies" / "presets" / "codeio.toml").read_text())["prelude"]
    for loaded in (False, True):
        with busy_machine() if loaded else nullcontext():
            found, flips, seconds = fresh(functions, responses, statements)
        told = {"part": "fresh", "load": loaded, "checks": found.total(), "flips": flips.total()}
        kinds = {f"{label} became {word}": count for (label, word), count in flips.items()}
        print(json.dumps({**told, "seconds": round(seconds, 1), "kinds": kinds}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--parts", default="deadlines,verify,fresh")
    arguments = parser.parse_args()
    parts = arguments.parts.split(",")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if {"verify", "fresh"} & set(parts):
            functions, responses = labelled_rows(folder, arguments.rows)
            if "verify" in parts:
                rows = same_bytes(functions, responses, folder, arguments.runs)
                print(json.dumps({"part": "verify", "words": Counter(row["verdict"] for row in rows)}), flush=True)
            if "fresh" in parts:
                usual_method(functions, responses)
    if "deadlines" in parts:
        deadlines((0.5, 1.0, 2.0), arguments.times)


if __name__ == "__main__":
    main()
