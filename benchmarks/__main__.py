"""`python -m benchmarks [--workers 2] [--rounds 5] [--json] [--check]`"""

import argparse
import sys

from rich.console import Console
from rich.table import Table

from benchmarks.side_by_side import as_json, measure

# What the project promises (lower is better for the floor, higher for the others).
GOALS = {"call_vs_floor": 1.3, "call_vs_fresh": 60.0, "call_vs_fresh_no_numpy": 30.0}
_MEANING = {
    "call_vs_floor": "time of an isolated check / time of a bare fork, no numpy",
    "call_vs_floor_numpy": "the same, numpy loaded on both sides",
    "call_vs_fresh": "times the fresh interpreter, numpy on both sides",
    "call_vs_fresh_no_numpy": "times the fresh interpreter, numpy on neither",
    "in_process_vs_call": "what isolation costs: calls without any / isolated checks",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--checks", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true", help="exit 1 where a goal is missed")
    options = parser.parse_args()
    report = measure(options.workers, options.rounds, options.checks)
    console = Console(highlight=False, soft_wrap=True)
    table = Table(
        title=f"{report.workers} workers, {report.isolation}, Python {report.python}, median of {report.rounds} rounds"
    )
    for column in ("ratio", "here", "goal", "meaning"):
        table.add_column(column, justify="right" if column in ("here", "goal") else "left")
    for name, value in report.ratios.items():
        goal = GOALS.get(name)
        wanted = "" if goal is None else f"<= {goal:g}" if name == "call_vs_floor" else f">= {goal:g}"
        table.add_row(name, f"{value:g}", wanted, _MEANING[name])
    console.print(table)
    console.print("per second: " + ", ".join(f"{name} {value:,.0f}" for name, value in report.figures.items()))
    console.print("resident: " + ", ".join(f"{name} zygote {value:g} MB" for name, value in report.resident_mb.items()))
    if options.json:
        print(as_json(report))
    missed = [
        name
        for name, goal in GOALS.items()
        if (report.ratios[name] > goal if name == "call_vs_floor" else report.ratios[name] < goal)
    ]
    if missed:
        console.print(f"missed: {', '.join(missed)}")
    return 1 if missed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
