"""Runs a method in a process of its own (`python -m`): some fork, which a process with an executor's threads should not. The
prelude is imported before the clock starts, so that a fork costs them no import: the best case for them."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reexec.engine.errors import EngineError
from reexec.engine.program import Check

from . import interpreter, manager, process, service

NAMES = {
    "interpreter": "a new interpreter for every check (CodeI/O)",
    "manager": "a manager and a process for every check (CRUXEval)",
    "process": "a process for every sample (HumanEval)",
    "service": "an HTTP request for every test (SandboxFusion)",
}
TESTS_A_SAMPLE = 5


@dataclass(frozen=True, slots=True)
class Setting:
    """What all methods share with ours."""

    prelude: str
    workers: int
    python: str
    environment: Mapping[str, str] | None = None
    """Of the interpreters that a method starts; this process's where None."""


def plain(check: Check) -> dict[str, Any]:
    """As text that travels; of checks whose call is a mapping."""
    assert isinstance(check.call, Mapping)
    return {
        "source": check.program.source, "entry": check.program.entry, "call": dict(check.call), "expected": check.expected,
    }  # fmt: skip


def words_of(name: str, checks: Sequence[Check], setting: Setting) -> tuple[list[str], float]:
    """Words, one a check (of `process` one a sample of five checks in a row), and the seconds that they took.

    Raises EngineError where the method itself fails.
    """
    given = {
        "name": name, "checks": [plain(check) for check in checks],
        "prelude": setting.prelude, "workers": setting.workers, "python": setting.python,
        "environment": setting.environment and dict(setting.environment),
    }  # fmt: skip
    command = [sys.executable, "-m", __name__]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise EngineError(f"{name}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}", stage="benchmark")
    found = json.loads(done.stdout)
    return found["words"], found["elapsed_s"]


def main() -> None:
    given = json.load(sys.stdin)
    name, checks, prelude, workers = given["name"], given["checks"], given["prelude"], given["workers"]
    exec(prelude, {})
    began = time.perf_counter()
    if name == "interpreter":
        words = interpreter.words(checks, prelude, workers, given["python"], given["environment"])
    elif name == "manager":
        words = manager.words(checks, workers)
    elif name == "process":
        samples = [checks[at : at + TESTS_A_SAMPLE] for at in range(0, len(checks), TESTS_A_SAMPLE)]
        words = process.words(samples, workers)
    else:
        words = service.words(checks, prelude, workers, given["python"], given["environment"])
    json.dump({"words": words, "elapsed_s": time.perf_counter() - began}, sys.stdout)


if __name__ == "__main__":
    main()
