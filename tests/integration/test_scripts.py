"""Scripts: whole programs with a real standard input, a captured standard output and an exit status."""

from collections.abc import Iterator

import pytest

from reexec import Executor, Policy, Program, UsageError, load_policy
from reexec.engine.program import Script, Stdin


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    policy = load_policy("contest", settings=["limits.cpu_s=2", "limits.idle_s=2", "limits.capture_bytes=1000000"])
    with Executor(policy, workers=1) as found:
        yield found


@pytest.mark.parametrize(
    ("source", "given", "printed"),
    [
        ("print(int(input()) + int(input()))", "1\n2\n", "3\n"),
        ("import sys\nprint(sum(map(int, sys.stdin.readline().split())))", "1 2 3\n", "6\n"),
        ("import sys\nfor line in sys.stdin:\n    print(line.strip()[::-1])", "ab\ncd", "ba\ndc\n"),
        ("import sys\ndata = sys.stdin.buffer.read()\nsys.stdout.buffer.write(data[::-1])", "abc", "cba"),
        ("print(open(0).read().upper(), end='')", "abc\n", "ABC\n"),
        ("import os\nprint(os.read(0, 3).decode())", "abcdef", "abc\n"),
        (
            "a = input()\nimport sys\nb = sys.stdin.readline()\nc = sys.stdin.read()\nprint([a, b, c])",
            "1\n2\n3\n4",
            "['1', '2\\n', '3\\n4']\n",
        ),
        ("import sys\nprint('a', end='')\nsys.stdout.flush()\nsys.stdout.buffer.write(b'b')", "", "ab"),
        ("if __name__ == '__main__':\n    print(__name__)", "", "__main__\n"),
        ("import sys\nprint(repr(sys.stdin.read()))", "a\r\nb", "'a\\r\\nb'\n"),
        ("import sys\nprint(sys.modules['__main__'].x)", "", None),
        ("x = 3\nimport __main__\nprint(__main__.x)", "", "3\n"),
        ("print(input('?'))", "é\n", "?é\n"),
        ("out = open(1, 'w', closefd=False)\nout.write('left open')", "", "left open"),
        ("def f():\n    print(1)\nimport atexit\natexit.register(f)", "", "1\n"),
    ],
)
def test_every_way_of_reading_shares_one_cursor(executor: Executor, source: str, given: str, printed: str | None) -> None:
    outcome = executor.submit(Script(source), given).result()
    if printed is None:
        assert outcome.kind == "exception"
    else:
        assert (outcome.kind, outcome.value, outcome.stdout) == ("value", 0, printed), outcome.describe()


@pytest.mark.parametrize(
    ("source", "kind", "status"),
    [
        ("import sys\nprint(1)\nsys.exit()", "value", 0),
        ("import sys\nprint(1)\nsys.exit(3)", "value", 3),
        ("print(1)\nexit(0)", "value", 0),
        ("import sys\nprint(1)\nsys.exit('bad')", "value", 1),
        ("import os, sys\nprint(1)\nsys.stdout.flush()\nos._exit(4)", "value", 4),
        ("print(1)\n1 / 0", "exception", None),
        ("print(1)\nx = input()\ny = input()", "exception", None),
        ("print(1)\nimport os\nos.abort()", "exception", None),
        ("print(1", "exception", None),
        ("while True:\n    pass", "cpu-limit", None),
        ("import time\ntime.sleep(60)", "wall-limit", None),
        ("while True:\n    print('x' * 1000)", "output-limit", None),
        ("x = bytearray(1 << 32)", "memory-limit", None),
        ("import os\nwhile True:\n    os.fork()", "process-limit", None),
    ],
)
def test_how_a_script_ends(executor: Executor, source: str, kind: str, status: int | None) -> None:
    outcome = executor.submit(Script(source), "line\n").result()
    assert (outcome.kind, outcome.value) == (kind, status), outcome.describe()


def test_output_is_kept_whole_or_is_a_limit(executor: Executor) -> None:
    outcome = executor.submit(Script("print('x' * 999_999)"), "").result()
    assert (outcome.kind, len(outcome.stdout)) == ("value", 1_000_000)
    assert executor.submit(Script("print('x' * 1_000_000)"), "").result().kind == "output-limit"


def test_ten_megabytes_of_input_are_read_or_left(executor: Executor) -> None:
    stdin = Stdin(b"0123456789" * 1_048_576)
    reads = executor.submit(Script("import sys\nprint(len(sys.stdin.read()))"), stdin).result()
    assert reads.stdout == "10485760\n", reads.describe()
    for source in ("print('done')", "print(input()[:4])", "import os\nos.close(0)\nprint('closed')"):
        outcome = executor.submit(Script(source), stdin).result()
        assert (outcome.kind, outcome.value) == ("value", 0), outcome.describe()


def test_deep_recursion_and_threads_with_a_stack_of_their_own_are_normal(executor: Executor) -> None:
    source = """
import sys, threading
sys.setrecursionlimit(10**6)
def depth(n):
    return 0 if n == 0 else 1 + depth(n - 1)
def main():
    print(depth(int(input())))
if sys.argv[-1] != "never":
    threading.stack_size(1 << 27)
    thread = threading.Thread(target=main)
    thread.start()
    thread.join()
"""
    assert executor.submit(Script(source), "100000\n").result().stdout == "100000\n"
    plain = source.replace("threading.stack_size(1 << 27)", "main(); sys.exit()")
    assert executor.submit(Script(plain), "100000\n").result().stdout == "100000\n"


def test_threads_that_nobody_joins_are_waited_for(executor: Executor) -> None:
    source = "import threading\nthreading.Thread(target=lambda: print(sum(range(10**5)))).start()"
    assert executor.submit(Script(source), "").result().stdout == "4999950000\n"


def test_text_where_a_stdin_takes_bytes_is_a_mistake_in_words() -> None:
    with pytest.raises(UsageError, match=r"bytes, not str; Stdin\.of takes text"):
        Stdin("text")  # type: ignore[arg-type]


def test_a_standard_input_travels_to_a_worker_once(executor: Executor) -> None:
    stdin = Stdin(b"7\n" * (1 << 20))
    items = [(Script(f"print(int(input()) + {n})"), stdin, n) for n in range(64)]
    printed = [outcome.stdout for outcome, _ in executor.run_many(items) if outcome is not None]
    assert printed == [f"{7 + n}\n" for n in range(64)]


def test_a_script_needs_a_policy_that_keeps_what_it_prints() -> None:
    with Executor("grade", workers=1) as plain, pytest.raises(UsageError, match="capture_bytes"):
        plain.submit(Script("print(1)"), "")


def test_a_method_is_called_on_a_new_instance(executor: Executor) -> None:
    source = """
class Solution:
    def __init__(self):
        self.n = 1
    def add(self, a, b=0):
        return self.n + a + b
"""
    assert executor.submit(Program(source, "Solution.add"), [1, 2]).result().value == 4
    missing = executor.submit(Program(source, "Solution.sub"), [1, 2]).result()
    assert missing.exception is not None
    assert missing.exception.type == "AttributeError"


def test_scripts_and_functions_of_one_text_are_two_programs() -> None:
    assert Script("x").id != Program("x", "").id
    assert Policy.preset("contest").limits.capture_bytes
