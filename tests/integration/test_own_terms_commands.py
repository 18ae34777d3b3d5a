"""Own limits and files of programs in other languages, and turns between those who run them."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from reexec import CallLimits, Command, CommandExecutor, Files, Outcome, UsageError, load_policy
from reexec.engine.commands.executor import CommandFuture
from reexec.engine.commands.probe import find
from reexec.engine.commands.toolchain import toolchain_named
from tests.conftest import lacking

MIB = 1 << 20


@pytest.fixture(scope="module")
def executor() -> Iterator[CommandExecutor]:
    compiles = load_policy("compile", environment=os.environ)
    with CommandExecutor(load_policy("serve", environment=os.environ), workers=1, compile_policy=compiles) as made:
        yield made


def bash(executor: CommandExecutor, source: str, **more: Any) -> Outcome:
    return executor.submit(Command(source, "bash"), "", **more).result(60)


def c(executor: CommandExecutor, source: str, **more: Any) -> Outcome:
    try:
        find(toolchain_named("c"))
    except UsageError as error:
        lacking(str(error))
    return executor.submit(Command(source, "c"), "", **more).result(120)


def test_lower_limits_on_time_have_the_policys_words(executor: CommandExecutor) -> None:
    spins = bash(executor, "while :; do :; done", limits=CallLimits(cpu_s=0.3))
    assert spins.kind == "cpu-limit"
    assert spins.usage.cpu_s < 5, "the policy's own limit is 10 s"
    asleep = bash(executor, "echo so far; sleep 8", limits=CallLimits(idle_s=0.3))
    assert asleep.kind == "wall-limit", "the policy's own limit is 10 s"


def test_time_of_children_is_bounded_as_well(executor: CommandExecutor) -> None:
    found = bash(executor, "(while :; do :; done) & (while :; do :; done) & wait", limits=CallLimits(cpu_s=0.5, idle_s=0.5))
    assert found.kind in ("cpu-limit", "wall-limit")
    assert found.usage.wall_s < 9


FILLS = """
#include <stdlib.h>
#include <stdio.h>
int main(void) {
    volatile char *p = malloc(100 << 20);
    if (!p) { puts("told"); return 7; }
    for (long i = 0; i < 100 << 20; i += 4096) p[i] = 1;
    printf("%d\\n", p[4096]);
}
"""


def test_a_lower_limit_on_memory_is_held_while_a_program_runs(executor: CommandExecutor) -> None:
    assert c(executor, FILLS).stdout == "1\n"
    found = c(executor, FILLS, limits=CallLimits(memory_bytes=40 * MIB))
    assert found.kind == "memory-limit" or (found.value, found.stdout) == (7, "told\n"), found
    assert c(executor, FILLS).stdout == "1\n", "the next program has the policy's limit"


def test_a_compilation_has_limits_of_its_own_and_is_not_spoiled_for_others(executor: CommandExecutor) -> None:
    source = f"/* {time.monotonic_ns()} */ int main(void) {{ return 3; }}"
    short = c(executor, source, compile_limits=CallLimits(cpu_s=0.0005, idle_s=0.0005))
    assert (short.kind, short.detail) in {("cpu-limit", "while compiling"), ("wall-limit", "while compiling")}
    assert c(executor, source).value == 3
    assert c(executor, source, compile_limits=CallLimits(cpu_s=1e6)).value == 3


def test_files_of_a_command(executor: CommandExecutor) -> None:
    files = Files({"d/a": b"hi\n"}, ["out", "d/a", "absent"])
    future = executor.submit(Command("cat d/a; echo *; tr a-z A-Z <d/a >out", "bash"), "", files=files)
    assert future.result(60).stdout == "hi\nd\n"
    assert isinstance(future, CommandFuture)
    assert future.files() == {"out": b"HI\n", "d/a": b"hi\n"}
    assert bash(executor, "echo *").stdout == "*\n", "nothing is left for the next one"


def test_one_clients_bulk_does_not_hold_up_anothers_program(executor: CommandExecutor) -> None:
    """100 programs that sleep 0.1 s for one client, on one worker: another client's comes after one or two of them."""
    done: list[str] = []
    seen = threading.Lock()

    def note(name: str) -> Any:
        def noted(_: Future[Outcome]) -> None:
            with seen:
                done.append(name)

        return noted

    bulk = [executor.submit(Command(f"sleep 0.1; echo {n}", "bash"), "", group="bulk") for n in range(100)]
    for future in bulk:
        future.add_done_callback(note("bulk"))
    while not done:
        time.sleep(0.01)
    single = executor.submit(Command("echo one", "bash"), "", group="single")
    single.add_done_callback(note("single"))
    assert single.result(60).stdout == "one\n"
    while "single" not in done:
        time.sleep(0.01)
    before = done.index("single")
    for future in bulk:
        future.cancel()
    assert before < 50, f"{before} programs of the other client came before it"


def test_compilers_take_turns_too(executor: CommandExecutor) -> None:
    c(executor, "int main(void) { return 0; }")
    order: list[Future[Outcome]] = []
    bulk = [
        executor.submit(Command(f"/* {time.monotonic_ns()} {n} */ int main(void) {{ return 0; }}", "c"), "", group="bulk")
        for n in range(60)
    ]
    for future in bulk:
        future.add_done_callback(order.append)
    single = executor.submit(Command(f"/* {time.monotonic_ns()} */ int main(void) {{ return 9; }}", "c"), "", group="single")
    assert single.result(120).value == 9
    before = len(order)
    for future in bulk:
        future.cancel()
    assert before < 40, f"{before} of 60 compilations of the other client came before it"
