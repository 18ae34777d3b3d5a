"""The tests, each file in a process of its own: for a host that allows a process too few addresses for all of them at once.

.venv/bin/python scripts/test_by_file.py [ARGUMENT OF PYTEST ...]
"""

import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILE_S = 900
NO_TESTS = 5
_COUNT = re.compile(r"(\d+) (passed|failed|skipped|errors?)\b")


def main() -> int:
    total: Counter[str] = Counter()
    broken = []
    files = sorted(ROOT.glob("tests/**/test_*.py"))
    for number, file in enumerate(files, 1):
        name = str(file.relative_to(ROOT))
        began = time.monotonic()
        code, text = run(name)
        if code < 0:  # a native library out of addresses takes the whole process along; what repeats itself is a failure
            print(f"{name}: ended by signal {-code}; once more", flush=True)
            code, text = run(name)
        last = next((line for line in reversed(text.splitlines()) if _COUNT.search(line)), "")
        counts = {word.rstrip("s") if word.startswith("error") else word: int(n) for n, word in _COUNT.findall(last)}
        total.update(counts)
        print(
            f"[{number}/{len(files)}] {name}: {last.strip('= ') or f'exit {code}'} ({time.monotonic() - began:.0f} s)",
            flush=True,
        )
        if code not in (0, NO_TESTS):
            broken.append(name)
            print(text, flush=True)
    failed = total["failed"] + total["error"]
    for name in broken:
        print("failed:", name)
    print(f"{total['passed']} passed, {max(failed, len(broken))} failed, {total['skipped']} skipped")
    return 1 if broken else 0


def run(name: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-q", "--tb=native", name, *sys.argv[1:]]
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1"}
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, timeout=FILE_S, check=False)
    except subprocess.TimeoutExpired as error:
        return 1, f"{error.stdout!r}\nnot done after {FILE_S} s"
    return done.returncode, done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(main())
