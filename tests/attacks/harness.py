"""Runs attacks as data: one payload, one expected word, and after each the same questions, asked from inside (an honest
check on the same worker) and from outside (processes, descriptors, files)."""

import json
import os
import re
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import psutil

from reexec import Executor, Policy, Program, Verdict, load_policy
from reexec.engine.jail.config import _UID_BASE, _UIDS_PER_PROCESS
from tests.attacks.sources import BUILDERS

CASES = Path(__file__).with_name("cases")
BASE = ("limits.cpu_s=0.3", "limits.idle_s=0.4", "limits.memory_bytes=268435456")
HOST_GROWTH_BYTES = 256 << 20

# An honest program that tells everything a check may have spoiled for the next one.
PROBE = (Path(__file__).parent / "inside" / "probe.py.txt").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Case:
    """One row of cases/*.toml."""

    id: str
    group: str
    title: str
    program: str
    expect: str
    entry: str = "f"
    call: str = "[]"
    value: str = "null"
    set: tuple[str, ...] = ()
    widened: tuple[str, ...] = ()
    """Further words that are right as well; each use is reported."""
    says: str = ""
    """A regular expression that the outcome's description must match."""
    benign: bool = False
    runs: int = 1
    """Above 1: executed as often, with the same result each time."""
    then: str = ""
    """A program to run next, whose `f` must return `then_value`."""
    then_value: str = "null"
    late_s: float = 0.2
    """How far the processor time may lie above the limit."""

    @property
    def settings(self) -> tuple[str, ...]:
        return BASE + self.set


def load_cases() -> Iterator[Case]:
    for path in sorted(CASES.glob("*.toml")):
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        for row in document["case"]:
            row = {key: tuple(item) if isinstance(item, list) else item for key, item in row.items()}
            builder = row.pop("build", None)
            if builder is not None:
                row["program"] = BUILDERS[str(builder)]()
            yield Case(group=re.match(r"\d+[a-c]?(?=-)", row["id"]).group(), **row)  # type: ignore[union-attr]


@dataclass(frozen=True, slots=True)
class Outside:
    """What the host sees of a pool at rest."""

    processes: int
    zombies: int
    host_descriptors: int
    temporary: int
    zygotes: tuple[tuple[str, ...], ...]
    """Of each zygote: descriptors, limits, nice value, scheduling policy, processors."""
    shared_memory: int
    resident: int = field(compare=False, default=0)

    def difference(self, other: "Outside") -> str:
        """What is not the same, in words."""
        names = [f.name for f in fields(self) if f.compare and getattr(self, f.name) != getattr(other, f.name)]
        told = []
        for name in names:
            old, new = getattr(self, name), getattr(other, name)
            if name == "zygotes":
                old, new = (
                    sorted(set(map(str, a)) - set(map(str, b)))
                    for a, b in ((sum(old, ()), sum(new, ())), (sum(new, ()), sum(old, ())))
                )
            told.append(f"{name}: {old} became {new}")
        return "; ".join(told)

    @classmethod
    def look(cls, executor: Executor) -> Self:
        own = psutil.Process()
        statuses = Counter(process.status() for process in processes_of_workers())
        return cls(
            processes=statuses.total(),
            zombies=statuses[psutil.STATUS_ZOMBIE],
            host_descriptors=own.num_fds(),
            temporary=len(list(Path(tempfile.gettempdir()).glob("reexec-*"))),
            zygotes=tuple(sorted(describe_zygote(pid) for pid in executor.worker_pids())),
            shared_memory=len(os.listdir("/dev/shm")) if Path("/dev/shm").is_dir() else 0,
            resident=own.memory_info().rss,
        )


def describe_zygote(pid: int) -> tuple[str, ...]:
    proc = Path(f"/proc/{pid}")
    try:
        descriptors = sorted(re.sub(r"\d+|reexec-[^/]*", "N", os.readlink(link)) for link in (proc / "fd").iterdir())
    except PermissionError:  # an ordinary user may not look at a process without the dumpable bit
        descriptors = []
    fields = (proc / "stat").read_text().rpartition(")")[2].split()
    allowed = re.search(r"Cpus_allowed_list:\s*(\S+)", (proc / "status").read_text())
    limits = [
        line
        for line in (proc / "limits").read_text().splitlines()
        if not line.startswith("Max address space")  # the warm zygote's size in it differs from start to start
    ]
    nice, policy = fields[16], fields[38]
    # Which processor is the host's to say, and it may move a worker; that it is one must not change.
    processors = "one processor" if allowed and allowed.group(1).isdigit() else "several processors"
    return (*descriptors, *limits, f"nice {nice}", f"policy {policy}", processors)


def processes_of_workers() -> list[psutil.Process]:
    """Processes with the uids of this host process's workers. An ordinary user's workers have that user's own uid: then
    what descends from this process."""
    if os.geteuid() != 0:
        return psutil.Process().children(recursive=True)
    first = _UID_BASE + (os.getpid() % 30_000) * _UIDS_PER_PROCESS
    found = []
    for process in psutil.process_iter():
        try:
            if first <= process.uids().real < first + _UIDS_PER_PROCESS:
                found.append(process)
        except psutil.NoSuchProcess:
            pass
    return found


def settled(executor: Executor, wanted: Outside | None, seconds: float = 3.0) -> Outside:
    """What the host sees, as soon as it is `wanted`, or at the end of `seconds`."""
    until = time.monotonic() + seconds
    last = None
    while True:
        try:
            seen = Outside.look(executor)
        except (FileNotFoundError, ProcessLookupError, psutil.NoSuchProcess):
            seen = None  # a worker was just being replaced
        # At rest means twice the same: the I/O thread opens files of /proc for a moment now and then.
        at_rest = seen == wanted if wanted is not None else seen == last
        if seen is not None and (at_rest or time.monotonic() > until):
            return seen
        last = seen
        time.sleep(0.01)


class Bench:
    """One executor with one worker, and what a fresh worker of it looked like."""

    def __init__(self, policy: Policy) -> None:
        self.executor = Executor(policy, workers=1)
        self._fresh: dict[str, Any] = {}

    def probe(self, modules: str = "") -> Any:
        """The report of an honest check on the worker that has `modules` warm."""
        program = Program(f"# {modules}\n{PROBE}", "probe")
        outcome = self.executor.submit(program, {"numbers": [1, 2, 3]}).result()
        assert outcome.kind == "value", f"an honest check went wrong: {outcome.describe()}"
        report = outcome.value
        assert report.pop("total") == 6
        assert outcome.usage.cpu_s < 0.25, "an honest check was charged for another one's work"
        fresh = self._fresh.setdefault(modules, report)
        assert report == fresh, "the worker is not as a fresh one"
        return report

    def check(self, case: Case) -> Verdict:
        return self.executor.check(Program(case.program, case.entry), json.loads(case.call), json.loads(case.value))

    def run(self, case: Case) -> Verdict:
        """Runs `case` and asserts all that must hold after it."""
        modules = "numpy" if re.search(r"\b(numpy|np)\b", case.program) else ""
        self.probe(modules)
        before = settled(self.executor, None)
        began = time.monotonic()
        verdict = self.check(case)
        elapsed = time.monotonic() - began
        statistics = self.executor.statistics()
        assert (statistics.engine_errors, statistics.worker_deaths, statistics.worker_kills) == (0, 0, 0)
        self.probe(modules)
        after = settled(self.executor, before)
        assert after == before, before.difference(after)
        assert after.zombies == 0
        assert after.resident - before.resident < HOST_GROWTH_BYTES, "the host's memory grew"
        assert elapsed < 15, "not in bounded time"
        return verdict

    def close(self) -> None:
        self.executor.shutdown()


class Benches:
    """One bench for each distinct policy, made when first asked for."""

    def __init__(self) -> None:
        self._benches: dict[str, Bench] = {}

    def of(self, settings: tuple[str, ...]) -> Bench:
        policy = load_policy("codeio", settings=settings)
        if policy.digest not in self._benches:
            self._benches[policy.digest] = Bench(policy)
        return self._benches[policy.digest]

    def close(self) -> None:
        for bench in self._benches.values():
            bench.close()
