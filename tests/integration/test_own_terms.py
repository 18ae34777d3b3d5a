"""What one call has of its own: limits lower than the policy's, files in its folder and files that come back."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from reexec import Call, CallLimits, Executor, Files, Outcome, Program, Script, UsageError, load_policy
from reexec.engine.own_terms import MOST_FILES

MIB = 1 << 20


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor(load_policy("serve", environment=os.environ), workers=1) as made:
        yield made


def run(executor: Executor, source: str, files: Files | None = None, **limits: Any) -> tuple[Outcome, dict[str, bytes]]:
    own = CallLimits(**limits) if limits else None
    future = executor.submit(Script(source), "", limits=own, files=files)
    return future.result(60), future.files()


# -- limits -----------------------------------------------------------------------------------------------------------


def test_a_lower_limit_on_time_ends_a_call_with_the_policys_words(executor: Executor) -> None:
    spins = executor.submit(Program("def f():\n    while True:\n        pass", "f"), [], limits=CallLimits(cpu_s=0.3)).result(
        60
    )
    assert spins.kind == "cpu-limit"
    assert 0.3 <= spins.usage.cpu_s < 0.6, "the policy's own limit is 10 s"
    sleeps, _ = run(executor, "import time\nprint('so far', flush=True)\ntime.sleep(9)", idle_s=0.3)
    assert (sleeps.kind, sleeps.stdout) == ("wall-limit", "so far\n"), "the policy's own limit is 10 s"
    assert sleeps.usage.cpu_s < 0.3 <= sleeps.usage.wall_s


def test_a_lower_limit_on_memory_is_held_while_the_program_runs(executor: Executor) -> None:
    large = "x = bytearray(100 << 20)\nprint(len(x))"
    assert run(executor, large)[0].stdout == f"{100 * MIB}\n"
    assert run(executor, large, memory_bytes=50 * MIB)[0].kind == "memory-limit"
    caught = "try:\n    bytearray(100 << 20)\nexcept MemoryError:\n    print('told')"
    assert run(executor, caught, memory_bytes=50 * MIB)[0].stdout == "told\n"
    function = Program("def f(n):\n    return len(bytearray(n))", "f")
    assert executor.submit(function, [100 * MIB], limits=CallLimits(memory_bytes=50 * MIB)).result(60).kind == "memory-limit"


def test_a_higher_limit_changes_nothing(executor: Executor) -> None:
    policy = executor.policy.limits
    wide = CallLimits(cpu_s=1e300, idle_s=1e9, memory_bytes=1 << 70)
    assert wide.under(policy) == CallLimits().under(policy)
    source = "import resource\nprint(*resource.getrlimit(resource.RLIMIT_AS))"
    usual, _ = run(executor, source)
    assert run(executor, source, memory_bytes=1 << 70)[0].stdout == usual.stdout


def test_limits_are_one_calls_and_the_next_has_the_policys(executor: Executor) -> None:
    function = Program("def f(n):\n    return len(bytearray(n))", "f")
    narrow = CallLimits(cpu_s=1, memory_bytes=20 * MIB)
    futures = [executor.submit(function, [80 * MIB], limits=narrow if n % 2 else None) for n in range(8)]
    assert [future.result(60).kind for future in futures] == ["value", "memory-limit"] * 4


def test_a_narrow_first_call_does_not_spoil_the_compiled_program(executor: Executor) -> None:
    source = "\n".join(f"def f{n}(x):\n    return x + {n}" for n in range(3000)) + "\ndef f(x):\n    return x"
    program = Program(source, "f")
    executor.submit(program, [1], limits=CallLimits(cpu_s=0.001, memory_bytes=MIB)).result(60)
    assert executor.submit(program, [1]).result(60).value == 1


@pytest.mark.parametrize(
    "wrong", [{"cpu_s": 0}, {"idle_s": -1}, {"memory_bytes": True}, {"cpu_s": float("nan")}, {"cpu_s": "1"}]
)
def test_a_limit_is_a_number_above_0(wrong: Any) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        CallLimits(**wrong)


# -- files --------------------------------------------------------------------------------------------------------------


def test_files_lie_in_the_programs_folder_and_come_back(executor: Executor) -> None:
    files = Files({"a.txt": b"one\n", "d/e/b.bin": bytes(range(256))}, ["out.txt", "d/e/b.bin", "d/./new", "absent", "d"])
    source = (
        "import os\nprint(open('a.txt').read(), len(open('d/e/b.bin', 'rb').read()), sorted(os.listdir()))\n"
        "open('out.txt', 'w').write('two')\nopen('d/new', 'wb').write(b'\\0\\xff')"
    )
    outcome, found = run(executor, source, files)
    assert outcome.stdout == "one\n 256 ['a.txt', 'd']\n"
    assert found == {"out.txt": b"two", "d/e/b.bin": bytes(range(256)), "d/./new": b"\0\xff"}


def test_a_script_imports_what_lies_beside_it(executor: Executor) -> None:
    files = Files(
        {"helper.py": b"def double(n):\n    return 2 * n\n", "package/__init__.py": b"", "package/deep.py": b"X = 7\n"}
    )
    outcome, _ = run(executor, "from helper import double\nfrom package.deep import X\nprint(double(X))", files)
    assert outcome.stdout == "14\n", outcome


def test_the_next_program_finds_an_empty_folder(executor: Executor) -> None:
    started = executor.statistics().workers_started
    for _ in range(3):
        run(executor, "open('d/more', 'w').write('x')", Files({"a": b"1", "d/e/f": b"2"}, ["a"]))
        assert run(executor, "import os\nprint(os.listdir(), os.getcwd())")[0].stdout == "[] /scratch\n"
    assert executor.statistics().workers_started == started, "files in folders cost no worker"


@pytest.mark.parametrize(
    "ending", ["while True: pass", "import time; time.sleep(9)", "1 / 0", "import os; os.kill(os.getpid(), 9)"]
)
def test_what_was_written_before_a_bad_end_comes_back(executor: Executor, ending: str) -> None:
    limits = {"cpu_s": 0.2, "idle_s": 0.2}
    outcome, found = run(executor, f"open('a', 'w').write('kept')\n{ending}", Files({}, ["a"]), **limits)
    assert outcome.kind != "value"
    assert found == {"a": b"kept"}


HOSTILE = """
import os
os.symlink('good2', 'inner')
os.symlink('/etc/passwd', 'link')
os.symlink('/etc', 'folder')
os.symlink('..', 'up')
os.mkfifo('pipe')
os.mkdir('dir')
os.mkdir('locked')
open('locked/in', 'w').write('x')
os.chmod('locked', 0)
with open('sparse', 'wb') as f:
    f.truncate(16 << 20)
open('good', 'w').write('good')
os.rename('good', 'good2')
"""


def test_links_pipes_and_large_files_do_not_come_back(executor: Executor) -> None:
    names = ["link", "inner", "folder/passwd", "up/etc/passwd", "pipe", "dir", "locked/in", "sparse", "good", "good2"]
    outcome, found = run(executor, HOSTILE, Files({}, names))
    assert outcome.value == 0, outcome
    assert found == {"good2": b"good"}
    assert run(executor, "import os; print(os.listdir())")[0].stdout == "[]\n"


def test_what_comes_back_is_bounded_by_the_policys_output(executor: Executor) -> None:
    most = executor.policy.limits.output_bytes
    outcome, found = run(
        executor,
        f"open('a', 'wb').write(b'x' * {most})\nopen('b', 'w').write('y')\nprint('z' * 900_000)",
        Files({}, ["a", "b"]),
    )
    assert outcome.ok
    assert {name: len(content) for name, content in found.items()} == {"a": most}
    assert outcome.stdout == "z" * 900_000 + "\n"


def test_a_program_can_not_say_what_its_files_are(executor: Executor) -> None:
    """It writes into every descriptor it has; files are read when it is gone."""
    source = (
        "import os\nfor fd in range(3, 64):\n    try:\n        os.write(fd, b'rx\\x01\\0\\x04\\0\\0\\0\\0\\0\\0\\0[[0]')\n"
        "    except OSError:\n        pass"
    )
    _, found = run(executor, source, Files({}, ["a"]))
    assert found == {}


@pytest.mark.parametrize(
    "name",
    [
        "", "/etc/passwd", "/scratch/a", "..", "../a", "a/../../b", "a/..", "a/", ".", "./", "a\0b", "\ud800",
        "x" * 256, "d/" * 17 + "a", "é" * 128, "a/" + "b" * 300,
    ],
)  # fmt: skip
@pytest.mark.parametrize("given", [True, False])
def test_no_path_leaves_the_folder(name: str, given: bool) -> None:
    with pytest.raises(UsageError, match=r"name of a file|path of a file"):
        Files({name: b""} if given else {}, [] if given else [name])


def test_files_that_cannot_be_are_refused_before_anything_runs(executor: Executor) -> None:
    with pytest.raises(UsageError, match="a folder"):
        Files({"a": b"", "a/b": b""})
    with pytest.raises(UsageError, match="two files"):
        Files({"a": b"", "./a": b""})
    with pytest.raises(UsageError, match="the most is 64"):
        Files({str(n): b"" for n in range(MOST_FILES + 1)})
    with pytest.raises(UsageError, match="bytes, not str"):
        Files({"a": "text"})  # type: ignore[dict-item]
    with pytest.raises(UsageError, match="around a Script"):
        executor.submit(Program("def f(): pass", "f"), Call(), files=Files({"a": b""}))
    with (
        Executor(load_policy("serve", settings=["limits.scratch_bytes=64KiB"], environment=os.environ), workers=1) as small,
        pytest.raises(UsageError, match="the writable folder holds"),
    ):
        small.submit(Script(""), "", files=Files({"a": bytes(70_000)}))
    with (
        Executor(load_policy("grade", environment=os.environ), workers=1) as without,
        pytest.raises(UsageError, match="scratch_bytes"),
    ):
        without.submit(Script(""), "", files=Files({"a": b""}))


def test_odd_names_are_names(executor: Executor) -> None:
    names = ["-rf", "a b", "é/ü", ".hidden", "...", "x" * 255, "a'\"$(id)", "new\nline", "~"]
    outcome, found = run(executor, "", Files({name: name.encode() for name in names}, names))
    assert outcome.value == 0, outcome
    assert found == {name: name.encode() for name in names}
