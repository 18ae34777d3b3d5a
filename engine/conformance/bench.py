"""Runs cases on one executor of one worker, and asks after each what it left behind: from inside by an honest check on the same
worker, from outside by what the host sees."""

import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reexec.policies.model import IsolationLevel, Policy

from ..errors import IsolationUnavailableError
from ..executor import Executor
from ..judging.verdict import Verdict
from ..program import Program
from .case import REFUSED, Case
from .outside import settled

ExecutorFactory = Callable[[Policy, IsolationLevel], Executor]
"""Makes an executor of one worker on that isolation level. Raises IsolationUnavailableError where it cannot serve the
policy."""

PROBE = (Path(__file__).parent / "inside" / "probe.py.txt").read_text(encoding="utf-8")
"""An honest program that tells everything a check may have spoiled for the next one."""

MOST_OPEN = 12
"""Benches of one level: each has a thread and a worker, and a host may have few addresses."""
HOST_GROWTH_BYTES = 256 << 20
LONGEST_S = 60.0  # of a case on a busy machine; what never ends takes longer
HONEST_CPU_S = 0.25


def make_executor(policy: Policy, isolation: IsolationLevel) -> Executor:
    return Executor(policy, workers=1, isolation=isolation)


@dataclass(frozen=True, slots=True)
class Result:
    """What one case came to on one isolation level."""

    case: Case
    isolation: IsolationLevel
    word: str
    expected: str
    faults: tuple[str, ...] = ()
    """Everything that is not as it should be, left-overs among them; empty where the contract is held."""
    left_over: str = ""
    verdict: Verdict | None = None

    @property
    def ok(self) -> bool:
        return not self.faults

    @property
    def widened(self) -> bool:
        return self.case.is_widened(self.word, self.isolation)


class Bench:
    """One executor with one worker, and what a fresh worker of it looked like."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self._fresh: dict[str, Any] = {}

    def probe(self, modules: str = "") -> str:
        """What is wrong with an honest check on the worker that has `modules` warm; empty where nothing is."""
        program = Program(f"# {modules}\n{PROBE}", "probe")
        outcome = self.executor.submit(program, {"numbers": [1, 2, 3]}).result()
        if outcome.kind != "value":
            return f"an honest check went wrong: {outcome.describe()}"
        report = outcome.value
        if report.pop("total") != 6:
            return "an honest check got another value"
        if outcome.usage.cpu_s > HONEST_CPU_S:
            return "an honest check was charged for another one's work"
        fresh = self._fresh.setdefault(modules, report)
        spoiled = [f"{key}: {fresh[key]} became {report[key]}" for key in fresh if report[key] != fresh[key]]
        return "; ".join(spoiled)

    def check(self, case: Case) -> Verdict:
        return self.executor.check(Program(case.program, case.entry), json.loads(case.call), json.loads(case.value))

    def run(self, case: Case) -> Result:
        isolation, executor = self.executor.isolation, self.executor
        # A probe that names what the case names runs on the same kind of worker.
        modules = " ".join(sorted(set(re.findall(r"\b(?:numpy|np)(?:\.\w+)*", f"{case.program} {case.then}"))))
        left = [self.probe(modules)]
        before = settled(executor, None)
        counted = executor.statistics()
        began = time.monotonic()
        verdict = self.check(case)
        elapsed = time.monotonic() - began
        faults = self._judge(case, verdict, isolation)
        if elapsed > LONGEST_S:
            faults.append(f"took {elapsed:.1f} s")
        faults += self._again(case, verdict)
        statistics = executor.statistics()
        for name in ("engine_errors", "worker_deaths", "worker_kills"):
            if getattr(statistics, name) != getattr(counted, name):
                faults.append(f"{name}: {getattr(statistics, name) - getattr(counted, name)}")
        left.append(self.probe(modules))
        after = settled(executor, before)
        left.append(before.difference(after))
        if after.zombies:
            left.append(f"{after.zombies} zombies")
        if after.resident - before.resident > HOST_GROWTH_BYTES:
            left.append("the host's memory grew")
        left_over = "; ".join(filter(None, left))
        return Result(
            case, isolation, verdict.word, case.expected(isolation), (*faults, *filter(None, left)), left_over, verdict
        )

    def _judge(self, case: Case, verdict: Verdict, isolation: IsolationLevel) -> list[str]:
        assert verdict.outcome is not None
        outcome, limits = verdict.outcome, self.executor.policy.limits
        said = outcome.describe()
        faults = []
        expected = case.expected(isolation)
        if verdict.word != expected and not case.is_widened(verdict.word, isolation):
            value = f"; value {outcome.value!r:.300}" if type(outcome.value) is not int else ""
            faults.append(f"{verdict.word} instead of {expected}: {said}{value}")
        if not re.search(case.description(isolation), said):
            faults.append(f"it says {said!r}, and should match {case.description(isolation)!r}")
        usage = outcome.usage
        if verdict.word == "cpu-limit" and not limits.cpu_s <= usage.cpu_s <= limits.cpu_s + case.late_s:
            faults.append(f"ended after {usage.cpu_s:.3f} s of processor time, limit {limits.cpu_s} s")
        if verdict.word == "wall-limit" and not (usage.wall_s >= limits.idle_s and usage.cpu_s < limits.cpu_s):
            faults.append(f"ended after {usage.wall_s:.3f} s with {usage.cpu_s:.3f} s of processor time")
        return faults

    def _again(self, case: Case, first: Verdict) -> list[str]:
        assert first.outcome is not None
        faults = []
        for _ in range(case.runs - 1):
            again = self.check(case)
            assert again.outcome is not None
            if (again.word, again.outcome.value) != (first.word, first.outcome.value):
                faults.append(f"{again.word} at another run: {again.outcome.value!r:.200}")
        if case.then:
            after = self.executor.check(Program(case.then, "f"), [], json.loads(case.then_value))
            if not after.accepted:
                faults.append(f"what ran next: {after.word}, {after.outcome.describe() if after.outcome else ''}")
        return faults

    def close(self) -> None:
        self.executor.shutdown()


class Benches:
    """One bench for each distinct policy on one isolation level, made when first asked for; the last ones stay open."""

    def __init__(self, isolation: IsolationLevel, factory: ExecutorFactory = make_executor) -> None:
        self.isolation, self._factory = isolation, factory
        self._benches: OrderedDict[str, Bench] = OrderedDict()

    def run(self, case: Case) -> Result:
        policy = case.policy(self.isolation)
        expected = case.expected(self.isolation)
        if policy.digest in self._benches:
            self._benches.move_to_end(policy.digest)
        else:
            while len(self._benches) >= MOST_OPEN:
                self._benches.popitem(last=False)[1].close()
            try:
                self._benches[policy.digest] = Bench(self._factory(policy, self.isolation))
            except IsolationUnavailableError as error:
                faults = () if expected == REFUSED else (f"refused instead of {expected}: {error}",)
                return Result(case, self.isolation, REFUSED, expected, faults)
        if expected == REFUSED:
            return Result(case, self.isolation, "served", expected, ("served instead of refused",))
        return self._benches[policy.digest].run(case)

    def close(self) -> None:
        for bench in self._benches.values():
            bench.close()
