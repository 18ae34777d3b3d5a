"""What an outcome is found by, which outcomes are kept, and how much a stream remembers."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reexec import Policy, Program, load_policy
from reexec.engine.cache import Memory, Reuse, Spared, outcomes, reuse
from reexec.engine.cache.outcomes import may_be_kept, may_be_shared
from reexec.engine.cache.reuse import Found
from reexec.engine.jail.interpreter import Interpreter
from reexec.engine.own_terms import CallLimits, Files
from reexec.engine.pool.answer import Answer
from reexec.engine.pool.job import Caller, Job
from reexec.engine.program import Stdin
from reexec.engine.protocol import frames

PLAIN = Program("def f(n):\n    return n", "f")
PYTHON = Interpreter("/usr/bin/python3", (3, 12, 1), ("/usr",))
VALUE = Answer("value", b"1", cpu_us=10, wall_us=20, peak_kib=30, flags=1, stdout=b"out", stderr=b"err")


class Shelf(dict[bytes, bytes]):
    """A cache that keeps everything."""

    def put(self, key: bytes, body: bytes) -> None:
        self[key] = body


def job(program: Program = PLAIN, call: bytes = b"call", options: int = 0) -> Job:
    return Job(program, call, options, lambda _: None, Caller())


def memory(shelf: Any, policy: Policy | None = None, python: Interpreter = PYTHON) -> Memory:
    return Memory(shelf, policy or Policy.preset("codeio"), python)


def packages(folder: Path, *names: str) -> Interpreter:
    for name in names:
        (folder / name).mkdir(parents=True)
    return replace(PYTHON, folders=(str(folder),))


@pytest.fixture
def shelf() -> Shelf:
    found = Shelf()
    memory(found).keep(job(), VALUE)
    assert len(found) == 1
    return found


# -- keys ---------------------------------------------------------------------------------------------------------------


def test_the_same_call_is_found_again_whole(shelf: Shelf) -> None:
    assert memory(shelf).recall(job()) == VALUE
    unit = VALUE._replace(shared=True)
    memory(shelf).keep(job(call=b"other"), unit)
    assert memory(shelf).recall(job(call=b"other")) == unit, "that a unit gave it is not forgotten"


@pytest.mark.parametrize(
    "other",
    [
        job(Program("def f(n):\n    return n + 0", "f")),
        job(Program(PLAIN.source, "g")),
        job(call=b"call2"),
        job(options=frames.PYTHON_VALUES),
        job(options=frames.TAGGED_CALL),
    ],
)
def test_another_program_call_or_option_is_another_outcome(shelf: Shelf, other: Job) -> None:
    assert memory(shelf).recall(other) is None


@pytest.mark.parametrize(
    "setting",
    ["limits.cpu_s=1", "limits.memory_bytes=100MiB", "determinism.hash_seed=5", "determinism.random_seed=5",
     "limits.output_bytes=1000"],
)  # fmt: skip
def test_another_policy_is_another_outcome(shelf: Shelf, setting: str) -> None:
    assert memory(shelf, load_policy("codeio", settings=[setting])).recall(job()) is None


@pytest.mark.parametrize("python", [replace(PYTHON, version=(3, 12, 2)), replace(PYTHON, executable="/opt/bin/python3")])
def test_another_interpreter_is_another_outcome(shelf: Shelf, python: Interpreter) -> None:
    assert memory(shelf, python=python).recall(job()) is None


def test_another_version_of_a_package_is_another_outcome(tmp_path: Path) -> None:
    shelf = Shelf()
    python = packages(tmp_path, "numpy-2.0.dist-info", "numpy")
    memory(shelf, python=python).keep(job(), VALUE)
    (tmp_path / "numpy" / "module.py").touch()
    assert memory(shelf, python=python).recall(job()) == VALUE
    (tmp_path / "numpy-2.0.dist-info").rename(tmp_path / "numpy-2.1.dist-info")
    assert memory(shelf, python=python).recall(job()) is None


def test_another_version_of_reexec_is_another_outcome(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "VERSION", "0.0.0")
    assert memory(shelf).recall(job()) is None


# -- what is kept -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (VALUE, True),
        (Answer("exception", b"{}"), True),
        (Answer("cpu-limit", b"{}"), False),
        (Answer("memory-limit", b"{}"), False),
        (Answer("bad-result", b"{}"), False),
        (Answer("engine-error", b"{}"), False),
        (VALUE._replace(attempts=2), False),
        (VALUE._replace(note=b"it read the clock"), False),
    ],
)
def test_only_the_programs_own_end_by_one_undisturbed_run_is_kept(answer: Answer, kept: bool) -> None:
    shelf = Shelf()
    memory(shelf).keep(job(), answer)
    assert bool(shelf) is may_be_shared(answer) is kept


@pytest.mark.parametrize(
    "source",
    [
        "import time\ndef f(n):\n    return time.time()",
        "import random\ndef f(n):\n    return random.random()",
        "def f(n):\n    return id(n)",
    ],
)
def test_what_may_vary_is_not_kept(source: str) -> None:
    shelf = Shelf()
    asked = job(Program(source, "f"))
    memory(shelf).keep(asked, VALUE)
    assert not shelf
    assert not may_be_kept(asked)


def test_what_is_asked_for_more_than_a_value_or_has_own_terms_or_reads_a_standard_input_is_not_kept() -> None:
    script = job()
    script.stdin = Stdin(b"")
    options = (frames.WATCH_ARGUMENTS, frames.WATCH_SOURCES, frames.PYTHON_VALUES | frames.WATCH_ARGUMENTS)
    limited, filed = job(), job()
    limited.limits, filed.files = CallLimits(cpu_s=0.1), Files({"a": b""})
    for asked in (script, limited, filed, *(job(options=option) for option in options)):
        assert not may_be_kept(asked)
    assert may_be_kept(job(options=frames.PYTHON_VALUES | frames.TAGGED_CALL))


@pytest.mark.parametrize("body", [b"", b"\x01", b"no answer of ours", b"\x99" + b"\x01" * 9])
def test_bytes_that_are_no_answer_are_a_miss(shelf: Shelf, body: bytes) -> None:
    (key,) = shelf
    shelf[key] = body
    assert memory(shelf).recall(job()) is None


# -- one stream ---------------------------------------------------------------------------------------------------------


def stream() -> Reuse:
    return Reuse(None, True, Spared(), threading.Lock())


def always(_: Job, __: Answer) -> bool:
    return True


def test_a_stream_remembers_no_more_bytes_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reuse, "MOST_BYTES", 16_000)
    found = stream()
    for number in range(100):
        one = job(call=b"%03d" % number + b"x" * 497)
        assert found.find(one, always) is Found.NOTHING
        one.answer = Answer("value", b"y" * 500)
        found.settle(one, always)
        assert 0 <= found._bytes <= 16_000
        assert found._bytes == sum(
            len(key[2]) + (0 if isinstance(what, Job) else what.size()) for key, what in found._known.items()
        )
    assert found.find(job(call=b"000" + b"x" * 497), always) is Found.NOTHING
    assert found.find(job(call=b"099" + b"x" * 497), always) is Found.ANSWER
    assert found.find(job(call=b"z" * 2000), always) is Found.NOTHING
    assert found.find(job(call=b"z" * 2000), always) is Found.NOTHING, "one call does not push out all others"


def test_where_the_answer_may_not_be_shared_all_that_wait_are_executed() -> None:
    found = stream()
    first, *others = [job() for _ in range(4)]
    assert found.find(first, always) is Found.NOTHING
    assert [found.find(one, always) for one in others] == [Found.TWIN] * 3
    assert all(found.waits(one) for one in others)
    first.answer = Answer("cpu-limit", b"{}")
    assert found.settle(first, always) == ([], others)
    assert not any(found.waits(one) for one in others)


def test_what_a_unit_answered_stands_for_those_that_accept_it_and_one_of_the_others_is_executed_for_all() -> None:
    found = stream()
    first, *others = [job() for _ in range(5)]
    accepting = {first, others[0], others[2]}

    def believes(one: Job, answer: Answer) -> bool:
        return not answer.shared or one in accepting

    found.find(first, believes)
    for one in others:
        found.find(one, believes)
    first.answer = VALUE._replace(shared=True)
    assert found.settle(first, believes) == ([others[0], others[2]], [others[1]])
    late = job()
    assert found.find(late, believes) is Found.TWIN
    others[1].answer = VALUE
    assert found.settle(others[1], believes) == ([others[3], late], [])
    assert found.find(job(), believes) is Found.ANSWER


def test_a_known_answer_that_is_not_believed_is_asked_for_again() -> None:
    found = stream()
    first, second, third = job(), job(), job()
    found.find(first, always)
    first.answer = VALUE._replace(shared=True)
    found.settle(first, always)
    assert found.find(second, lambda *_: False) is Found.NOTHING
    assert second.answer is None
    assert found.find(third, always) is Found.TWIN, "and stands for the others then"


def test_another_option_is_another_call_of_a_stream() -> None:
    found = stream()
    assert found.find(job(), always) is Found.NOTHING
    assert found.find(job(options=frames.PYTHON_VALUES), always) is Found.NOTHING


def test_what_was_met_longest_ago_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reuse, "MOST_CALLS", 2)
    found = stream()
    for call in (b"a", b"b"):
        assert found.find(job(call=call), always) is Found.NOTHING
    assert found.find(job(call=b"a"), always) is Found.TWIN
    assert found.find(job(call=b"c"), always) is Found.NOTHING
    assert found.find(job(call=b"a"), always) is Found.TWIN
    assert found.find(job(call=b"b"), always) is Found.NOTHING


def test_what_the_cache_gave_is_not_kept_once_more_unless_it_is_believed_no_more(shelf: Shelf) -> None:
    found, one = Reuse(memory(shelf), True, Spared(), threading.Lock()), job()
    assert found.find(one, always) is Found.ANSWER
    shelf.clear()
    found.keep(one)
    assert not shelf
    found.keep(one)
    assert len(shelf) == 1, "it was executed after that"
