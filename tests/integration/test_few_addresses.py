"""A host that allows few addresses (`ulimit -Hv`): a check gets what its policy says, or the executor does not start."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

_IN_A_PROCESS = """
import resource, sys
from reexec import Executor, Program, ReexecError, load_policy

def limited(address_bytes):
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if hard != resource.RLIM_INFINITY:
        address_bytes = min(hard, address_bytes)
    resource.setrlimit(resource.RLIMIT_AS, (address_bytes, address_bytes))

def policy(memory):
    return load_policy("codeio", settings=("warm=[]", "prelude=[]", f"limits.memory_bytes={memory}"))

limited(400 << 20)
"""


def in_a_process(body: str) -> str:
    command = [sys.executable, "-c", _IN_A_PROCESS + body]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_more_memory_than_the_host_allows_is_refused_with_what_it_allows() -> None:
    said = in_a_process(
        """
try:
    Executor(policy("1GiB"), workers=1)
except ReexecError as error:
    print(error)
"""
    )
    assert said.count("limits.memory_bytes is 1024 MiB, and the limit on addresses here (ulimit -Hv) leaves") == 1
    assert "or export REEXEC_POLICY=limits.memory_bytes=192MiB for all" in said
    assert "isolation.lowest" not in said  # a weaker isolation would give no more


@pytest.mark.parametrize(("mebibytes", "word"), [(100, "value"), (160, "memory-limit")])
def test_below_that_a_check_gets_what_its_policy_says(mebibytes: int, word: str) -> None:
    said = in_a_process(
        f"""
program = Program("def f(n):\\n    return len(bytearray(n))", "f")
with Executor(policy("128MiB"), workers=1) as executor:
    print(executor.submit(program, [{mebibytes} << 20]).result().kind)
"""
    )
    assert said == word


def test_a_source_that_no_worker_would_take_is_refused_by_its_size() -> None:
    said = in_a_process(
        """
try:
    Program("#" * (8 << 20), "f")
except ReexecError as error:
    print(error)
"""
    )
    assert said == "a source of 8 MiB; a worker takes at most 6 MiB"


def test_a_process_that_may_start_no_thread_is_told_so_and_no_row_is_blamed() -> None:
    said = in_a_process(
        """
import os, threading
threading.stack_size(512 << 20)  # more than this process may have
before = len(os.listdir("/proc/self/fd"))
try:
    Executor(policy("64MiB"), workers=1)
except ReexecError as error:
    print(type(error).__name__, error)
print(len(os.listdir("/proc/self/fd")) - before)
"""
    )
    first, last = said.splitlines()
    assert first.startswith("EngineError this process may start no thread")
    assert last == "0"
