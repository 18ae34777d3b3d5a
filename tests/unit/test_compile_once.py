"""When a program is compiled, what is kept of it and what of a failure; with an engine that this file plays. Real compilers run
in tests/integration/test_commands.py."""

import re
import stat
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from reexec import Command, EngineError, Policy, UsageError
from reexec.engine.commands import compiler as compiler_module
from reexec.engine.commands.artefacts import Artefacts
from reexec.engine.commands.compiler import MESSAGE_CHARACTERS, Compiler
from reexec.engine.commands.inside import build
from reexec.engine.commands.probe import Found, _first_line
from reexec.engine.commands.toolchain import Compile, Toolchain
from reexec.engine.outcome import Outcome, RaisedException
from reexec.engine.own_terms import CallLimits
from reexec.engine.program import CommandLine
from reexec.policies.model import Limits

TOOLCHAIN = Toolchain(
    language="x", title="X", find={"cc": ("true",)}, version=("{cc}",), install="apt-get install x",
    compile=Compile(source="main.x", steps=(("{cc}", "{source}"),), output="main", limits={"cpu_s": 77.0, "idle_s": 66.0}),
)  # fmt: skip


class Engine:
    """In place of an executor: its calls wait until somebody says what came of them."""

    made: list["Engine"]

    def __init__(self, policy: Policy, **_: Any) -> None:
        self.policy = policy
        self.calls: list[tuple[Any, Future[Outcome]]] = []
        Engine.made.append(self)

    def submit(self, program: Any, call: Any, *, limits: CallLimits | None = None, **_: Any) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        self.calls.append((limits, future))
        return future

    def come_to(self, outcome: Outcome) -> None:
        self.calls[-1][1].set_result(outcome)

    def shutdown(self) -> None:
        pass


@pytest.fixture
def artefacts() -> Iterator[Artefacts]:
    found = Artefacts()
    yield found
    found.remove()


@pytest.fixture
def compiler(artefacts: Artefacts, monkeypatch: pytest.MonkeyPatch) -> Compiler:
    Engine.made = []
    monkeypatch.setattr(compiler_module, "Executor", Engine)
    return Compiler(Found(TOOLCHAIN, (("cc", "/bin/true"),), "1"), artefacts, Policy.preset("compile"), 1, None, Limits())


def engine() -> Engine:
    (found,) = Engine.made
    return found


def program(text: str) -> Command:
    return Command(text, "x")


def compiled(compiler: Compiler, text: str, outcome: Outcome | None = None) -> Any:
    """What the program comes to where it has to be compiled now, and the compiler says this."""
    before = len(engine().calls)
    future = compiler.ready(program(text))
    assert len(engine().calls) == before + 1, "it was known already"
    engine().come_to(outcome or Outcome("value", {"output": text.encode()}))
    return future.result(0)


def is_known(compiler: Compiler, text: str) -> bool:
    before = len(engine().calls)
    compiler.ready(program(text))
    return len(engine().calls) == before


# -- once ---------------------------------------------------------------------------------------------------------------


def test_a_program_is_compiled_once_before_and_after_it_is_done(compiler: Compiler) -> None:
    futures = [compiler.ready(program("a")) for _ in range(5)]
    assert len(engine().calls) == 1
    engine().come_to(Outcome("value", {"output": b"binary"}))
    assert len({id(future.result(0)) for future in futures}) == 1
    assert is_known(compiler, "a")


def test_another_source_is_another_program(compiler: Compiler, artefacts: Artefacts) -> None:
    first, second = compiled(compiler, "a"), compiled(compiler, "b")
    assert isinstance(first, CommandLine)
    assert first.source != second.source
    assert sorted(path.read_bytes() for path in files(artefacts)) == [b"a", b"b"]


def files(artefacts: Artefacts) -> list[Path]:
    artefacts.folder.chmod(0o700)
    return list(artefacts.folder.iterdir())


def test_what_came_of_lower_limits_is_known_to_those_who_have_the_same(compiler: Compiler) -> None:
    low, as_the_policy = CallLimits(cpu_s=0.5), CallLimits(cpu_s=1000.0)
    for limits in (low, None, as_the_policy, CallLimits(cpu_s=0.5), CallLimits(cpu_s=0.6)):
        compiler.ready(program("a"), limits)
    assert [limits for limits, _ in engine().calls] == [low, None, CallLimits(cpu_s=0.6)]


def test_a_compilation_has_the_limits_of_its_language(compiler: Compiler) -> None:
    limits = engine().policy.limits
    assert (limits.cpu_s, limits.idle_s) == (77.0, 66.0)
    assert limits.memory_bytes == Policy.preset("compile").limits.memory_bytes


def test_what_the_host_failed_at_is_compiled_again_and_what_does_not_compile_is_not(compiler: Compiler) -> None:
    with pytest.raises(EngineError, match="cannot compile: no worker") as raised:
        compiled(compiler, "a", Outcome("engine-error", detail="no worker"))
    assert raised.value.retry_helps
    assert isinstance(compiled(compiler, "a"), CommandLine)
    assert compiled(compiler, "b", Outcome("value", {"message": "line 1: no", "status": 1})).kind == "exception"
    assert is_known(compiler, "a")
    assert is_known(compiler, "b")


def test_of_many_programs_those_asked_for_last_are_kept_and_the_files_of_the_others_removed(
    compiler: Compiler, artefacts: Artefacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiler_module, "MOST_KEPT", 2)
    compiled(compiler, "a")
    compiled(compiler, "b")
    assert is_known(compiler, "a")
    compiled(compiler, "c")
    assert sorted(path.read_bytes() for path in files(artefacts)) == [b"a", b"c"]
    assert is_known(compiler, "a")
    assert is_known(compiler, "c")
    assert not is_known(compiler, "b")


# -- what came of it ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "kind", "said"),
    [
        (Outcome("value", {"message": "line 1: no", "status": 1}), "exception", "line 1: no"),
        (Outcome("value", {"message": " ", "status": 9}), "exception", "exit status 9"),
        (Outcome("value", {"message": "m" * 9000, "status": 1}), "exception", "m" * MESSAGE_CHARACTERS),
        (Outcome("value", 1), "exception", "tampered with"),
        (Outcome("value", {}), "exception", "tampered with"),
        (Outcome("value", {"output": "text"}), "exception", "tampered with"),
        (Outcome("bad-result"), "exception", "tampered with"),
        (Outcome("exception", exception=RaisedException("OSError", "no room")), "exception", "OSError: no room"),
        (Outcome("cpu-limit", detail="2 s"), "cpu-limit", "while compiling: 2 s"),
        (Outcome("memory-limit"), "memory-limit", "while compiling"),
    ],
)
def test_what_does_not_compile_is_one_word_for_all_its_tests(
    compiler: Compiler, outcome: Outcome, kind: str, said: str
) -> None:
    found = compiled(compiler, "a", outcome)
    assert found.kind == kind
    message = found.exception.message if found.exception else found.detail
    assert said in message
    assert len(message) <= MESSAGE_CHARACTERS
    assert (found.exception is not None) is (kind == "exception")
    assert found.exception is None or found.exception.type == "CompileError"


def test_files_are_read_only_under_names_that_nobody_can_list_or_guess(artefacts: Artefacts) -> None:
    assert stat.S_IMODE(artefacts.folder.stat().st_mode) == 0o311, "passed through, not listed"
    names = [artefacts.put(b"x", ".x") for _ in range(20)]
    assert all(re.fullmatch(r"[0-9a-f]{32}\.x", name) for name in names)
    assert len(set(names)) == 20
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o222 == 0 for path in files(artefacts))
    artefacts.drop(names[0])
    artefacts.drop(names[0])
    assert len(files(artefacts)) == 19


# -- the compiler's own process -----------------------------------------------------------------------------------------


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_the_first_step_that_fails_ends_a_build_with_its_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    copies = python("open('out', 'wb').write(open('main.x', 'rb').read().upper())")
    assert build.build(b"abc", "main.x", [python("pass"), copies], "out", {}) == {"output": b"ABC"}
    fails = python("import sys; print('one'); print('two', file=sys.stderr); sys.exit(3)")
    found = build.build(b"abc", "main.x", [fails, python("open('ran', 'w')")], "out", {})
    assert found["status"] == 3
    assert sorted(found["message"].split()) == ["one", "two"]
    assert not Path("ran").exists()
    assert "made no nothing" in build.build(b"", "main.x", [python("pass")], "nothing", {})["message"]


def test_a_long_message_is_cut_and_what_is_left_out_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    status, message = build.run(python("import sys; sys.stdout.write('x' * 300_000); sys.exit(1)"), {})
    kept, _, more = message.partition("\n")
    assert status == 1
    assert kept == "x" * build.MOST_MESSAGE_BYTES
    assert more == f"({300_000 - build.MOST_MESSAGE_BYTES} more bytes)"


def test_a_compiler_that_does_not_start_is_no_compiler() -> None:
    found = Found(TOOLCHAIN, (), "")
    assert _first_line(found, (sys.executable, "-c", "print(); print(' 1.2 '); print('more')")) == "1.2"
    for command in ("print('library missing'); raise SystemExit(1)", "pass"):
        with pytest.raises(UsageError, match="is here and does not start"):
            _first_line(found, (sys.executable, "-c", command))
    with pytest.raises(UsageError, match="does not start"):
        _first_line(found, ("/no/such/compiler",))
