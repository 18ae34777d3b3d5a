"""Applies each mutant in a copy of the tree and runs its test there; fails when one survives.

    python -m tests.mutants.run [--only WORD] [--name NAME] [--sample N] [--jobs N] [--limit SECONDS]

The interpreter starts once: it imports what tests need but nothing of this project, and forks for every run. Copies are made
once for each job. First every test runs without a mutant, because a test that fails anyway kills nothing.
"""

import argparse
import compileall
import contextlib
import importlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.table import ROOT, Mutant, load

COPIED = ("cli", "engine", "examples", "policies", "runners", "src", "tests", "benchmarks", "scripts", "docs", "pyproject.toml")
IMPORTED = (
    "pytest", "hypothesis", "hypothesis.strategies", "numpy", "pydantic", "msgpack", "psutil", "rich.console", "rich.table",
    "typer", "concurrent.futures", "asyncio", "sqlite3", "http.server", "unittest.mock",
)  # fmt: skip
ARGUMENTS = (
    "-q", "-x", "-p", "no:cacheprovider", "--no-header", "-rN", "-m", "", "-W", "ignore:Module already imported",
)  # fmt: skip
PASSED, FAILED = 0, 1  # pytest's exit codes; any other is a mistake in the table
WORDS = {PASSED: "survived", FAILED: "killed"}
NEWER_S = 10  # a mutated file is newer than its bytecode by that much


@dataclass
class Run:
    """One test run, in a process and a copy of its own."""

    mutant: Mutant
    copy: Path
    pid: int
    since: float
    original: str
    times: tuple[int, int]


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


def fork_pytest(copy: Path, tests: Iterable[str], output: Path) -> int:
    """The pid of a process that runs `tests` in `copy`, at the head of a process group, and exits with pytest's code."""
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        os.setpgid(0, 0)
        with open(output, "wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        os.chdir(copy)
        sys.dont_write_bytecode = True
        sys.path[:] = [str(copy / "src"), str(copy), *(entry for entry in sys.path if not entry.startswith(str(ROOT) + "/src"))]
        sys.path[:] = [entry for entry in sys.path if entry not in ("", str(ROOT))]
        os.environ["PYTHONPATH"] = f"{copy / 'src'}{os.pathsep}{copy}"  # for the commands that tests start
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        for name in [name for name in sys.modules if name.partition(".")[0] in ("tests", "reexec")]:
            del sys.modules[name]
        import pytest

        code = int(pytest.main([*ARGUMENTS, *tests]))
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def run_baseline(copy: Path, mutants: list[Mutant], limit_s: float) -> list[str]:
    """The tests that do not pass without a mutant. All together, which is faster; one by one where something is wrong."""
    tests = sorted({mutant.test for mutant in mutants})
    pid = fork_pytest(copy, dict.fromkeys(" ".join(tests).split()), copy / "output")
    status, took = wait(pid, 20 * limit_s)
    end(pid)
    if status == PASSED:
        print(f"all tests pass without a mutant, {took:.0f} s", flush=True)
        return []
    broken = []
    for test in tests:
        pid = fork_pytest(copy, test.split(), copy / "output")
        status, _ = wait(pid, limit_s)
        end(pid)
        if status != PASSED:
            broken.append(test)
            print(f"does not pass without a mutant: {test} ({'too slow' if status is None else f'exit code {status}'})")
            print((copy / "output").read_text(errors="replace")[-2000:])
    return broken


def wait(pid: int, limit_s: float) -> tuple[int | None, float]:
    """The exit code, None where it did not end in time, and the seconds that it took."""
    since = time.monotonic()
    while time.monotonic() - since < limit_s:
        got, status = os.waitpid(pid, os.WNOHANG)
        if got:
            return os.waitstatus_to_exitcode(status), time.monotonic() - since
        time.sleep(0.02)
    end(pid)
    os.waitpid(pid, 0)
    return None, limit_s


def begin(mutant: Mutant, copy: Path) -> Run:
    path = copy / mutant.file
    was, original = path.stat(), path.read_text(encoding="utf-8")
    path.write_text(mutant.apply(original), encoding="utf-8")
    newer = was.st_mtime + NEWER_S
    os.utime(path, (newer, newer))
    pid = fork_pytest(copy, mutant.test.split(), copy / "output")
    return Run(mutant, copy, pid, time.monotonic(), original, (was.st_atime_ns, was.st_mtime_ns))


def restore(run: Run) -> None:
    path = run.copy / run.mutant.file
    path.write_text(run.original, encoding="utf-8")
    os.utime(path, ns=run.times)


def run_all(mutants: list[Mutant], copies: list[Path], limit_s: float) -> Counter[str]:
    words: Counter[str] = Counter()
    in_turn = sorted(mutants, key=lambda mutant: (mutant.number, mutant.area))  # a run that is cut short has seen every area
    waiting, free, running = in_turn[::-1], list(copies), list[Run]()
    while waiting or running:
        while waiting and free:
            running.append(begin(waiting.pop(), free.pop()))
        time.sleep(0.02)
        for run in list(running):
            got, status = os.waitpid(run.pid, os.WNOHANG)
            took = time.monotonic() - run.since
            if not got and took < limit_s:
                continue
            end(run.pid)
            if not got:
                os.waitpid(run.pid, 0)
            word = WORDS.get(os.waitstatus_to_exitcode(status), "broken") if got else "killed (time)"
            words[word] += 1
            mutant = run.mutant
            print(f"{word:14} {took:5.1f} s  {mutant.name:16} {mutant.file}  {mutant.test}", flush=True)
            if word in ("survived", "broken"):
                print(f"    {mutant.text!r}\n -> {mutant.replacement!r}")
                if word == "broken":
                    print((run.copy / "output").read_text(errors="replace")[-1500:])
            restore(run)
            running.remove(run)
            free.append(run.copy)
    return words


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="mutants whose name or file holds this word", default="")
    parser.add_argument("--name", action="append", help="this mutant; may be given several times")
    parser.add_argument("--sample", type=int, help="so many of them, drawn by the day")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument(
        "--limit", type=float, default=120, help="seconds for each run; a mutant that makes tests hang is killed"
    )
    parser.add_argument("--no-baseline", action="store_true", help="trust that the tests pass without a mutant")
    given = parser.parse_args(arguments)
    mutants = [mutant for mutant in load() if given.only in mutant.name or given.only in mutant.file]
    if given.name:
        mutants = [mutant for mutant in mutants if mutant.name in given.name]
    if given.sample is not None:
        mutants = random.Random(time.strftime("%F")).sample(mutants, min(given.sample, len(mutants)))
    for name in IMPORTED:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory(prefix="reexec-mutants-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        first = copy_tree(folder / "0")
        compileall.compile_dir(first, quiet=2, workers=1)
        copies = [first]
        for number in range(1, max(1, min(given.jobs, len(mutants)))):
            shutil.copytree(first, folder / str(number), symlinks=True)
            copies.append(folder / str(number))
        broken = [] if given.no_baseline else run_baseline(first, mutants, 4 * given.limit)
        words = run_all(mutants, copies, given.limit)
    print(", ".join(f"{count} {word}" for word, count in sorted(words.items())) or "no mutants")
    return 1 if broken or words["survived"] or words["broken"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
