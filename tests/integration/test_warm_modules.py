"""Modules that a worker keeps loaded must leave it able to fork, whatever else they load by themselves."""

import importlib.util
import tempfile
import venv
from pathlib import Path

import pytest

from reexec import Executor, Program, load_policy


@pytest.mark.parametrize("name", load_policy("codeio").warm)
def test_a_program_that_names_a_warm_module_runs_and_has_its_memory(name: str) -> None:
    """pandas, for one, loads pyarrow where that is installed, and its allocators start threads and reserve addresses."""
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed for the programs")
    source = f"import {name}\ndef f(n):\n    data = bytearray(100_000_000)\n    return n + len(data) + len({name}.__name__)"
    with Executor("codeio", workers=1) as executor:
        outcome = executor.submit(Program(source, "f"), {"n": 1}).result()
    assert outcome.value == 1 + 100_000_000 + len(name), outcome.describe()


def test_threads_that_a_warm_module_starts_are_not_counted_as_a_programs() -> None:
    with tempfile.TemporaryDirectory(prefix="reexec-warm-", dir="/tmp") as folder:
        venv.create(folder, with_pip=False, symlinks=True)
        Path(folder).chmod(0o755)
        packages = next(Path(folder).glob("lib/python3*/site-packages"))
        (packages / "starts_a_thread.py").write_text(
            "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        )
        policy = load_policy("codeio", settings=['warm=["starts_a_thread"]', 'prelude=["import os"]'])
        with Executor(policy, workers=1, python=f"{folder}/bin/python") as executor:
            fine = executor.submit(Program("import starts_a_thread\ndef f():\n    return 5", "f"), []).result()
            forks = executor.submit(Program("import starts_a_thread\ndef f():\n    os.fork()", "f"), []).result()
    assert (fine.kind, fine.value) == ("value", 5), fine.describe()
    assert forks.kind == "process-limit"


def test_a_submodule_is_imported_once_for_a_worker_and_not_in_every_check() -> None:
    """The package's part burns 0.3 s of processor when it is imported; what the exercise of a package is for, it does at its
    first use."""
    with tempfile.TemporaryDirectory(prefix="reexec-warm-", dir="/tmp") as folder:
        venv.create(folder, with_pip=False, symlinks=True)
        Path(folder).chmod(0o755)
        package = next(Path(folder).glob("lib/python3*/site-packages")) / "dear"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "part.py").write_text(
            "import time\nuntil = time.process_time() + 0.3\nwhile time.process_time() < until: pass\ndef value(): return 5\n"
        )
        policy = load_policy("codeio", settings=['warm=["dear"]', 'prelude=["import os"]'])
        with Executor(policy, workers=1, python=f"{folder}/bin/python") as executor:
            program = Program("from dear import part, absent_part\ndef f(n):\n    return part.value() + n", "f")
            missing = executor.submit(program, {"n": 0}).result()
            program = Program("from dear import part\ndef f(n):\n    return part.value() + n", "f")
            outcomes = list(executor.map(program, [{"n": n} for n in range(20)]))
    assert missing.exception is not None
    assert missing.exception.type == "ImportError"
    assert [outcome.value for outcome in outcomes] == [5 + n for n in range(20)]
    assert max(outcome.usage.cpu_s for outcome in outcomes) < 0.15
