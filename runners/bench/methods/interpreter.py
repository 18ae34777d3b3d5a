"""A new interpreter for every check, as many at once as there are workers; the expected value goes into it."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

TIMEOUT_S = 5
_JUDGED = Path(__file__).with_name("judged.py").read_text()
_PROGRAM = f"{_JUDGED}\nmain(*sys.argv[1:6])\n"


def words(
    checks: Sequence[Mapping[str, Any]], prelude: str, workers: int, python: str, environment: Mapping[str, str] | None
) -> list[str]:
    def one(check: Mapping[str, Any]) -> str:
        call, expected = json.dumps(check["call"]), json.dumps(check["expected"])
        command = [python, "-s", "-c", _PROGRAM, prelude, check["source"], check["entry"], call, expected]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=environment and dict(environment)
            )
        except subprocess.TimeoutExpired:
            return "wall-limit"
        return (done.stdout.splitlines() or ["runtime-error"])[-1]

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(one, checks))
