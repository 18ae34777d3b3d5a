"""All methods in one run, in turn, several rounds; medians and ratios, because absolute times drift on shared machines."""

import json
import statistics
from dataclasses import dataclass, field
from typing import Any

import psutil

from benchmarks.yardsticks import Floor, copied_bytes, fresh_per_s, in_process_per_s
from reexec.engine.executor import Executor
from reexec.engine.program import Check, Program
from reexec.policies.model import Policy

# The same function twice: the second names numpy, which makes its worker and every fork of it heavier.
PLAIN = "def main_solution(n):\n    return n + 1\n"
WITH_NUMPY = "def main_solution(n):\n    return n + 1  # np\n"


@dataclass(slots=True)
class Report:
    workers: int
    isolation: str
    python: str
    rounds: int
    figures: dict[str, float] = field(default_factory=dict)
    """Checks (or forks) a second, all workers together; medians over the rounds."""
    ratios: dict[str, float] = field(default_factory=dict)
    resident_mb: dict[str, float] = field(default_factory=dict)


def pairs_of(count: int) -> list[dict[str, Any]]:
    return [{"input": {"n": n}, "output": n + 1} for n in range(count)]


def ours_per_s(executor: Executor, source: str, count: int) -> float:
    """Checks a second out of check_many, judged, in order."""
    import time

    program = Program(source, "main_solution")
    began = time.perf_counter()
    accepted = sum(verdict.accepted for verdict in executor.check_many(Check(program, {"n": n}, n + 1) for n in range(count)))
    elapsed = time.perf_counter() - began
    if accepted != count:
        raise RuntimeError(f"{count - accepted} of {count} right answers were not accepted")
    return count / elapsed


def measure(workers: int = 2, rounds: int = 5, checks: int = 2000, fresh_checks: int = 40) -> Report:
    """Runs every method `rounds` times in turn."""
    policy = Policy.preset("codeio")
    samples: dict[str, list[float]] = {}
    with Executor(policy, workers=workers) as executor:
        report = Report(workers, executor.isolation.value, executor.interpreter.version_text, rounds)
        python = executor.interpreter.executable
        floors = {}
        for name, source, numpy in (("plain", PLAIN, False), ("numpy", WITH_NUMPY, True)):
            ours_per_s(executor, source, 64 * workers)  # all workers are up
            pids = executor.worker_pids()
            report.resident_mb[name] = round(max(psutil.Process(pid).memory_info().rss for pid in pids) / 1e6, 1)
            floors[name] = Floor(python, policy, workers, numpy, max(map(copied_bytes, pids)))
        for _ in range(rounds):
            for name, source, numpy in (("plain", PLAIN, False), ("numpy", WITH_NUMPY, True)):
                samples.setdefault(f"floor_{name}", []).append(floors[name].forks_per_s(checks // workers))
                samples.setdefault(f"call_{name}", []).append(ours_per_s(executor, source, checks))
                samples.setdefault(f"floor_{name}", []).append(floors[name].forks_per_s(checks // workers))
                fresh = fresh_per_s(python, policy, workers, numpy, source, "main_solution", pairs_of(fresh_checks))
                samples.setdefault(f"fresh_{name}", []).append(fresh)
            samples.setdefault("in_process", []).append(in_process_per_s(PLAIN, "main_solution", pairs_of(checks)))
        for floor in floors.values():
            floor.close()
    figures = {name: statistics.median(values) for name, values in samples.items()}
    report.figures = {name: round(value, 1) for name, value in figures.items()}
    report.ratios = {
        "call_vs_floor": round(figures["floor_plain"] / figures["call_plain"], 3),
        "call_vs_floor_numpy": round(figures["floor_numpy"] / figures["call_numpy"], 3),
        "call_vs_fresh": round(figures["call_numpy"] / figures["fresh_numpy"], 1),
        "call_vs_fresh_no_numpy": round(figures["call_plain"] / figures["fresh_plain"], 1),
        "in_process_vs_call": round(figures["in_process"] / figures["call_plain"], 1),
    }
    return report


def as_json(report: Report) -> str:
    return json.dumps(
        {
            "workers": report.workers,
            "isolation": report.isolation,
            "python": report.python,
            "rounds": report.rounds,
            "resident_mb": report.resident_mb,
            "figures": report.figures,
            "ratios": report.ratios,
        }
    )
