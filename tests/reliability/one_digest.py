"""One digest, however it is run: the same predictions under every execution, with and without a cache, with 1, 2 and 4 workers,
on a machine with and without load.

    python -m tests.reliability.one_digest [RESPONSES FUNCTIONS]          (`make digest`)

Without files it takes the bundled examples, and CodeI/O's sample too where `../shared/data` is there. Every run writes its
files into a folder of its own; a cache is met cold, then warm. Prints a line a run and ends with exit 1 where a byte differs.
54 runs; `--short` gives each execution one number of workers without load and another with it: 18 runs.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext
from hashlib import sha256
from itertools import product
from pathlib import Path

from tests.reliability.load import labelled_rows
from tests.support.busy import busy, busy_cores
from tests.support.helpers import FUNCTIONS, RESPONSES, reexec_cold
from tests.support.sample import SAMPLE

EXECUTIONS = ("call", "auto", "batch")
WORKERS = (2, 1, 4)
PER_CORE = 8
SAMPLE_ROWS = 2000
ROOMY = ("--set", "limits.cpu_s=2", "--set", "limits.idle_s=1")  # runaways of the examples cost their limit in every run


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="*", type=Path, help="responses and their functions")
    parser.add_argument("--short", action="store_true")
    arguments = parser.parse_args()
    if len(arguments.files) not in (0, 2):
        parser.error("give two files, responses and functions, or none")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        same = True
        for title, responses, functions in data(folder, arguments.files):
            digests = set(runs(folder / title, responses, functions, short=arguments.short))
            print(json.dumps({"data": title, "digests": len(digests)}), flush=True)
            same = same and len(digests) == 1
    return 0 if same else 1


def data(folder: Path, files: list[Path]) -> Iterator[tuple[str, Path, Path]]:
    """(title, responses, functions)"""
    if files:
        yield files[0].stem, files[0], files[1]
        return
    yield "examples", RESPONSES, FUNCTIONS
    if SAMPLE.is_file():
        functions, responses = labelled_rows(folder, SAMPLE_ROWS)
        yield "sample", responses, functions


def runs(folder: Path, responses: Path, functions: Path, *, short: bool) -> Iterator[str]:
    """The digest of each run; what it was, its seconds and its digest are printed."""
    folder.mkdir()
    for loaded in (False, True):
        with busy(busy_cores(PER_CORE)) if loaded else nullcontext():
            for (row, execution), (column, workers) in product(enumerate(EXECUTIONS), enumerate(WORKERS)):
                if short and column != (row + loaded) % len(WORKERS):
                    continue
                name = f"{execution}-{workers}-{'loaded' if loaded else 'idle'}"
                for cache in ("off", "cold", "warm"):
                    kept = "off" if cache == "off" else str(folder / f"cache-{name}")
                    options = ["-w", str(workers), "--cache", kept, "--set", f"execution={execution}", *ROOMY]
                    began = time.monotonic()
                    digest = verified(folder / f"{name}-{cache}", responses, functions, options)
                    told = {"execution": execution, "workers": workers, "load": loaded, "cache": cache}
                    print(json.dumps({**told, "seconds": round(time.monotonic() - began, 1), "digest": digest}), flush=True)
                    yield digest


def verified(place: Path, responses: Path, functions: Path, options: list[str]) -> str:
    """The digest of every file that one run of `verify` writes but its manifest."""
    place.mkdir()
    command = ["verify", str(responses), "-f", str(functions), "-o", str(place / "verified.jsonl"), *options]
    done = reexec_cold(*command, timeout=3600)
    if done.code not in (0, 1):
        sys.exit(f"exit {done.code} of reexec {' '.join(command)}\n{done.err}")
    total = sha256()
    for path in sorted(place.glob("*.jsonl")):
        content = path.read_bytes()
        total.update(f"{path.name} {len(content)}\n".encode())
        total.update(content)
    return total.hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
