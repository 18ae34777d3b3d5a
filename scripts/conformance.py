"""`make conformance`: our grades beside official ones, set by set, with the reason for each disagreement.

    python -m scripts.conformance [--data FOLDER] [--only SET ...] [--write docs/conformance.md]

Reasons stand in conformance_reasons.toml, by set and row; a disagreement without one makes the run fail. Sets whose data are
absent are named and passed over.
"""

import argparse
import gzip
import json
import re
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reexec import Executor, load_policy
from reexec.runners.graders.cruxeval import CruxEval, Mode, Semantics, disagreements, percent_at_k, score_lists
from reexec.runners.graders.problems import Problems
from reexec.runners.graders.registry import task_named
from reexec.runners.graders.stage import grade
from tests.support import cheaters, harnesses

ROOT = Path(__file__).resolve().parents[1]
REASONS = Path(__file__).with_name("conformance_reasons.toml")
Row = dict[str, Any]


@dataclass
class Outcome:
    """`differing`: (row, ours, official)."""

    compared: int = 0
    differing: list[tuple[str, str, str]] = field(default_factory=list)
    note: str = ""
    wall_s: float = 0.0


def rows_of(path: Path) -> list[Row]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def graded(task_name: str, problems: list[Row], samples: list[Row], **settings: Any) -> tuple[list[Row], list[Row]]:
    """(graded rows, their tests) of samples, as `reexec grade` writes them."""
    kind = task_named(task_name)
    with tempfile.TemporaryDirectory() as name, Executor(load_policy(kind.policy)) as executor:
        folder = Path(name)
        paths = {}
        for stem, rows in (("problems", problems), ("samples", samples)):
            paths[stem] = folder / f"{stem}.jsonl"
            paths[stem].write_text("".join(json.dumps(row) + "\n" for row in rows))
        store = Problems([paths["problems"]] if problems else [], kind.needs)
        grade(kind(store, executor, **settings), paths["samples"], folder / "out.jsonl", executor)
        return rows_of(folder / "out.jsonl"), rows_of(folder / "out.tests.jsonl")


def cruxeval(mode: Mode, semantics: Semantics) -> Callable[[Path], Outcome]:
    def run(data: Path) -> Outcome:
        problems = Problems([data / "cruxeval.jsonl"], ("code", "input", "output"))
        generations = json.loads((data / f"cruxeval_{mode}_generations.json").read_text())
        official = json.loads((data / f"cruxeval_{mode}_scores.json").read_text())
        with Executor(load_policy("cruxeval")) as executor:
            predictions = list(CruxEval(problems, generations, mode, semantics, executor).predictions())
        scores = score_lists(predictions, semantics)
        differing = [
            (f"{each.problem}[{each.index}] {each.text[:60]}", each.word, "right" if flag else "wrong")
            for each, flag in disagreements(predictions, official, problems, mode)
        ]
        ours, theirs = ([percent_at_k(lists, k) for k in (1, 5)] for lists in (scores, official))
        note = f"pass@1 {ours[0]:.3f} (official {theirs[0]:.3f}), pass@5 {ours[1]:.3f} (official {theirs[1]:.3f})"
        return Outcome(len(predictions), differing, note)

    return run


def canonical(task_name: str, file: str, body: str) -> Callable[[Path], Outcome]:
    def run(data: Path) -> Outcome:
        problems = rows_of(data / file)
        field_name = "solution" if body == "code" else "completion"
        samples = [{"task_id": row["task_id"], field_name: row[body]} for row in problems]
        out, _ = graded(task_name, problems, samples)
        differing = [(str(row["task_id"]), row["verdict"], "accepted") for row in out if not row["passed"]]
        return Outcome(len(out), differing)

    return run


def evalplus(which: str) -> Callable[[Path], Outcome]:
    def run(data: Path) -> Outcome:
        problems = rows_of(data / f"graders/{which}plus.jsonl.gz")
        groups = ("base", "plus")
        if which == "humaneval":  # an early version of HumanEval+: its further inputs are others, and prompts are elsewhere
            groups = ("base",)
            prompts = {row["task_id"]: row for row in rows_of(data / "humaneval.jsonl.gz")}
            problems = [
                {**row, **{name: prompts[row["task_id"]][name] for name in ("prompt", "entry_point")}, "plus_input": []}
                for row in problems
            ]
        labels = rows_of(data / f"graders/evalplus_{which}_results.jsonl.gz")
        samples = [{name: row[name] for name in ("model", "task_id", "solution")} for row in labels]
        out, _ = graded("evalplus", problems, samples)
        result = Outcome(len(labels) * len(groups))
        for label, row in zip(labels, out, strict=True):
            for group in groups:
                ours, official = row[f"{group}_status"], label[f"{group}_status"]
                if ours != official:
                    result.differing.append((f"{label['task_id']} {label['model']} {group}", ours, official))
        return result

    return run


def livecodebench(data: Path) -> Outcome:
    labels = rows_of(data / "graders/livecodebench_failures.jsonl.gz")
    samples = []
    for row in labels:
        tests = {"inputs": [row["input"]], "outputs": [row["expected"]]}
        name = re.search(r"def (\w+)\(self", row["starter_code"])
        samples.append({"code": row["code"], "input_output": {**tests, **({"fn_name": name[1]} if name else {})}})
    out, _ = graded("tests", [], samples)
    result = Outcome(len(labels))
    for number, (label, row) in enumerate(zip(labels, out, strict=True), 1):
        ours = {"accepted": "passed", "wrong-answer": "-2", "cpu-limit": "-3", "wall-limit": "-3"}.get(row["verdict"], "-4")
        if ours != str(label["error_code"]):
            result.differing.append((f"{label['question_id']} (row {number})", ours, str(label["error_code"])))
    return result


def apps(data: Path) -> Outcome:
    result = Outcome()
    problems = [row for path in sorted((data / "graders").glob("apps_*.jsonl")) for row in rows_of(path)]
    samples, labels = [], []
    for row in problems:
        for number, each in enumerate(row["generated"], 1):
            samples.append({"code": each["code"], "input_output": row["input_output"]})
            labels.append((f"{row['problem']} (program {number})", each["result"]))
    out, _ = graded("tests", [], samples)
    result.compared = len(labels)
    for (name, label), row in zip(labels, out, strict=True):
        ours = {"accepted": "True", "wrong-answer": "False"}.get(row["verdict"], "-1")
        if ours != str(label):
            words = ", ".join(dict.fromkeys(row["results"]))
            result.differing.append((name, f"{ours} ({words})", str(label)))
    return result


SETS: dict[str, Callable[[Path], Outcome]] = {
    "cruxeval input, official semantics": cruxeval("input", "official"),
    "cruxeval output, official semantics": cruxeval("output", "official"),
    "cruxeval input, literal semantics": cruxeval("input", "literal"),
    "cruxeval output, literal semantics": cruxeval("output", "literal"),
    "humaneval, canonical solutions": canonical("humaneval", "humaneval.jsonl.gz", "canonical_solution"),
    "mbpp, reference code": canonical("mbpp", "graders/mbpp.jsonl.gz", "code"),
    "humaneval+ (early version), base": evalplus("humaneval"),
    "mbpp+, base and plus": evalplus("mbpp"),
    "livecodebench, failures": livecodebench,
    "apps, generated programs": apps,
}


def cheater_table() -> list[str]:
    """Which method lets which cheater through, as Markdown."""
    methods = sorted({method for each in harnesses.METHODS.values() for method in each})
    lines = [f"| cheater | {' | '.join(methods)} | reexec |", f"|---|{'---|' * len(methods)}---|"]
    counts = dict.fromkeys(methods, 0)
    pairs = [(each, method) for each in cheaters.CHEATERS for method in harnesses.METHODS[each.kind]]
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda pair: harnesses.lets_through(pair[1], pair[0].kind, pair[0].source), pairs)
        through = {(each.kind, each.name, method): passes for (each, method), passes in zip(pairs, found, strict=True)}
    for each in cheaters.CHEATERS:
        cells = []
        for method in methods:
            passes = through.get((each.kind, each.name, method))
            if passes is None:
                cells.append("")
                continue
            counts[method] += passes
            cells.append("passes" if passes else "-")
        if "passes" in cells:
            lines.append(f"| {each.kind}: {each.name} | {' | '.join(cells)} | - |")
    lines.append(f"| **let through** | {' | '.join(str(counts[method]) for method in methods)} | 0 |")
    return lines


def report(data: Path, only: list[str]) -> Iterator[tuple[str, Outcome | None]]:
    for name, run in SETS.items():
        if only and not any(name.startswith(each) for each in only):
            continue
        began = time.monotonic()
        try:
            outcome = run(data)
        except FileNotFoundError:
            yield name, None
            continue
        outcome.wall_s = time.monotonic() - began
        yield name, outcome


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument(
        "--only", nargs="*", default=[], help="names of sets, or how they begin; `cheaters` for the table alone"
    )
    parser.add_argument("--write", type=Path, help="the page to write")
    chosen = parser.parse_args()
    reasons = tomllib.loads(REASONS.read_text()) if REASONS.exists() else {}
    unexplained = 0
    lines = ["| set | compared | agree | differ | explained | note |", "|---|---|---|---|---|---|"]
    details: list[str] = []
    for name, outcome in report(chosen.data, chosen.only):
        if outcome is None:
            lines.append(f"| {name} | data absent | | | | |")
            print(f"{name}: data absent", flush=True)
            continue
        known = reasons.get(name, {})
        explained = 0
        for row, ours, official in outcome.differing:
            why = next((text for pattern, text in known.items() if row.startswith(pattern) or pattern == "*"), "")
            explained += bool(why)
            details.append(f"- {name}: `{row}`: ours {ours}, official {official}. {why or '**Not explained.**'}")
        unexplained += len(outcome.differing) - explained
        agree = outcome.compared - len(outcome.differing)
        lines.append(f"| {name} | {outcome.compared:,} | {agree:,} | {len(outcome.differing)} | {explained} | {outcome.note} |")
        print(f"{name}: {agree:,} of {outcome.compared:,} agree, {outcome.wall_s:.0f} s. {outcome.note}", flush=True)
        for line in details[len(details) - len(outcome.differing) :]:
            print("  " + line, flush=True)
    table = cheater_table() if not chosen.only or "cheaters" in chosen.only else []
    print("\n".join(table))
    if chosen.write:
        parts = ["<!-- written by `make conformance` -->", *lines, "", "## Disagreements", "", *(details or ["None."])]
        if table:
            parts += ["", "## Cheaters", "", *table]
        page = chosen.write.read_text() if chosen.write.exists() else ""
        head = page.partition("<!-- written")[0]
        chosen.write.write_text(head + "\n".join(parts) + "\n")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
