"""What programs print: kept up to the policy's cap, never in the way of the verdict."""

from collections.abc import Iterator

import pytest

from reexec import Executor, Outcome, Program, load_policy

CAP = 200_000


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor(load_policy("codeio", settings=[f"limits.capture_bytes={CAP}", "limits.cpu_s=1"]), workers=1) as made:
        yield made


def run(executor: Executor, body: str) -> Outcome:
    source = "import os, sys\ndef f():\n" + "".join(f"    {line}\n" for line in body.splitlines())
    return executor.submit(Program(source, "f"), []).result(60)


@pytest.mark.parametrize(
    ("body", "stdout", "stderr"),
    [
        ("print('one'); print('two', file=sys.stderr); return 1", "one\n", "two\n"),
        ("os.write(1, b'a\\xffb'); return 1", "a\ufffdb", ""),
        ("sys.stdout.write('no newline'); return 1", "no newline", ""),
        ("os.write(1, b'x' * 200000); os.write(2, b'y' * 200000); return 1", "x" * CAP, "y" * CAP),
        ("sys.stdout = None; os.write(1, b'z'); return 1", "z", ""),
        ("os.close(1); os.close(2); return 1", "", ""),
        ("return 1", "", ""),
    ],
)
def test_prints_are_kept_beside_the_value(executor: Executor, body: str, stdout: str, stderr: str) -> None:
    outcome = run(executor, body)
    assert (outcome.kind, outcome.value) == ("value", 1)
    assert (outcome.stdout, outcome.stderr) == (stdout, stderr)


def test_prints_before_an_exception_an_exit_and_a_limit_are_kept(executor: Executor) -> None:
    assert run(executor, "print('so far')\nraise KeyError('k')").stdout == "so far\n"
    assert run(executor, "print('so far', flush=True)\nos._exit(3)").stdout == "so far\n"
    ended = run(executor, "print('so far', flush=True)\nwhile True: pass")
    assert (ended.kind, ended.stdout) == ("cpu-limit", "so far\n")


def test_a_flood_ends_in_output_limit_and_does_not_block(executor: Executor) -> None:
    for stream in (1, 2):
        flood = run(executor, f"while True: os.write({stream}, b'x' * 65536)")
        assert flood.kind == "output-limit"
        assert len(flood.stdout) + len(flood.stderr) == CAP
    line = run(executor, "sys.stdout.write('x' * (1 << 26)); return 1")
    assert line.kind == "output-limit"


def test_nothing_is_left_for_the_next_check(executor: Executor) -> None:
    run(executor, "sys.stdout.write('left in the buffer'); os._exit(0)")
    assert run(executor, "return 1").stdout == ""


def test_a_stream_that_misbehaves_when_flushed_does_not_cost_the_value(executor: Executor) -> None:
    outcome = run(executor, "class Odd:\n    def flush(self): raise SystemExit(5)\nsys.stdout = Odd()\nreturn 7")
    assert (outcome.kind, outcome.value) == ("value", 7)


def test_there_is_nothing_to_read_from_standard_input(executor: Executor) -> None:
    outcome = run(executor, "return input()")
    assert outcome.exception is not None
    assert outcome.exception.type == "EOFError"


def test_without_a_cap_prints_go_nowhere() -> None:
    with Executor(load_policy("codeio"), workers=1) as plain:
        outcome = run(plain, "print('x' * 10_000_000); return 1")
        assert (outcome.kind, outcome.stdout) == ("value", "")
