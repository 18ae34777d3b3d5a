"""Applies each mutant in a copy of the tree and runs its test there; fails unless every one is killed.

    python -m tests.mutants.run [--only PATTERN] [--name NAME] [--sample N] [--jobs N] [--limit SECONDS] [--resume]

The interpreter starts once: it imports what tests need but nothing of this project, and forks for every run, so that each has a
process of its own. Copies are made once for each job. First every test runs without a mutant.

    killed           the test failed
    killed (time)    the test was not done when the limit was over
    survived         the test passed
    skipped          the test did not run: nothing was found out, which counts as survived
    stale            the text of the mutant is not in its file exactly once
    broken           the test does not pass without the mutant, or pytest could not run it
"""

import argparse
import compileall
import contextlib
import fnmatch
import gc
import hashlib
import importlib
import importlib.metadata
import itertools
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mutants.table import ROOT, Mutant, load

COPIED = ("cli", "clients", "engine", "examples", "policies", "runners", "src", "tests", "benchmarks", "scripts", "docs",
          "pyproject.toml")  # fmt: skip
IMPORTED = (
    "pytest", "hypothesis", "hypothesis.strategies", "numpy", "pydantic", "pydantic.main", "pydantic.fields",
    "pydantic.functional_validators", "msgpack", "psutil", "rich.console", "rich.table", "typer", "concurrent.futures",
    "asyncio", "sqlite3", "http.server", "unittest.mock",
)  # fmt: skip
ARGUMENTS = (
    "-q", "-x", "-p", "no:cacheprovider", "--no-header", "-rN", "-m", "", "-W", "ignore:Module already imported",
)  # fmt: skip
PASSED, FAILED = 0, 1  # pytest's exit codes; any other is a mistake in the table
KILLED = ("killed", "killed (time)")
SLOWER = 3  # times as long as without a mutant, at least: the machine may be busy
NEWER_S = 10  # a mutated file is newer than its bytecode by that much
_begun = itertools.count()
"""And newer than those before: interpreters that take no environment write bytecode, and know it by time and size."""
RESULTS = ROOT / ".mutants.jsonl"
"""What earlier runs came to, for --resume."""


@dataclass
class Job:
    """One run of pytest, in a process and a copy of its own. Without a mutant it asks whether the tests pass at all."""

    copy: Path
    tests: tuple[str, ...]
    limit_s: float
    mutants: tuple[Mutant, ...]
    is_mutated: bool
    pid: int = 0
    since: float = 0.0
    original: str = ""
    times: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Ended:
    """How it ended: pytest's exit code (None: not in time), and its counts of tests."""

    code: int | None
    passed: int
    skipped: int
    seconds: float

    @property
    def word(self) -> str:
        """Of a run with a mutant."""
        if self.code is None:
            return "killed (time)"
        if self.code == FAILED:
            return "killed"
        if self.code != PASSED:
            return "broken"
        return "survived" if self.passed else "skipped"


class Counting:
    """A plugin of pytest: how many tests passed, and how many were skipped."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "call" or report.outcome == "skipped":
            self.counts[report.outcome] += 1

    def pytest_collectreport(self, report: Any) -> None:
        if report.outcome == "skipped":
            self.counts["skipped"] += 1


def copy_tree(target: Path) -> Path:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            ignore = shutil.ignore_patterns("*.egg-info", ".hypothesis")
            shutil.copytree(source, target / name, symlinks=True, ignore=ignore)
        elif source.exists():
            shutil.copy2(source, target / name)
    shared = ROOT.parent / "shared"
    if shared.is_dir():
        (target.parent / "shared").symlink_to(shared)
    target.chmod(0o755)
    return target


def fork_pytest(copy: Path, tests: Iterable[str], is_mutated: bool) -> int:
    """The pid of a process that runs `tests` in `copy`, at the head of a process group, and exits with pytest's code. What it
    says is in `copy`/output, its counts in `copy`/counts. Bytecode is kept of what is no mutant's."""
    (copy / "counts").unlink(missing_ok=True)
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with open(copy / "output", "wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        os.chdir(copy)
        sys.dont_write_bytecode = is_mutated
        sys.path[:] = [str(copy / "src"), str(copy), *(entry for entry in sys.path if not entry.startswith(str(ROOT) + "/src"))]
        sys.path[:] = [entry for entry in sys.path if entry not in ("", str(ROOT))]
        os.environ["PYTHONPATH"] = f"{copy / 'src'}{os.pathsep}{copy}"  # for the commands that tests start
        if is_mutated:
            os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        for name in [name for name in sys.modules if name.partition(".")[0] in ("tests", "reexec")]:
            del sys.modules[name]
        import pytest

        counting = Counting()
        code = int(pytest.main([*ARGUMENTS, *tests], plugins=[counting]))
        (copy / "counts").write_text(json.dumps(counting.counts))
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def begin(job: Job) -> None:
    if job.is_mutated:
        [mutant] = job.mutants
        path = job.copy / mutant.file
        was, job.original = path.stat(), path.read_text(encoding="utf-8")
        job.times = (was.st_atime_ns, was.st_mtime_ns)
        path.write_text(mutant.apply(job.original), encoding="utf-8")
        newer = was.st_mtime + NEWER_S + next(_begun)
        os.utime(path, (newer, newer))
    job.since = time.monotonic()
    job.pid = fork_pytest(job.copy, job.tests, job.is_mutated)


def ended(job: Job) -> Ended | None:
    """None while it runs. What it left over is ended and its copy is as it was."""
    got, status = os.waitpid(job.pid, os.WNOHANG)
    took = time.monotonic() - job.since
    if not got and took < job.limit_s:
        return None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(job.pid, signal.SIGKILL)
    if not got:
        os.waitpid(job.pid, 0)
    if job.is_mutated:
        path = job.copy / job.mutants[0].file
        path.write_text(job.original, encoding="utf-8")
        os.utime(path, ns=job.times)
    try:
        counts = json.loads((job.copy / "counts").read_text())
    except (OSError, ValueError):
        counts = {}
    code = os.waitstatus_to_exitcode(status) if got else None
    return Ended(code, counts.get("passed", 0), counts.get("skipped", 0), took)


def run_all(jobs: list[Job], copies: list[Path]) -> Iterator[tuple[Job, Ended]]:
    """Each job and how it ended, as they end. Jobs that are added to `jobs` meanwhile run as well."""
    free, running = list(copies), list[Job]()
    try:
        while jobs or running:
            while jobs and free:
                job = jobs.pop(0)
                job.copy = free.pop()
                begin(job)
                running.append(job)
            time.sleep(0.02)
            for job in list(running):
                found = ended(job)
                if found is not None:
                    running.remove(job)
                    yield job, found
                    free.append(job.copy)
    finally:
        for job in running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(job.pid, signal.SIGKILL)


def unfit(mutants: list[Mutant], copies: list[Path], limit_s: float) -> tuple[dict[str, str], dict[str, float]]:
    """By its id, each test that cannot kill anything, and the word for it; and how long a test may take with a mutant before
    that is the mutant's doing. Tests of one file run together, which is faster, and one by one where something is wrong with
    that."""
    by_file: dict[str, dict[str, None]] = {}
    for mutant in mutants:
        by_file.setdefault(mutant.test.partition("::")[0], {})[mutant.test] = None
    jobs = [Job(copies[0], tuple(dict.fromkeys(" ".join(tests).split())), limit_s * 2, (), False) for tests in by_file.values()]
    wanted = {job.tests: list(tests) for job, tests in zip(jobs, by_file.values(), strict=True)}
    print(f"{sum(map(len, wanted.values()))} tests of {len(jobs)} files without a mutant", flush=True)
    found: dict[str, str] = {}
    limits_s: dict[str, float] = {}
    for job, how in run_all(jobs, copies):
        limits_s |= dict.fromkeys(wanted[job.tests], max(limit_s, SLOWER * how.seconds))
        if how.code == PASSED and not how.skipped:
            continue
        tests = wanted[job.tests]
        if len(tests) > 1:
            for test in tests:
                one = tuple(test.split())
                wanted[one] = [test]
                jobs.append(Job(copies[0], one, limit_s, (), False))
            continue
        if how.code == PASSED and how.passed:
            continue  # of several, some are skipped here
        found[tests[0]] = "skipped" if how.code == PASSED else "broken"
        why = "too slow" if how.code is None else "skipped" if how.code == PASSED else f"exit code {how.code}"
        print(f"does not pass without a mutant: {tests[0]} ({why})", flush=True)
        print((job.copy / "output").read_text(errors="replace")[-2000:])
    return found, limits_s


def digest_of(mutant: Mutant) -> str:
    """Of what a result hangs on first: the entry, the mutated file, the files of its tests."""
    digest = hashlib.sha256(repr((mutant.file, mutant.text, mutant.replacement, mutant.test)).encode())
    for name in dict.fromkeys((mutant.file, *(test.partition("::")[0] for test in mutant.test.split()))):
        with contextlib.suppress(OSError):
            digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def killed_before() -> set[str]:
    with contextlib.suppress(OSError, ValueError):
        return {row["digest"] for row in map(json.loads, RESULTS.read_text().splitlines()) if row["word"] in KILLED}
    return set()


def show(number: int, count: int, word: str, seconds: float, mutant: Mutant) -> None:
    print(f"[{number}/{count}] {word:14} {seconds:5.1f} s  {mutant.name:16} {mutant.file}  {mutant.test}", flush=True)
    if word not in KILLED:
        print(f"    {mutant.text!r}\n -> {mutant.replacement!r}", flush=True)


def is_fitting(mutant: Mutant) -> bool:
    try:
        mutant.apply((ROOT / mutant.file).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


def is_asked_for(mutant: Mutant, pattern: str) -> bool:
    return any(pattern in text or fnmatch.fnmatchcase(text, pattern) for text in (mutant.name, mutant.file, mutant.test))


def run_mutants(mutants: list[Mutant], copies: list[Path], limit_s: float, is_baseline_wanted: bool) -> Counter[str]:
    words: Counter[str] = Counter()
    stale = {mutant.name for mutant in mutants if not is_fitting(mutant)}
    fitting = [mutant for mutant in mutants if mutant.name not in stale]
    bad, limits_s = unfit(fitting, copies, limit_s) if is_baseline_wanted else ({}, {})
    jobs = []
    for mutant in mutants:
        word = "stale" if mutant.name in stale else bad.get(mutant.test)
        if word is None:
            jobs.append(Job(copies[0], tuple(mutant.test.split()), limits_s.get(mutant.test, limit_s), (mutant,), True))
            continue
        words[word] += 1
        show(words.total(), len(mutants), word, 0.0, mutant)
    with open(RESULTS, "a", encoding="utf-8") as results:
        for job, how in run_all(jobs, copies):
            [mutant] = job.mutants
            words[how.word] += 1
            show(words.total(), len(mutants), how.word, how.seconds, mutant)
            if how.word == "broken":
                print((job.copy / "output").read_text(errors="replace")[-1500:], flush=True)
            row = {"mutant": mutant.name, "digest": digest_of(mutant), "word": how.word, "seconds": round(how.seconds, 1)}
            results.write(json.dumps(row) + "\n")
            results.flush()
    return words


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="mutants whose name, file or test holds or matches this", default="", metavar="PATTERN")
    parser.add_argument("--name", action="append", help="this mutant; may be given several times")
    parser.add_argument("--sample", type=int, help="so many of them, drawn by the day")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument(
        "--limit", type=float, default=120, help="seconds for each run; a mutant that makes tests hang is killed"
    )
    parser.add_argument("--no-baseline", action="store_true", help="trust that the tests pass without a mutant")
    parser.add_argument(
        "--resume", action="store_true",
        help=f"leave out what {RESULTS.name} says was killed, with the same mutated file and the same files of tests",
    )  # fmt: skip
    given = parser.parse_args(arguments)
    mutants = [mutant for mutant in load() if is_asked_for(mutant, given.only)]
    if given.name:
        mutants = [mutant for mutant in mutants if mutant.name in given.name]
    if given.sample is not None:
        mutants = random.Random(time.strftime("%F")).sample(mutants, min(given.sample, len(mutants)))
    if not mutants:
        print("no such mutant")
        return 2
    known = killed_before() if given.resume else set()
    left = [mutant for mutant in mutants if digest_of(mutant) not in known]
    left.sort(key=lambda mutant: (mutant.number, mutant.area))  # a run that is cut short has seen every area
    words: Counter[str] = Counter({"killed before": len(mutants) - len(left)} if len(left) < len(mutants) else {})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # runs under way end, copies go
    for name in IMPORTED:
        importlib.import_module(name)
    for plugin in importlib.metadata.entry_points(group="pytest11"):
        plugin.load()
    gc.freeze()  # pytest collects garbage at its end, and need not walk through all this
    began = time.monotonic()
    if left:
        with tempfile.TemporaryDirectory(prefix="reexec-mutants-") as name:
            folder = Path(name)
            folder.chmod(0o755)
            first = copy_tree(folder / "0")
            compileall.compile_dir(first, quiet=2, workers=1)
            copies = [first]
            for number in range(1, max(1, min(given.jobs, len(left)))):
                shutil.copytree(first, folder / str(number), symlinks=True)
                copies.append(folder / str(number))
            words += run_mutants(left, copies, given.limit, not given.no_baseline)
    counts = ", ".join(f"{count} {word}" for word, count in sorted(words.items()))
    print(f"{len(mutants)} mutants in {time.monotonic() - began:.0f} s: {counts}")
    return 0 if all(word.startswith("killed") for word in words) else 1


if __name__ == "__main__":
    raise SystemExit(main())
