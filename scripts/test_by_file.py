"""The tests, each file in a process of its own, unit tests together in one: for a host that allows a process too few addresses
for all of them at once, and to run several files at the same time.

.venv/bin/python scripts/test_by_file.py [FILE|FOLDER ...] [OPTION OF PYTEST ...]

JOBS in the environment says how many files run at the same time (1), FILE_S how many seconds one may take (900). Files that
measure load run alone, after the others.
"""

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILE_S = float(os.environ.get("FILE_S") or 900)
NO_TESTS = 5
SLOWEST = 10
ALONE = (
    "tests/reliability/",
    "tests/e2e/test_determinism.py",
    "tests/integration/test_load.py",
    "tests/integration/test_fairness.py",
    "tests/integration/test_bench",
    "tests/integration/test_twelve_faults.py",
)
TOGETHER = (ROOT / "tests" / "unit",)
"""Folders whose files share a process: they are many, and what they take is mostly its start."""
_COUNT = re.compile(r"(\d+) (passed|failed|skipped|errors?)\b")
_DURATION = re.compile(r"^([\d.]+)s (?:setup|call|teardown) +(\S.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Done:
    name: str
    code: int
    text: str
    wall_s: float

    @property
    def last_line(self) -> str:
        found = next((line for line in reversed(self.text.splitlines()) if _COUNT.search(line)), "")
        return found.strip("= ") or f"exit {self.code}"


def main() -> int:
    paths = [argument for argument in sys.argv[1:] if argument and (ROOT / argument).exists()]
    options = [argument for argument in sys.argv[1:] if argument not in paths]
    files = sorted({str(file.relative_to(ROOT)) for path in paths or ["tests"] for file in found_in(ROOT / path)})
    total: Counter[str] = Counter()
    times: list[tuple[float, str]] = []
    broken = []
    for number, done in enumerate(run_all(files, options, int(os.environ.get("JOBS") or 1)), 1):
        counts = {word.rstrip("s") if word.startswith("error") else word: int(n) for n, word in _COUNT.findall(done.last_line)}
        total.update(counts)
        times += [(float(seconds), test) for seconds, test in _DURATION.findall(done.text)]
        print(f"[{number}/{len(files)}] {done.name}: {done.last_line} ({done.wall_s:.0f} s)", flush=True)
        if done.code not in (0, NO_TESTS):
            broken.append(done.name)
            print(done.text, flush=True)
    print(f"the {SLOWEST} slowest tests:")
    for seconds, test in sorted(times, reverse=True)[:SLOWEST]:
        print(f"{seconds:7.1f} s  {test}")
    failed = total["failed"] + total["error"]
    for name in broken:
        print("failed:", name)
    print(f"{total['passed']} passed, {max(failed, len(broken))} failed, {total['skipped']} skipped")
    return 1 if broken else 0


def found_in(path: Path) -> set[Path]:
    """Files, and folders of `TOGETHER` in their place."""
    if path.is_file():
        return {path}
    return {next((folder for folder in TOGETHER if folder in file.parents), file) for file in path.glob("**/test_*.py")}


def run_all(files: list[str], options: list[str], jobs: int) -> Iterator[Done]:
    """As they are done."""
    alone = [name for name in files if jobs == 1 or name.startswith(ALONE)]
    with ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(run, name, options) for name in files if name not in alone]
        yield from (future.result() for future in as_completed(waiting))
    yield from (run(name, options) for name in alone)


def run(name: str, options: list[str]) -> Done:
    command = [sys.executable, "-m", "pytest", "-q", "--tb=native", f"--durations={SLOWEST}", name, *options]
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1"}
    began = time.monotonic()
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, timeout=FILE_S, check=False)
        code, text = done.returncode, done.stdout + done.stderr
    except subprocess.TimeoutExpired as error:
        code, text = 1, f"{error.stdout!r}\nnot done after {FILE_S} s"
    return Done(name, code, text, time.monotonic() - began)


if __name__ == "__main__":
    sys.exit(main())
