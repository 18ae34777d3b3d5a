"""An independent replay of many recorded pairs, exact: one plain interpreter for each of three hash seeds, a fork for every
call, nothing of the engine in between. The same interpreter runs thousands of calls, so that a whole file is feasible.

    python tests/support/plain_pairs.py FUNCTIONS.jsonl REPORT.jsonl [--processes 2] [--python PATH]

Writes a row for every pair that does not give the recorded output, byte for byte as JSON with sorted keys, under every seed,
and prints the counts.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HASH_SEEDS = ("0", "1", "2")

MAIN = r"""
import json, os, select, signal, sys, time, types
prelude, timeout_s = json.loads(sys.stdin.readline())
space = {}
for line in prelude:
    try:
        exec(line, space)
    except ImportError:
        pass
dumps, write = json.dumps, os.write

def child(call, fd):
    module = sys.modules["program"] = types.ModuleType("program")
    names = vars(module)
    names.update({k: v for k, v in space.items() if k != "__builtins__"})
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    exec(compile(call["source"], "program.py", "exec"), names)
    value = names[call["entry"]](**call["input"])
    data = dumps(value, default=lambda v: v.tolist()).encode()
    while data:
        data = data[write(fd, data):]

for line in sys.stdin:
    call = json.loads(line)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(reading)
            child(call, writing)
            code = 0
        except BaseException as error:
            write(writing, ("!" + type(error).__name__ + ": " + str(error)[:200]).encode("utf-8", "replace"))
        finally:
            os._exit(code)
    os.close(writing)
    data, end = b"", time.monotonic() + timeout_s
    while True:
        ready, _, _ = select.select([reading], [], [], max(0, end - time.monotonic()))
        chunk = os.read(reading, 65536) if ready else None
        if not chunk:
            break
        data += chunk
    if chunk is None:
        os.kill(pid, signal.SIGKILL)
        data = b"!timeout"
    os.close(reading)
    _, status = os.waitpid(pid, 0)
    text = data.decode("utf-8", "replace")
    if status and not text.startswith("!"):
        text = "!status %d" % status
    print(json.dumps([call["at"], text]), flush=True)
"""


def calls_of(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"at": [itemid, ioid], "source": row["refcode"], "entry": row["funcname"], "input": pair["input"]}
        for itemid, row in enumerate(rows)
        for ioid, pair in enumerate(row["ios"])
    ]


def run(python: str, prelude: list[str], calls: list[dict[str, Any]], hash_seed: str, timeout_s: float) -> dict[str, str]:
    """What each call gave, by its place: JSON text, or `!` and what went wrong."""
    lines = [json.dumps([prelude, timeout_s]), *(json.dumps(call) for call in calls)]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [python, "-c", MAIN],
            input="\n".join(lines) + "\n",
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=folder,
            check=False,
            env={"PYTHONHASHSEED": hash_seed, "PATH": "/usr/bin:/bin", "OPENBLAS_NUM_THREADS": "1", "HOME": folder},
        )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return {f"{at[0]}/{at[1]}": text for at, text in answers}


def same(text: str, expected: Any) -> bool:
    """Exactly the same JSON, keys in any order."""
    if text.startswith("!"):
        return False
    return json.dumps(json.loads(text), sort_keys=True) == json.dumps(expected, sort_keys=True)


def replay(
    functions: list[dict[str, Any]], python: str, prelude: list[str], *, processes: int = 2, timeout_s: float = 30
) -> list[dict[str, Any]]:
    """The pairs that some seed did not give the recorded output for."""
    calls = calls_of(functions)
    shares = [(seed, calls[part::processes]) for seed in HASH_SEEDS for part in range(processes)]
    with ThreadPoolExecutor(processes) as pool:
        found = list(pool.map(lambda share: (share[0], run(python, prelude, share[1], share[0], timeout_s)), shares))
    failed = []
    for call in calls:
        itemid, ioid = call["at"]
        expected = functions[itemid]["ios"][ioid]["output"]
        runs = {seed: answers[f"{itemid}/{ioid}"] for seed, answers in found if f"{itemid}/{ioid}" in answers}
        if len(runs) != len(HASH_SEEDS) or not all(same(text, expected) for text in runs.values()):
            failed.append({"itemid": itemid, "ioid": ioid, "expected": expected, "runs": runs})
    return failed


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("functions", type=Path)
    parser.add_argument("report", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--python", default=sys.executable)
    arguments = parser.parse_args()
    preset = Path(__file__).parents[2] / "policies" / "presets" / "codeio.toml"
    rows = [json.loads(line) for line in arguments.functions.read_text().splitlines() if line.strip()]
    prelude = tomllib.loads(preset.read_text())["prelude"]
    failed = replay(rows, arguments.python, prelude, processes=arguments.processes)
    arguments.report.write_text("".join(json.dumps(row) + "\n" for row in failed))
    pairs = sum(len(row["ios"]) for row in rows)
    print(f"{pairs} pairs of {len(rows)} functions, {pairs - len(failed)} reproduce under {len(HASH_SEEDS)} hash seeds")


if __name__ == "__main__":
    main()
