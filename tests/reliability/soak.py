"""Sends very many checks of good and hostile programs through one executor and watches what the host pays for it.

    python -m tests.reliability.soak --checks 200000 --svg docs/soak.svg          (`make soak`)

Hostile programs are those of the attack corpus that need no settings of their own and end quickly, each expected to end in
its own word every time. Between two batches, with the pool at rest, it takes a sample: resident memory of host and zygotes,
descriptors, processes, zombies, control groups, temporary files. At the end nothing may have grown.
"""

import argparse
import json
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

import psutil

from reexec import Check, Executor, Program, load_policy
from reexec.engine.conformance.case import BASE, Case
from tests.attacks.harness import corpus
from tests.reliability import programs
from tests.reliability.outside import Tree, children, groups_of, is_zombie
from tests.reliability.plot import Series, save_lines

QUICK_S = 0.03
"""Cases that take longer are left out: a soak is about numbers."""
HOSTILE_SHARE = 0.1
LIMITS_SHARE = 0.0005
WARM_UP = 0.1
"""The share of a run after which its first samples are taken for what is normal."""


@dataclass(frozen=True)
class Sample:
    checks: int
    seconds: float
    host_mib: float
    zygotes_mib: float
    descriptors: int
    processes: int
    zombies: int
    groups: int
    files: int


@dataclass
class Soak:
    checks: int = 0
    seconds: float = 0.0
    hostile_cases: int = 0
    words: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    worker_deaths: int = 0
    workers_started: int = 0

    def line(self) -> str:
        first, last = self.normal(), self.samples[-1]
        told = {name: value for name, value in asdict(self).items() if name != "samples"}
        return json.dumps(told | {"normal": asdict(first), "last": asdict(last)})

    def normal(self) -> Sample:
        """The first sample after the warm-up."""
        return next(sample for sample in self.samples if sample.checks >= WARM_UP * self.checks)


def quick_cases(executor: Executor, every: int) -> list[Case]:
    """Hostile programs whose word is one and the same under the soak's own policy, and soon there; of every `every`th case."""
    found = []
    for case in list(corpus())[::every]:
        if case.set or case.then or case.widened or case.except_on or case.runs > 1:
            continue
        verdict = executor.check(Program(case.program, case.entry), json.loads(case.call), json.loads(case.value))
        outcome = verdict.outcome
        if outcome is not None and outcome.usage.wall_s < QUICK_S and verdict.word == case.expect:
            found.append(case)
    return found


def stream(count: int, first: int, cases: list[Case], source: random.Random) -> Iterator[tuple[Check, str]]:
    """`count` checks with their words: good ones, those of the corpus, now and then one that runs into a limit of time."""
    for number in range(first, first + count):
        if source.random() < HOSTILE_SHARE:
            case = source.choice(cases)
            check = Check(Program(case.program, case.entry), json.loads(case.call), json.loads(case.value), id=number)
            yield check, case.expect
        else:
            yield programs.one(number, source, LIMITS_SHARE)


def look(executor: Executor, done: int, began: float, others: list[int]) -> Sample:
    own = psutil.Process()
    tree = Tree.below(own.pid, others)
    living = [*tree.jails, *tree.zygotes, *tree.checks]
    zygotes = [psutil.Process(pid).memory_info().rss for pid in executor.worker_pids()]
    return Sample(
        checks=done,
        seconds=round(time.monotonic() - began, 2),
        host_mib=round(own.memory_info().rss / 2**20, 2),
        zygotes_mib=round(sum(zygotes) / max(1, len(zygotes)) / 2**20, 2),
        descriptors=own.num_fds(),
        processes=len(living),
        zombies=sum(map(is_zombie, living)),
        groups=len(groups_of(own.pid)),
        files=len(list(Path(tempfile.gettempdir()).glob("reexec-*"))),
    )


def soak(checks: int, batch: int, workers: int = 2, seed: int = 1, every: int = 1) -> Soak:
    result = Soak()
    source = random.Random(seed)
    words: Counter[str] = Counter()
    others = children(os.getpid())
    with Executor(load_policy("codeio", settings=[*BASE, "limits.output_bytes=65536"]), workers=workers) as executor:
        cases = quick_cases(executor, every)
        result.hostile_cases = len(cases)
        began = time.monotonic()
        while result.checks < checks:
            items = list(stream(min(batch, checks - result.checks), result.checks, cases, source))
            expected = {check.id: word for check, word in items}
            for verdict in executor.check_many(check for check, _ in items):
                words[verdict.word] += 1
                if verdict.word != expected.pop(verdict.id):
                    result.wrong.append(f"{verdict.id}: {verdict.word}")
            assert not expected, "a check was lost"
            result.checks += len(items)
            result.samples.append(look(executor, result.checks, began, others))
        statistics = executor.statistics()
        result.worker_deaths, result.workers_started = statistics.worker_deaths, statistics.workers_started
        assert statistics.submitted == statistics.completed
    result.words = dict(words.most_common())
    result.seconds = round(time.monotonic() - began, 1)
    assert not groups_of(os.getpid())
    return result


def check_soak(result: Soak, memory_mib: float) -> None:
    """Raises AssertionError where something grew."""
    assert not result.wrong, result.wrong[:20]
    normal = result.normal()
    later = [sample for sample in result.samples if sample.checks >= normal.checks]
    end = later[-max(1, len(later) // 5) :]
    for name in ("host_mib", "zygotes_mib"):
        grown = median(getattr(sample, name) for sample in end) - getattr(normal, name)
        assert grown < memory_mib, f"{name} grew by {grown:.1f} MiB"
    for name in ("descriptors", "processes", "groups", "files"):
        seen = [getattr(sample, name) for sample in later]
        assert max(seen[-len(end) :]) <= max(seen[: len(end)]), f"{name} grew: {seen}"
    assert not [sample for sample in result.samples if sample.zombies], "zombies"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--checks", type=int, default=200_000)
    parser.add_argument("--batch", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--svg", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:  # its own, so that only its own files are counted
        Path(folder).chmod(0o755)  # workers have other uids
        tempfile.tempdir = folder
        result = soak(arguments.checks, arguments.batch, seed=arguments.seed)
        tempfile.tempdir = None
    print(result.line())
    if arguments.svg:
        at = [sample.checks for sample in result.samples]
        lines = [
            Series("resident memory of the host, MiB", at, [sample.host_mib for sample in result.samples]),
            Series("resident memory of a zygote, MiB", at, [sample.zygotes_mib for sample in result.samples]),
            Series("descriptors of the host", at, [sample.descriptors for sample in result.samples]),
            Series("processes of the workers", at, [sample.processes for sample in result.samples]),
            Series("control groups", at, [sample.groups for sample in result.samples]),
            Series("zombies and temporary files", at, [sample.zombies + sample.files for sample in result.samples]),
        ]
        save_lines(arguments.svg, f"{result.checks:,} checks, {len(result.samples)} samples at rest", "checks done", lines)
    check_soak(result, memory_mib=8.0)


if __name__ == "__main__":
    main()
