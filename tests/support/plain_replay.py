"""An independent replay of recorded pairs, for comparison with `reexec audit`: a fresh interpreter for every call, under
three hash seeds, nothing of the engine in between. Slow and simple on purpose.

    python tests/support/plain_replay.py FUNCTIONS.jsonl REPLAY.jsonl [--processes 2] [--python PATH]

Writes a row a pair: itemid, ioid, reproducible, and what each run gave. A pair is reproducible where all three runs
return the recorded output, under CodeI/O's rule for floats.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HASH_SEEDS = ("0", "1", "2")
TIMEOUT_S = 60

MAIN = """
import json as _json, sys as _sys, types as _types
_call = _json.loads(_sys.stdin.read())
_module = _sys.modules["program"] = _types.ModuleType("program")  # dataclasses look their module up
_names = vars(_module)
exec(compile(_call["prelude"], "prelude", "exec"), _names)
exec(compile(_call["source"], "program.py", "exec"), _names)
_value = _names[_call["entry"]](**_call["input"])
_sys.__stdout__.write("\\n" + _json.dumps(_value, default=lambda v: v.tolist()) + "\\n")
"""


def prelude_for(source: str, statements: list[str]) -> str:
    """The policy's prelude; numpy only where the program says its name, which saves half of the time."""
    kept = [line for line in statements if "numpy" not in line or "np" in source or "numpy" in source]
    return "\n".join(kept)


def same(actual: Any, expected: Any) -> bool:
    if isinstance(actual, bool) or isinstance(expected, bool) or actual is None or expected is None:
        return type(actual) is type(expected) and actual == expected
    if isinstance(actual, float) or isinstance(expected, float):
        if not (isinstance(actual, int | float) and isinstance(expected, int | float)):
            return False
        if actual == expected or (actual != actual and expected != expected):
            return True
        try:
            return abs(actual - expected) <= 1e-3 * abs(expected) and int(actual) == int(expected)
        except (OverflowError, ValueError):
            return False
    if isinstance(actual, list) and isinstance(expected, list):
        return len(actual) == len(expected) and all(map(same, actual, expected))
    if isinstance(actual, dict) and isinstance(expected, dict):
        return actual.keys() == expected.keys() and all(same(actual[key], expected[key]) for key in expected)
    return type(actual) is type(expected) and actual == expected


def run(python: str, call: dict[str, Any], hash_seed: str, timeout_s: float = TIMEOUT_S) -> tuple[str, Any]:
    """("value", it) or ("failed", the last line of stderr)."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                [python, "-c", MAIN],
                input=json.dumps(call).encode(),
                capture_output=True,
                timeout=timeout_s,
                cwd=folder,
                check=False,
                env={"PYTHONHASHSEED": hash_seed, "PATH": "/usr/bin:/bin", "OPENBLAS_NUM_THREADS": "1", "HOME": folder},
            )
        except subprocess.TimeoutExpired:
            return "failed", "timeout"
    if done.returncode != 0:
        return "failed", (done.stderr.decode("utf-8", "replace").strip().splitlines() or ["?"])[-1][:300]
    try:
        return "value", json.loads(done.stdout.decode().strip().splitlines()[-1])
    except (ValueError, IndexError, UnicodeDecodeError):
        return "failed", "no JSON"


def replay(python: str, statements: list[str], row: dict[str, Any], itemid: int, ioid: int) -> dict[str, Any]:
    pair = row["ios"][ioid]
    call = {
        "source": row["refcode"],
        "entry": row["funcname"],
        "input": pair["input"],
        "prelude": prelude_for(row["refcode"], statements),
    }
    results = []
    for seed in HASH_SEEDS:
        results.append(run(python, call, seed))
        if results[-1][0] == "failed":
            break
    good = all(kind == "value" and same(value, pair["output"]) for kind, value in results)
    short = [[kind, value if good or len(json.dumps(value)) < 500 else "..."] for kind, value in results]
    return {"itemid": itemid, "ioid": ioid, "reproducible": good, "runs": short}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("functions", type=Path)
    parser.add_argument("report", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--prelude", type=Path, help="a TOML file with `prelude`, as a policy has it")
    arguments = parser.parse_args()
    import tomllib

    preset = arguments.prelude or Path(__file__).parents[2] / "policies" / "presets" / "codeio.toml"
    statements = tomllib.loads(preset.read_text())["prelude"]
    rows = [json.loads(line) for line in arguments.functions.read_text().splitlines() if line.strip()]
    with ThreadPoolExecutor(arguments.processes) as pool, open(arguments.report, "w") as out:
        futures = [
            pool.submit(replay, arguments.python, statements, row, itemid, ioid)
            for itemid, row in enumerate(rows)
            for ioid in range(len(row["ios"]))
        ]
        for future in futures:
            out.write(json.dumps(future.result()) + "\n")


if __name__ == "__main__":
    main()
