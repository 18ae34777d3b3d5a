"""The run: every method in turn, several rounds, because absolute times drift on shared machines."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from reexec.engine.cache import OutcomeCache
from reexec.engine.executor import Executor
from reexec.engine.program import Check, Program
from reexec.policies.model import Execution, Policy

from . import methods
from .ratios import ratios_of, rounded
from .report import Report, host_facts
from .workloads import PLAIN, WITH_NUMPY, OutputRows, mixed, mixed_words, per_s, right, sample, wrong_work
from .yardsticks import Floor, Fresh, copied_bytes, in_process_per_s, statements


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything a round does."""

    rounds: int = 5
    checks: int = 2000
    fresh: int = 40
    """Checks with a fresh interpreter each; a multiple of 20."""
    fresh_numpy: int = 20
    """The same where each imports numpy, which takes several times as long."""
    rows: int = 20_000
    latency: int = 400
    starts: int = 3

    def with_rounds(self, rounds: int) -> "Size":
        return replace(self, rounds=rounds)


QUICK = Size(rounds=3, checks=400, fresh=20, fresh_numpy=6, rows=3000, latency=150, starts=1)
Tell = Callable[[str], None]


def measure(
    policy: Policy, workers: int, size: Size, *, python: Path | None = None, arguments: Sequence[str] = (), tell: Tell
) -> Report:
    """arguments: what a command of its own is given so that it runs under the policy. tell: what is measured now."""
    with ExitStack() as stack:
        bench = _Bench(policy, workers, size, python, stack)
        for number in range(size.rounds):
            tell(f"round {number + 1} of {size.rounds}")
            bench.round()
        report = bench.report
        tell("latency and start")
        report.latency_ms = bench.latency()
        report.start_s = bench.starts(list(arguments))
    tell("workers")
    report.scaling = scaling(policy, workers, size, python)
    return report


def executed_by(policy: Policy, way: Execution) -> Policy:
    """The policy with checks executed one a fork, or many a fork."""
    return policy.model_copy(update={"execution": way})


class _Bench:
    """What is measured, and the samples so far."""

    def __init__(self, policy: Policy, workers: int, size: Size, python: Path | None, stack: ExitStack) -> None:
        self.size, self.workers, self.samples = size, workers, dict[str, list[float]]()
        call = executed_by(policy, Execution.CALL)
        self.policy = call
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="reexec-bench-")))
        self._folder = folder
        self.executor = stack.enter_context(Executor(call, workers=workers, python=python))
        batch = executed_by(policy, Execution.BATCH)
        self.batched = stack.enter_context(Executor(batch, workers=workers, python=python))
        self.usual = stack.enter_context(Executor(policy, workers=workers, python=python))
        cache = stack.enter_context(OutcomeCache(folder / "cache"))
        self.cached = stack.enter_context(Executor(call, workers=1, python=python, cache=cache))
        found = self.executor.interpreter
        self.python = found.executable
        self.report = Report(host_facts(), workers, self.executor.isolation.value, found.version_text, size.rounds)
        self._host_s: dict[str, list[float]] = {"call": [], "batch": []}
        self.rows = OutputRows(folder, size.rows)
        self.right, self.mixed = right(PLAIN, size.checks), mixed(size.checks)
        self.floors: dict[str, Floor] = {}
        for name, program in (("floor", PLAIN), ("floor_numpy", WITH_NUMPY)):
            per_s(self.executor, right(program, 64 * workers))  # all workers are up
            pids = self.executor.worker_pids()
            self.report.resident_mb[name.replace("floor", "zygote")] = round(
                max(psutil.Process(pid).memory_info().rss for pid in pids) / 1e6, 1
            )
            known = [size for size in map(copied_bytes, pids) if size is not None]
            if not known:
                self.report.not_available[f"memory of the {name}"] = (
                    "the workers' may not be read; a bare fork has none of it here"
                )
            most = max(known, default=0)
            self.floors[name] = Floor(self.python, self.policy, workers, name == "floor_numpy", most)
            stack.callback(self.floors[name].close)
        per_s(self.batched, right(PLAIN, 64 * workers))
        per_s(self.usual, right(PLAIN, 64 * workers))
        per_s(self.cached, self.right)  # so that the cache holds them
        self.fresh = Fresh(self.python, self.policy, workers, folder / "bytecode")
        self.sample = sample(self.executor)
        self._warm_fresh()

    def round(self) -> None:
        checks, fresh = self.size.checks, self.size.fresh
        before = self._forks("floor")
        self._take("call", self._watched("call", self.executor))
        self._take("floor", 2 / (1 / before + 1 / self._forks("floor")))
        self._take("fresh", self.fresh.per_s(right(PLAIN, fresh), numpy=False))
        before = self._forks("floor_numpy")
        self._take("call_numpy", per_s(self.executor, right(WITH_NUMPY, checks)))
        self._take("floor_numpy", 2 / (1 / before + 1 / self._forks("floor_numpy")))
        self._take("fresh_numpy", self.fresh.per_s(right(WITH_NUMPY, self.size.fresh_numpy), numpy=True))
        self._take("in_process", in_process_per_s(self.right))
        self._take("batch", self._watched("batch", self.batched))
        self._take("mixed", per_s(self.usual, self.mixed, mixed_words(len(self.mixed))))
        self._take("fresh_mixed", self.fresh.per_s(mixed(fresh), numpy=False, words=mixed_words(fresh)))
        self._take("sample", per_s(self.executor, self.sample.checks))
        self._take("fresh_sample", self.fresh.per_s(self._some_of_the_sample(), numpy=True))
        count = len(self.sample.checks)
        at_best_s = count / self.samples["floor"][-1] + self.sample.own_s / self.workers
        self._take("sample_limit", count / at_best_s)
        self._take("output_rows", self.rows.per_s(self.executor))
        recalled = self.cached.statistics().recalled
        many = self.right * 5  # a few hundred would be over in 10 ms
        self._take("cache_hits", per_s(self.cached, many))
        wrong_work({"recalled": self.cached.statistics().recalled - recalled}, {"recalled": len(many)})

    def _take(self, name: str, per_s: float) -> None:
        self.samples.setdefault(name, []).append(per_s)

    def _forks(self, name: str) -> float:
        return self.floors[name].forks_per_s(max(1, self.size.checks // self.workers // 2))

    def _some_of_the_sample(self) -> Sequence[Check]:
        return self.sample.checks[:: max(1, len(self.sample.checks) // self.size.fresh_numpy)]

    def _warm_fresh(self) -> None:
        """Byte code of what the programs of the sample import."""
        self.fresh.per_s(self._some_of_the_sample(), numpy=True)

    def _watched(self, way: str, executor: Executor) -> float:
        """Also takes the processor time of this process, which is the host of all workers."""
        began_s = time.process_time()
        found = per_s(executor, self.right)
        self._host_s[way].append((time.process_time() - began_s) / len(self.right))
        return found

    # -- after the rounds, and beside them --------------------------------------------------------------------

    def _medians(self) -> None:
        report = self.report
        figures = {name: round(statistics.median(found), 1) for name, found in self.samples.items()}
        report.limits = {"call": figures["floor"], "call_numpy": figures["floor_numpy"], "sample": figures.pop("sample_limit")}
        report.figures, report.ratios = figures, ratios_of(self.samples)
        report.host_us = {way: round(statistics.median(found) * 1e6, 1) for way, found in self._host_s.items()}

    def latency(self) -> dict[str, float]:
        self._medians()
        times = []
        for number in range(self.size.latency):
            began = time.perf_counter()
            verdict = self.executor.check(PLAIN, {"n": number}, number + 1)
            times.append(time.perf_counter() - began)
            wrong_work({verdict.word: 1}, {"accepted": 1})
        cuts = statistics.quantiles(times, n=100, method="inclusive")
        return {"p50": round(cuts[49] * 1000, 3), "p99": round(cuts[98] * 1000, 3)}

    def starts(self, arguments: Sequence[str]) -> dict[str, float]:
        program = self._folder / "program.py"
        program.write_text(PLAIN.source)
        call = ["call", str(program), "--input", '{"n": 1}', "--expect", "2", *arguments]
        return {
            "help": self._start(["--help"]),
            "call": self._start(call),
            "first_verdict": round(min(_first_verdict(self.policy, self.python) for _ in range(self.size.starts)), 3),
        }

    def _start(self, arguments: Sequence[str]) -> float:
        """Elapsed seconds of a command of its own, the least of several."""
        command = [sys.executable, "-c", "from reexec.cli.start import main; main()", *arguments]

        def once() -> float:
            began = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            return time.perf_counter() - began

        return round(min(once() for _ in range(self.size.starts)), 3)


def _first_verdict(policy: Policy, python: str) -> float:
    began = time.perf_counter()
    with Executor(policy, workers=1, python=python) as executor:
        verdict = executor.check(PLAIN, {"n": 1}, 2)
        elapsed = time.perf_counter() - began
    wrong_work({verdict.word: 1}, {"accepted": 1})
    return elapsed


def scaling(policy: Policy, workers: int, size: Size, python: Path | None) -> dict[str, float]:
    """Checks a second with 1, 2, 4 ... workers, up to as many as asked for."""
    counts = sorted({*(1 << power for power in range(workers.bit_length())), workers})
    found: dict[str, list[float]] = {str(count): [] for count in counts}
    call = executed_by(policy, Execution.CALL)
    with ExitStack() as stack:
        executors = [stack.enter_context(Executor(call, workers=count, python=python)) for count in counts]
        for executor, count in zip(executors, counts, strict=True):
            per_s(executor, right(PLAIN, 64 * count))
        for _ in range(size.rounds):
            for executor, count in zip(executors, counts, strict=True):
                found[str(count)].append(per_s(executor, right(PLAIN, size.checks)))
    return {name: round(statistics.median(values), 1) for name, values in found.items()}


def side_by_side(policy: Policy, workers: int, size: Size, *, python: Path | None = None, tell: Tell) -> dict[str, float]:
    """Checks a second of the other methods and of ours, in turn; each must give the right words on the same checks."""
    checks = _small_set(size.fresh)
    words = ["accepted" if check.id else "wrong-answer" for check in checks]
    found: dict[str, list[float]] = {}
    with ExitStack() as stack:
        executor = stack.enter_context(Executor(executed_by(policy, Execution.CALL), workers=workers, python=python))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="reexec-bench-"))
        found_python = executor.interpreter.executable
        environment = Fresh(found_python, policy, workers, Path(folder)).environment
        setting = methods.Setting(statements(policy, False), workers, found_python, environment)
        many = checks * 10
        ours = {"accepted": words.count("accepted") * 10, "wrong-answer": words.count("wrong-answer") * 10}
        per_s(executor, many, ours)
        for number in range(min(size.rounds, 3)):
            for name in methods.NAMES:
                tell(f"methods, round {number + 1}: {name}")
                said, elapsed_s = methods.words_of(name, checks, setting)
                _same(name, said, words)
                found.setdefault(name, []).append(len(checks) / elapsed_s)
            found.setdefault("reexec", []).append(per_s(executor, many, ours))
    return {name: rounded(statistics.median(values)) for name, values in found.items()}


def _small_set(count: int) -> list[Check]:
    """Samples of five tests each: half of the samples pass, the others fail in their last test. `id`: whether a test passes."""
    programs = [Program(f"def main_solution(n):\n    return [n + {k}, n * {k}]\n", "main_solution") for k in range(count // 5)]
    checks = []
    for k, program in enumerate(programs):
        for n in range(5):
            passes = k % 2 == 0 or n < 4
            checks.append(Check(program, {"n": n}, [n + k, n * k] if passes else None, id=passes))
    return checks


def _same(name: str, said: Sequence[str], words: Sequence[str]) -> None:
    if name == "process":  # one word a sample
        per_sample: list[Any] = [words[at : at + 5] for at in range(0, len(words), 5)]
        words = ["accepted" if set(group) == {"accepted"} else "wrong-answer" for group in per_sample]
    wrong = sum(a != b for a, b in zip(said, words, strict=True))
    wrong_work({f"wrong words of {name}": wrong}, {f"wrong words of {name}": 0})
