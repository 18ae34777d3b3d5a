"""docs/verdicts.md, row by row: what the table says is what the engine does."""

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from reexec import Executor, Program, Verdict, load_policy
from reexec.policies.model import IsolationLevel
from tests.conftest import lacking

DOCUMENT = Path(__file__).parents[2] / "docs" / "verdicts.md"
ROWS: dict[str, tuple[str, str]] = {
    row: (evidence.strip(), word.strip())
    for row, evidence, word in re.findall(r"^\| (E\d+) \| (.*) \| (.*?) \|$", DOCUMENT.read_text(encoding="utf-8"), re.M)
}
SETTINGS = ("limits.cpu_s=0.3", "limits.idle_s=0.4", "limits.memory_bytes=268435456")
FRAME = """
import struct
def frame(body, kind=1, flags=0):
    return struct.pack('<2sBBII', b'rx', kind, flags, len(body), 0) + body
"""
CHANNEL = """
import os
def say(data):
    for fd in range(3, 64):
        try:
            os.write(fd, data)
        except OSError:
            pass
"""

# row -> (source, call, expected, word, text in the description); several programs a row where the row names several
PROGRAMS: dict[str, list[tuple[str, Any, Any, str, str]]] = {
    "E1": [("def f(n):\n    return n + 1", [1], 2, "accepted", "")],
    "E2": [
        ("def f(n):\n    return n + 1", [1], 3, "wrong-answer", ""),
        (FRAME + CHANNEL + "def f():\n    say(frame(b'7') + frame(b'8'))\n    return 8", [], 8, "wrong-answer", ""),
    ],
    "E3": [
        # The claim is made by C code that is not interrupted: the answer is right and late.
        (
            "import time\ndef f():\n    import signal\n    t = time.process_time()\n    while time.process_time() - t < 0.29:\n"
            "        pass\n    x = 3 ** 1500000 % 10\n    return 1",
            [],
            1,
            "cpu-limit",
            "",
        )
    ],
    "E4": [("def f():\n    while True:\n        pass", [], 1, "cpu-limit", "")],
    "E5": [("import time\ndef f():\n    time.sleep(1000)", [], 1, "wall-limit", "")],
    "E6": [("import os, signal\ndef f():\n    os.kill(os.getpid(), signal.SIGSTOP)", [], 1, "wall-limit", "")],
    "E8": [
        (
            "class Odd(Exception):\n    def __str__(self):\n        while True:\n            pass\ndef f():\n    raise Odd",
            [],
            1,
            "runtime-error",
            "^Odd",
        )
    ],
    "E9": [
        ("def f():\n    return len(bytearray(1 << 40))", [], 1, "memory-limit", ""),
        ("def f():\n    raise MemoryError", [], 1, "memory-limit", ""),
    ],
    "E10": [("import mmap\ndef f():\n    mmap.mmap(-1, 1 << 42)", [], 1, "memory-limit", "")],
    "E11": [("import os\ndef f():\n    os.fork()", [], 1, "process-limit", "")],
    "E12": [
        ("import threading\ndef f():\n    threading.Thread(target=print).start()", [], 1, "process-limit", ""),
    ],
    "E13": [
        ("def f():\n    raise SystemExit(7)", [], 1, "early-exit", "code 7"),
        ("raise SystemExit", [], 1, "early-exit", "code 0"),
    ],
    "E14": [
        ("def f():\n    return {}['k']", [], 1, "runtime-error", "^KeyError: 'k' .line 2.$"),
        ("import os\ndef f():\n    os.kill(1, 9)", [], 1, "runtime-error", "^PermissionError"),
    ],
    "E15": [
        ("def f(:", [], 1, "runtime-error", "^SyntaxError"),
        ("def g():\n    pass", [], 1, "runtime-error", "^NameError.*'f'"),
    ],
    "E16": [("def f(a):\n    return a", {"b": 1}, 1, "runtime-error", "^TypeError.*'b'")],
    "E17": [
        ("def f():\n    return 'x' * (2 << 20)", [], 1, "output-limit", ""),
        (FRAME + CHANNEL + "def f():\n    say(struct.pack('<2sBBII', b'rx', 1, 0, 1 << 30, 0))", [], 1, "output-limit", ""),
    ],
    "E18": [
        ("def f():\n    return {'a': [object()]}", [], 1, "bad-result", r"\$\.a\[0\].*object"),
        ("def f():\n    x = []\n    x.append(x)\n    return x", [], 1, "bad-result", "nested"),
        ("def f():\n    return {1: 2, '1': 3}", [], 1, "bad-result", "two keys"),
    ],
    "E19": [
        (
            "class Odd:\n    @property\n    def __class__(self):\n        raise ValueError\ndef f():\n    return Odd()",
            [],
            1,
            "bad-result",
            "ValueError",
        )
    ],
    "E20": [
        (CHANNEL + "def f():\n    say(b'accepted' * 10)", [], 1, "bad-result", "result channel"),
        (FRAME + CHANNEL + "def f():\n    say(frame(b'{no json'))", [], 1, "bad-result", "result channel"),
    ],
    "E21": [
        ("import os\ndef f():\n    os._exit(137)", [], 1, "early-exit", "code 137"),
        ("import os\ndef f():\n    os._exit(0)", [], 1, "early-exit", "code 0"),
    ],
    "E22": [("import os\ndef f():\n    os.kill(os.getpid(), 31)", [], 1, "denied", "SIGSYS")],
    "E23": [
        ("import os\ndef f():\n    os.kill(os.getpid(), 9)", [], 1, "runtime-error", "SIGKILL"),
        ("import ctypes\ndef f():\n    ctypes.string_at(0)", [], 1, "runtime-error", "SIGSEGV"),
    ],
    "E24": [("\n".join(f"class A{n}: pass" for n in range(200_000)), [], 1, "cpu-limit", "")],
}


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor(load_policy("codeio", settings=SETTINGS), workers=1) as executor:
        yield executor


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


def running_check(executor: Executor) -> bool:
    pids = executor.worker_pids()
    try:
        return bool(pids and psutil.Process(pids[0]).children())
    except psutil.NoSuchProcess:
        return False


def word_of(row: str) -> str:
    return str(re.findall(r"`([a-z-]+)`", ROWS[row][1])[0])


def number_of(row: str) -> int:
    return int(row[1:])


IN_ORDER = sorted(PROGRAMS, key=number_of)


@pytest.mark.parametrize("row", IN_ORDER)
def test_row(row: str, executor: Executor) -> None:
    for source, call, expected, word, says in PROGRAMS[row]:
        verdict = executor.check(Program(source, "f"), call, expected)
        assert verdict.outcome is not None
        assert verdict.word == word, verdict.outcome.describe()
        assert re.search(says, verdict.outcome.describe())
        if row not in ("E24",):
            assert word == word_of(row)


def test_row_e7_the_backstop() -> None:
    """A program that hardly gets a processor, because others keep them busy, comes near neither clock."""
    settings = ["limits.cpu_s=0.5", "limits.idle_s=0.4", "limits.wall_s=1.0"]
    others = [
        subprocess.Popen(["sh", "-c", "while :; do :; done"], start_new_session=True)  # else they would share one's share
        for _ in range(12 * len(os.sched_getaffinity(0)))
    ]
    try:
        with Executor(load_policy("codeio", settings=settings), workers=1) as executor:
            verdict = executor.check(Program("def f():\n    while True:\n        pass", "f"), [], 1)
    finally:
        for other in others:
            other.kill()
            other.wait()
    assert verdict.word == word_of("E7")
    assert verdict.outcome is not None
    assert verdict.outcome.usage.cpu_s < 0.5
    assert 1.0 <= verdict.outcome.usage.wall_s < 10


def kill_while_running(executor: Executor, times: int, verdict: Callable[[], Verdict | None]) -> None:
    killed = 0
    last = -1
    until = time.monotonic() + 60
    while killed < times and verdict() is None:
        assert time.monotonic() < until
        pids = executor.worker_pids()
        if pids and pids[0] != last and running_check(executor):
            last = pids[0]
            os.kill(last, signal.SIGKILL)
            killed += 1
        time.sleep(0.005)


def is_gone(executor: Executor, pid: int) -> bool:
    return pid not in executor.worker_pids()


SLEEPER = Program("import time\ndef f():\n    time.sleep(2)\n    return 1", "f")
"""Long enough that whoever saw it run finds it running."""
PATIENT = ("limits.cpu_s=30", "limits.idle_s=30", "limits.memory_bytes=268435456")


def test_row_e25_the_worker_died_twice() -> None:
    with Executor(load_policy("codeio", settings=PATIENT), workers=1) as executor:
        future = executor.submit(SLEEPER, [])
        for _ in range(2):
            wait_for(lambda: running_check(executor))
            pid = executor.worker_pids()[0]
            # Its channel is shut, as if the zygote had left by itself: no signal from outside.
            next(w for w in executor._loop._workers if w.zygote_pid == pid).launched.channel.shutdown(2)
            wait_for(partial(is_gone, executor, pid))
        assert future.result(60).kind == word_of("E25")


def test_row_e26_killed_from_outside_once() -> None:
    with Executor(load_policy("codeio", settings=PATIENT), workers=1) as executor:
        future = executor.submit(SLEEPER, [])
        kill_while_running(executor, 1, lambda: None)
        outcome = future.result(60)
        assert (outcome.kind, outcome.value, outcome.attempts) == ("value", 1, 2)


def test_row_e27_killed_from_outside_too_often_or_shut_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reexec.engine.pool.retry.OUTSIDE_KILLS_ALLOWED", 5)
    with Executor(load_policy("codeio", settings=PATIENT), workers=1) as executor:
        future = executor.submit(SLEEPER, [])
        kill_while_running(executor, 6, lambda: None)
        assert future.result(60).kind == word_of("E27")
        assert executor.statistics().engine_errors == 1
        late = executor.submit(SLEEPER, [])
    assert late.result(60).kind == word_of("E27")


def test_row_e28_the_kernel_ended_a_grandchild() -> None:
    settings = (*SETTINGS, "limits.processes=12", "limits.memory_bytes=67108864", "limits.cpu_s=5")
    with Executor(load_policy("codeio", settings=settings), workers=1) as executor:
        if executor.isolation is not IsolationLevel.NSJAIL_CGROUP:
            lacking("control groups that this user may make")
        source = (
            "import os\ndef f():\n    for _ in range(8):\n        if not os.fork():\n            x = bytearray(40 << 20)\n"
            "            os.read(r, 1)\n            os._exit(0)\n    try:\n        while True:\n            os.wait()\n"
            "    except ChildProcessError:\n        return 1\nr, w = os.pipe()\n"
        )
        outcome = executor.submit(Program(source, "f"), []).result(30)
        assert outcome.kind == word_of("E28"), outcome
        assert executor.submit(Program("def f():\n    return 2", "f"), []).result(30).value == 2
        assert executor.statistics().worker_deaths == 0


def test_row_e29_more_was_printed_than_is_kept() -> None:
    with Executor(load_policy("codeio", settings=(*SETTINGS, "limits.capture_bytes=1000")), workers=1) as executor:
        for source in ("def f():\n    print('x' * 1000)\n    return 1", "def f():\n    while True:\n        print('x' * 50)"):
            assert executor.submit(Program(source, "f"), []).result(30).kind == word_of("E29")


def kill_check(executor: Executor) -> None:
    """Kills the process that runs a check now, as somebody outside would."""
    wait_for(lambda: running_check(executor))
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(executor.worker_pids()[0]).children()[0].kill()


def test_row_e30_the_check_was_killed_from_outside() -> None:
    with Executor(load_policy("codeio", settings=PATIENT), workers=1) as executor:
        assert executor.submit(Program("def f():\n    return 0", "f"), []).result(60).value == 0
        assert executor.submit(SLEEPER, []).result(60).value == 1  # compiled: the next child is the call's
        future = executor.submit(SLEEPER, [])
        kill_check(executor)
        outcome = future.result(60)
        assert (outcome.kind, outcome.value, outcome.attempts) == ("value", 1, 2)
        statistics = executor.statistics()
        assert (statistics.kills_repeated, statistics.worker_deaths) == (1, 0)


def test_a_compilation_that_was_killed_from_outside_spoils_no_check_of_the_program() -> None:
    source = "\n".join(f"class A{n}: pass" for n in range(10_000)) + "\ndef f(n):\n    return n"
    slow = Program(source, "f")
    with Executor(load_policy("codeio", settings=("limits.cpu_s=20", "limits.idle_s=20")), workers=1) as executor:
        assert executor.submit(Program("def f():\n    return 0", "f"), []).result(60).value == 0
        futures = [executor.submit(slow, [n]) for n in range(3)]
        kill_check(executor)
        assert [future.result(60).value for future in futures] == [0, 1, 2]
        assert executor.statistics().kills_repeated == 1


def test_every_row_has_a_test() -> None:
    tested = set(PROGRAMS) | {name.split("_")[2].upper() for name in globals() if name.startswith("test_row_e")}
    assert set(ROWS) == tested
    assert list(ROWS) == [f"E{n}" for n in range(1, len(ROWS) + 1)]


def test_every_word_of_the_table_is_a_verdict_word() -> None:
    from reexec.engine.judging.verdict import VERDICT_WORDS

    text = DOCUMENT.read_text(encoding="utf-8")
    assert {word for _, words in ROWS.values() for word in re.findall(r"`([a-z]+-?[a-z]+)`", words)} <= set(VERDICT_WORDS)
    words = text[text.index("## The words") : text.index("## The clocks")]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", words, re.M)) == set(VERDICT_WORDS)
