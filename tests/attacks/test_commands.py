"""What programs of other languages try, on the isolation levels that run them: the word, what they printed, and an honest check
on the same worker afterwards."""

import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reexec.engine.commands import CommandExecutor
from reexec.engine.commands.probe import find
from reexec.engine.commands.toolchain import toolchain_named
from reexec.engine.conformance.outside import settled
from reexec.engine.errors import IsolationUnavailableError, UsageError
from reexec.engine.outcome import Outcome
from reexec.engine.program import Command
from reexec.policies.layers import load_policy
from reexec.policies.model import IsolationLevel
from tests.conftest import lacking

BASE = (
    "limits.cpu_s=0.5",
    "limits.idle_s=0.5",
    "limits.memory_bytes=134217728",
    "limits.capture_bytes=1048576",
    "limits.stack_bytes=8388608",
    "limits.confirm=false",
)
COMPILE: dict[str, tuple[str, ...]] = {"c": ("limits.cpu_s=8", "limits.memory_bytes=201326592")}
WHERE_PRESENT = ("go", "java", "rust")
LEVELS = (IsolationLevel.NSJAIL_CGROUP, IsolationLevel.NSJAIL)


@dataclass(frozen=True, slots=True)
class Case:
    id: str
    title: str
    language: str
    honest: str
    """Prints 1 more than it reads, 1 where its number is not the first, and how many files its folder has (-1: no folder)."""
    program: str
    stdin: str = ""
    stdin_repeat: int = 1
    expect: tuple[str, ...] = ("value",)
    stdout: str | None = None
    status: int = 0
    says: str = ""
    set: tuple[str, ...] = ()
    runs: int = 1
    set_on: dict[str, list[str]] = field(default_factory=dict)
    within_s: float = 20.0
    except_on: dict[str, list[str]] = field(default_factory=dict)
    because: str = ""
    levels: tuple[str, ...] = tuple(level.value for level in LEVELS)

    @property
    def has_scratch(self) -> bool:
        return any(setting.startswith("limits.scratch_bytes") for setting in self.set)


def cases() -> Iterator[Case]:
    for path in sorted((Path(__file__).parent / "commands").glob("*.toml")):
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
        for each in tree["case"]:
            program = tree.get("preamble", "") + each.pop("program")
            each["set"] = (*tree.get("set", ()), *each.get("set", ()))
            tuples: dict[str, Any] = {name: tuple(each.pop(name)) for name in ("expect", "set") if name in each}
            general = {name: tree[name] for name in ("levels", "within_s") if name in tree and name not in each}
            yield Case(**each, **tuples, **general, language=tree["language"], honest=tree["honest"], program=program)


CASES = list(cases())
RUNS = [(level, case) for level in LEVELS for case in CASES if level.value in case.levels]


@pytest.fixture(scope="module")
def executors() -> Iterator[Callable[[IsolationLevel, Case], CommandExecutor]]:
    """One at a time: each holds several workers."""
    made: dict[object, CommandExecutor] = {}

    def executor(isolation: IsolationLevel, case: Case) -> CommandExecutor:
        more = (*case.set, *case.set_on.get(isolation.value, ()))
        key = (isolation, case.language, more)
        if key not in made:
            while made:
                made.popitem()[1].shutdown()
            made[key] = CommandExecutor(
                load_policy("contest", settings=(*BASE, *more)),
                workers=1,
                isolation=isolation,
                compile_policy=load_policy("compile", settings=COMPILE.get(case.language, ())),
            )
        return made[key]

    yield executor
    while made:
        made.popitem()[1].shutdown()


def honest(executor: CommandExecutor, case: Case) -> None:
    outcome = executor.submit(Command(case.honest, case.language), "41\n").result(30)
    assert (outcome.kind, outcome.value) == ("value", 0), outcome.describe()
    assert outcome.stdout == f"42 1 {0 if case.has_scratch else -1}\n"


@pytest.mark.parametrize(("isolation", "case"), RUNS, ids=[f"{level.value}-{case.language}-{case.id}" for level, case in RUNS])
def test_an_attack_gets_its_word_and_leaves_the_worker_as_it_was(
    isolation: IsolationLevel, case: Case, executors: Callable[[IsolationLevel, Case], CommandExecutor]
) -> None:
    executor = executors(isolation, case)
    try:
        executor.version(case.language)
    except (UsageError, IsolationUnavailableError) as error:
        (pytest.skip if case.language in WHERE_PRESENT else lacking)(str(error))
    honest(executor, case)
    worker = executor._language(case.language).executor
    before = settled(worker, None)
    deaths = executor.statistics().worker_deaths
    for _ in range(case.runs):
        outcome = executor.submit(Command(case.program, case.language), case.stdin * case.stdin_repeat).result(60)
        judge(case, isolation, outcome)
        assert outcome.usage.wall_s < case.within_s
    honest(executor, case)
    assert executor.statistics().worker_deaths == deaths
    after = settled(worker, before)
    assert after.processes == before.processes, before.difference(after)
    assert after.zygotes == before.zygotes, before.difference(after)


def judge(case: Case, isolation: IsolationLevel, outcome: Outcome) -> None:
    words = case.except_on.get(isolation.value, case.expect)
    said = f"{outcome.describe()}; printed {outcome.stdout[:500]!r}, {outcome.stderr[:300]!r}"
    assert outcome.kind in words, said
    if outcome.kind == "value" and "value" in case.expect:
        assert outcome.value == case.status, said
        assert case.stdout == "*" or outcome.stdout == (case.stdout or "").removeprefix(
            "\n" if (case.stdout or "").count("\n") > 2 else "\0"
        ), said
    assert re.search(case.says, outcome.describe(), re.DOTALL), said


def test_weaker_levels_refuse_with_a_reason() -> None:
    policy = load_policy("contest", settings=("isolation.lowest=none", "limits.processes=1"))
    for isolation in (IsolationLevel.RESTRICTED, IsolationLevel.NONE):
        with (
            CommandExecutor(policy, workers=1, isolation=isolation) as executor,
            pytest.raises(IsolationUnavailableError) as told,
        ):
            executor.submit(Command("int main(void) { return 0; }", "c"), "1\n")
        assert "jail" in str(told.value)


def test_a_run_time_that_reserves_addresses_needs_a_group() -> None:
    with CommandExecutor("contest", workers=1, isolation=IsolationLevel.NSJAIL) as executor:
        missing = []
        for language in ("javascript", "java", "go"):
            try:
                find(toolchain_named(language))
            except UsageError as error:
                missing.append(str(error))
                continue
            with pytest.raises(IsolationUnavailableError, match="control group"):
                executor.submit(Command("", language), "")
            return
        lacking("; ".join(missing))


def test_every_exception_has_a_reason() -> None:
    assert all(case.because for case in CASES if case.except_on)
