"""CommandExecutor as a library: compiled once, in order, cancelled, with a toolchain of one's own."""

import json
import threading
from collections.abc import Generator, Iterator
from pathlib import Path

import psutil
import pytest

from reexec import Command, CommandExecutor, Script, UsageError, load_policy
from reexec.engine.commands.probe import find
from reexec.engine.commands.toolchain import known, toolchain_named
from reexec.engine.executor import Executor
from tests.conftest import lacking
from tests.support.helpers import all_gone, wait_until

LIMITS = (
    "limits.cpu_s=1",
    "limits.idle_s=1",
    "limits.memory_bytes=134217728",
    "limits.capture_bytes=1048576",
    "limits.confirm=false",
)
ADDS = '#include <stdio.h>\nint main(void) { long a, b; scanf("%ld %ld", &a, &b); printf("%ld\\n", a + b); return 0; }'


@pytest.fixture(scope="module")
def executor() -> Iterator[CommandExecutor]:
    try:
        find(toolchain_named("c"))
    except UsageError as error:
        lacking(str(error))
    with CommandExecutor(load_policy("contest", settings=LIMITS), workers=2) as made:
        yield made


def test_a_program_is_compiled_once_whoever_asks(executor: CommandExecutor) -> None:
    program = Command(f"/* {threading.get_ident()} */ {ADDS}", "c")
    before = len(list(executor.artefacts.folder.iterdir()))
    futures = [executor.submit(program, f"{n} 1\n") for n in range(20)]
    assert [future.result(60).stdout for future in futures] == [f"{n + 1}\n" for n in range(20)]
    assert len(list(executor.artefacts.folder.iterdir())) == before + 1


def test_many_programs_come_back_in_order_with_those_that_do_not_compile(executor: CommandExecutor) -> None:
    items = [(Command(ADDS.replace("a + b", text), "c"), "7 3\n", text) for text in ("a + b", "a -", "a * b", "a - b")]
    found = [(tag, outcome.kind, outcome.stdout) for outcome, tag in executor.run_many(items) if outcome is not None]
    assert found == [
        ("a + b", "value", "10\n"),
        ("a -", "exception", ""),
        ("a * b", "value", "21\n"),
        ("a - b", "value", "4\n"),
    ]


def test_languages_and_python_scripts_share_one_stream(executor: CommandExecutor) -> None:
    items = [(Command(ADDS, "gcc"), "1 2", 1), (Script("print(sum(map(int, input().split())))"), "3 4", 2), (None, "", 3)]
    outcomes = {tag: outcome and outcome.stdout for outcome, tag in executor.run_many(items, ordered=False)}
    assert outcomes == {1: "3\n", 2: "7\n", 3: None}


def test_a_closed_stream_cancels_what_is_left(executor: CommandExecutor) -> None:
    sleeps = Command("#include <unistd.h>\nint main(void) { pause(); }", "c")
    assert executor.submit(Command(ADDS, "c"), "1 1").result(60).stdout == "2\n"
    assert executor.submit(sleeps, "").result(60).kind == "wall-limit"  # both are compiled: all are on their way at once
    before = executor.statistics()
    stream = executor.run_many([(Command(ADDS, "c"), "1 1", 0), *((sleeps, "", n) for n in range(30))])
    assert isinstance(stream, Generator)
    next(stream)
    stream.close()
    assert executor.submit(Command(ADDS, "c"), "2 2").result(20).stdout == "4\n"
    wait_until(lambda: (now := executor.statistics()).submitted == now.completed + now.cancelled)
    assert executor.statistics().cancelled > before.cancelled, "30 were on their way, two at a time, for a second each"


def test_a_toolchain_of_ones_own(executor: CommandExecutor, tmp_path: Path) -> None:
    file = tmp_path / "upper.toml"
    file.write_text(
        'language = "upper"\ntitle = "C with a macro"\nfind = { cc = ["gcc", "cc"] }\nversion = ["{cc}", "--version"]\n'
        'install = "apt-get install gcc"\n[compile]\nsource = "main.c"\noutput = "main"\nprograms = ["as", "ld"]\n'
        'shows = ["/usr/include"]\nsteps = [["{cc}", "-DANSWER=42", "-o", "{output}", "{source}"]]\n'
    )
    source = '#include <stdio.h>\nint main(void) { printf("%d\\n", ANSWER); return 0; }'
    assert executor.submit(Command(source, str(file)), "").result(60).stdout == "42\n"
    file.with_name("bad.toml").write_text('language = "x"\nfinds = 3\n')
    with pytest.raises(UsageError, match=r"bad\.toml"):
        executor.submit(Command(source, str(file.with_name("bad.toml"))), "")


def test_a_toolchain_with_other_flags_is_another_one_whatever_it_calls_its_language(
    executor: CommandExecutor, tmp_path: Path
) -> None:
    source = '#include <stdio.h>\n#ifndef ANSWER\n#define ANSWER 1\n#endif\nint main(void) { printf("%d\\n", ANSWER); }'
    text = find(toolchain_named("c")).toolchain.model_dump_json()
    files = []
    for answer in ("2", "3"):
        (tmp_path / answer).mkdir()
        files.append(tmp_path / answer / "c.toml")
        flags = json.loads(text)["compile"]["steps"][0][1:]
        files[-1].write_text(
            'language = "c"\ntitle = "C"\nfind = { cc = ["gcc", "cc"] }\nversion = ["{cc}", "--version"]\ninstall = "gcc"\n'
            '[compile]\nsource = "main.c"\noutput = "main"\nprograms = ["as", "ld"]\nshows = ["/usr/include"]\n'
            f"steps = [{json.dumps(['{cc}', f'-DANSWER={answer}', *flags])}]\n"
        )
    asked = [executor.submit(Command(source, name), "") for name in ("c", *map(str, files), "gcc")]
    assert [future.result(60).stdout for future in asked] == ["1\n", "2\n", "3\n", "1\n"]


def test_programs_run_under_the_limits_that_were_given(executor: CommandExecutor) -> None:
    policy = executor._language("c").executor.policy
    assert policy.limits == executor.policy.limits
    assert (policy.prelude, policy.warm) == ((), ()), "those are of Python"


def test_a_failure_of_the_host_is_an_outcome_of_its_own_in_a_stream(
    executor: CommandExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(content: bytes, ending: str = "") -> str:
        raise OSError(28, "No space left on device")

    fresh = Command(f"/* {threading.get_ident()} full */ {ADDS}", "c")
    with monkeypatch.context() as patch:
        patch.setattr(executor.artefacts, "put", full)
        ((outcome, tag),) = executor.run_many([(fresh, "1 2", "tag")])
    assert outcome is not None
    assert (outcome.kind, tag) == ("engine-error", "tag")
    assert "No space left on device" in outcome.detail
    assert executor.submit(fresh, "1 2").result(60).stdout == "3\n", "and nothing is held against the program"


def test_what_cannot_be_run_is_said_where_it_is_asked(executor: CommandExecutor) -> None:
    with pytest.raises(UsageError, match="no language 'cobol'"):
        executor.submit(Command("", "cobol"), "")
    with pytest.raises(UsageError, match="capture_bytes"):
        CommandExecutor(load_policy("codeio"))
    with (
        Executor(load_policy("contest", settings=LIMITS), workers=1) as plain,
        pytest.raises(UsageError, match="CommandExecutor"),
    ):
        plain.submit(Command(ADDS, "c"), "")


def test_every_language_that_comes_with_reexec_has_names_of_its_own() -> None:
    names = [name for toolchain in known().values() for name in toolchain.names]
    assert {"c", "cpp", "javascript", "bash", "go", "java", "rust", "python"} <= set(known())
    assert len(names) == len(set(names))
    assert all(name == name.lower() for name in names)


def test_nothing_is_left_of_an_executor_that_was_shut_down() -> None:
    with CommandExecutor(load_policy("contest", settings=LIMITS), workers=1) as made:
        folder = made.artefacts.folder
        assert made.submit(Command(ADDS, "c"), "1 1").result(60).stdout == "2\n"
        language = made._language("c")
        compiling = language.compiler._executor
        assert compiling is not None
        workers = [psutil.Process(pid) for one in (language.executor, compiling) for pid in one.worker_pids()]
        assert workers
    assert not folder.exists()
    all_gone(workers)
    with pytest.raises(UsageError, match="shut down"):
        made.submit(Command(ADDS, "c"), "")
