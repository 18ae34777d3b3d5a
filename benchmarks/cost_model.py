"""Where the time of a check goes, over sizes of input, times of programs and workers, and what more processors would reach.

.venv/bin/python -m benchmarks.cost_model [--quick]

Two costs are measured with one worker: what the worker needs for a check, and what the host's process needs. The model:
workers run side by side, the host is one process, and both share the processors. What it says for the other numbers of
workers is printed beside what was measured; what it says for 16 and 64 processors is computed and marked as such.
"""

import argparse
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from reexec import Check, Executor, Policy, Program, load_policy

SIZES_BYTES = (100, 1_000, 8_000, 64_000)
PROGRAM_S = (10e-6, 100e-6, 1e-3, 10e-3, 100e-3, 1.0)
MORE_PROCESSORS = (16, 64)
POINT_S = 1.5
"""How long a point is measured, about."""
ROUNDS = 3

# Spins by its own processor time, so that a busy machine does not make it shorter; gives back what it got.
SPINNING = Program(
    "from time import process_time\n\n\n"
    "def f(text, seconds):\n"
    "    end = process_time() + seconds\n"
    "    while process_time() < end:\n"
    "        pass\n"
    "    return text\n",
    "f",
)


@dataclass(frozen=True, slots=True)
class Point:
    size_bytes: int
    program_s: float


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor time of one check, in seconds."""

    worker_s: float
    """The zygote's and the child's, the program's own included."""
    host_s: float

    def per_s(self, workers: int, processors: int) -> float:
        """Checks a second: bound by the workers, by the host's one process, and by the processors that they share."""
        return min(workers / self.worker_s, 1 / self.host_s, processors / (self.worker_s + self.host_s))

    def workers_fed(self) -> float:
        """How many busy workers one host process can feed."""
        return self.worker_s / self.host_s


@dataclass(frozen=True, slots=True)
class Measured:
    per_s: float
    host_s: float
    """Processor time of the host per check."""


def checks_of(point: Point, seconds: float, workers: int) -> Iterator[Check]:
    """As many as fill about so many seconds, each with another text, so that none is recalled. Made on the way, as callers
    do: a thousand texts of 64 KB at once would be memory that is measured and not the host's."""
    count = max(4 * workers, int(seconds * workers / (500e-6 + point.program_s + 10e-9 * point.size_bytes)))
    for number in range(count):
        text = f"{number:08d}".ljust(point.size_bytes, "x")
        yield Check(SPINNING, {"text": text, "seconds": point.program_s}, text)


def measure(executor: Executor, point: Point, seconds: float, workers: int) -> Measured:
    own, began = time.process_time(), time.perf_counter()
    words = Counter(verdict.accepted for verdict in executor.check_many(checks_of(point, seconds, workers)))
    elapsed, used = time.perf_counter() - began, time.process_time() - own
    if words[False]:
        raise SystemExit(
            f"{words[False]} of {words.total()} checks were not accepted at {point}: a figure of wrong work is none"
        )
    return Measured(words.total() / elapsed, used / words.total())


def best(found: list[Measured]) -> Measured:
    """Of several rounds: what disturbs a measurement only ever makes it slower."""
    return Measured(max(each.per_s for each in found), min(each.host_s for each in found))


def cost_of(one_worker: Measured) -> Cost:
    """With one worker and a processor to spare for the host, a check takes as long as the slower side."""
    return Cost(max(1 / one_worker.per_s, one_worker.host_s), one_worker.host_s)


def survey(
    policy: Policy, points: list[Point], worker_counts: tuple[int, ...], seconds: float
) -> dict[Point, dict[int, Measured]]:
    found: dict[Point, dict[int, list[Measured]]] = {point: {count: [] for count in worker_counts} for point in points}
    for _ in range(ROUNDS):
        for count in worker_counts:
            with Executor(policy, workers=count) as executor:
                measure(executor, Point(100, 10e-6), 0.2, count)  # the workers are up
                for point in points:
                    found[point][count].append(measure(executor, point, seconds, count))
    return {point: {count: best(rounds) for count, rounds in counts.items()} for point, counts in found.items()}


def table_of(found: dict[Point, dict[int, Measured]], worker_counts: tuple[int, ...], processors: int) -> Table:
    table = Table(title=f"checks a second, isolated one by one, {processors} processors; model in brackets")
    for name in ("bytes", "program", "worker", "host", *(f"{n} workers" for n in worker_counts)):
        table.add_column(name, justify="right")
    for more in MORE_PROCESSORS:
        table.add_column(f"{more} processors, computed", justify="right")
    table.add_column("workers fed", justify="right")
    for point, counts in found.items():
        cost = cost_of(counts[1])
        cells = [f"{counts[n].per_s:,.0f} ({cost.per_s(n, processors):,.0f})" for n in worker_counts]
        computed = [f"{cost.per_s(more, more):,.0f}" for more in MORE_PROCESSORS]
        times = (time_text(point.program_s), time_text(cost.worker_s), time_text(cost.host_s))
        table.add_row(f"{point.size_bytes:,}", *times, *cells, *computed, f"{cost.workers_fed():,.0f}")
    return table


def time_text(seconds: float) -> str:
    for unit, least in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= least:
            return f"{seconds / least:.3g} {unit}"
    return f"{seconds * 1e6:.0f} us"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer points, a fifth of the time for each")
    arguments = parser.parse_args()
    points = [Point(size, PROGRAM_S[0]) for size in SIZES_BYTES]
    points += [Point(SIZES_BYTES[0], program_s) for program_s in PROGRAM_S[1:]]
    if arguments.quick:
        points = points[::3]
    processors = len(os.sched_getaffinity(0))
    worker_counts = tuple(sorted({1, 2, 4, processors}))
    policy = load_policy("codeio", settings=("execution=call",), environment=os.environ)
    found = survey(policy, points, worker_counts, POINT_S / 5 if arguments.quick else POINT_S)
    Console(width=150).print(table_of(found, worker_counts, processors))


if __name__ == "__main__":
    main()
