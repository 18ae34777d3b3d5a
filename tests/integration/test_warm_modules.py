"""Modules that a worker keeps loaded must leave it able to fork, whatever else they load by themselves."""

import importlib.util

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
