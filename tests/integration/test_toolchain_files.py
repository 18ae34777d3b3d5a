"""What a toolchain file can say, shown with languages that are C under another name."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reexec import Command, CommandExecutor, UsageError, load_policy
from reexec.engine.commands.probe import find
from reexec.engine.commands.toolchain import toolchain_named
from tests.conftest import lacking

LIMITS = (
    "limits.cpu_s=1",
    "limits.idle_s=1",
    "limits.memory_bytes=134217728",
    "limits.capture_bytes=1048576",
    "limits.confirm=false",
)
ADDS = '#include <stdio.h>\nint main(void) { long a, b; scanf("%ld %ld", &a, &b); printf("%ld\\n", a + b); return 0; }'
TOOLCHAIN = """
language = "{language}"
title = "C"
aliases = ["{language}-alias"]
find = {{ cc = ["gcc", "cc"] }}
version = ["{{cc}}", "--version"]
install = "gcc"
[compile]
source = "main.c"
output = "main"
programs = ["as", "ld"]
shows = ["/usr/include"]
steps = [["{{cc}}", "-w", "-o", "{{output}}", "{{source}}"]]
"""


def toolchain_file(folder: Path, language: str, more: str = "") -> str:
    path = folder / f"{language}.toml"
    path.write_text(TOOLCHAIN.format(language=language) + more)
    return str(path)


@pytest.fixture(scope="module")
def executor() -> Iterator[CommandExecutor]:
    try:
        find(toolchain_named("c"))
    except UsageError as error:
        lacking(str(error))
    with CommandExecutor(load_policy("contest", settings=LIMITS), workers=1) as made:
        yield made


def test_a_run_time_that_says_that_it_has_no_memory_passed_the_limit(executor: CommandExecutor, tmp_path: Path) -> None:
    more = "out_of_memory = 'error: .* full'\n[run]\nout_of_memory = 'heap is full'\n"
    file = toolchain_file(tmp_path, "heapy", more)
    said = {
        'fputs("heap is full", stderr); return 3;': "memory-limit",
        'fputs("heap is full", stderr); abort();': "memory-limit",
        'fputs("heap is full", stderr); return 0;': "value",
        'puts("heap is full"); return 3;': "value",
        'fputs("heap is fine", stderr); return 3;': "value",
        "\n#error disk full\n": "memory-limit",
        "\n#error disk empty\n": "exception",
    }
    programs = [f"#include <stdio.h>\n#include <stdlib.h>\nint main(void) {{ {body} }}" for body in said]
    outcomes = [executor.submit(Command(program, file), "").result(60) for program in programs]
    assert [outcome.kind for outcome in outcomes] == list(said.values()), [outcome.describe() for outcome in outcomes]
    assert outcomes[0].describe() == "memory-limit: its run time had no memory left (exit status 3)"
    assert "SIGABRT" in outcomes[1].describe()
    assert "while compiling" in outcomes[5].detail


def test_a_run_time_may_be_told_the_limits_and_where_it_is(executor: CommandExecutor, tmp_path: Path) -> None:
    more = '[run]\narguments = ["{artefact}", "{memory_mib}", "{stack_kib}", "{half_stack_kib}"]\nstack_bytes = 4_194_304\n'
    file = toolchain_file(tmp_path, "told", more + 'links = { "/proc/self/exe" = "/artefacts/program" }\n')
    source = (
        "#include <stdio.h>\n#include <unistd.h>\n#include <sys/resource.h>\nint main(int n, char **v) { "
        'char link[99]; struct rlimit most; getrlimit(RLIMIT_STACK, &most); link[readlink("/proc/self/exe", link, 98)] = 0; '
        'printf("%s %s %s %ld %s\\n", v[1], v[2], v[3], (long)most.rlim_cur >> 10, link); return 0; }'
    )
    outcome = executor.submit(Command(source, file), "").result(60)
    assert outcome.stdout == "128 4096 2048 4096 /artefacts/program\n", outcome.describe()


def test_what_all_compilations_need_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    makes = (
        "mkdir {prepared}/include && echo 'int made = 42;' > {prepared}/include/made.h && echo one > {prepared}/counted"
        f" && echo made >> {tmp_path}/times"
    )
    more = f'prepare = [["/bin/sh", "-c", "{makes}"]]\nenvironment = {{ CPATH = "{{prepared}}/include" }}\n'
    file = toolchain_file(tmp_path, "prepares", more)
    source = '#include <stdio.h>\n#include "made.h"\nint main(void) { printf("%d\\n", made); return 0; }'
    for _ in range(2):
        with CommandExecutor(load_policy("contest", settings=LIMITS), workers=1) as executor:
            outcome = executor.submit(Command(source, file), "").result(60)
            assert outcome.stdout == "42\n", outcome.describe()
    assert (tmp_path / "times").read_text() == "made\n"
    (kept,) = (tmp_path / "cache" / "reexec" / "toolchains").iterdir()
    assert sorted(path.name for path in kept.iterdir()) == ["counted", "include"]


def test_a_host_that_cannot_prepare_compiles_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = toolchain_file(tmp_path, "fails", 'prepare = [["/bin/sh", "-c", "exit 3"]]\n')
    with CommandExecutor(load_policy("contest", settings=LIMITS), workers=1) as executor:
        assert executor.submit(Command(ADDS, file), "1 2").result(60).stdout == "3\n"
    assert not list((tmp_path / "cache" / "reexec" / "toolchains").iterdir())


def test_a_compiler_that_crashes_is_said_to(executor: CommandExecutor, tmp_path: Path) -> None:
    file = Path(toolchain_file(tmp_path, "crashes"))
    text = file.read_text().replace('steps = [["{cc}"', 'steps = [["/bin/sh", "-c", "echo so far; kill -6 $$"], ["{cc}"')
    file.write_text(text.replace('shows = ["', 'shows = ["/bin/sh", "'))
    outcome = executor.submit(Command(ADDS, str(file)), "").result(60)
    assert outcome.describe() == "CompileError: so far\n(the compiler ended by signal 6)"


def test_a_folder_of_toolchains_adds_languages_and_replaces_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = toolchain_named("c")
    toolchain_file(tmp_path, "c")
    toolchain_file(tmp_path, "mine")
    monkeypatch.setenv("REEXEC_TOOLCHAINS", str(tmp_path))
    assert toolchain_named("c").title == "C" != ours.title
    assert toolchain_named("MINE-alias").language == "mine"
    assert toolchain_named("cpp").language == "cpp"
    monkeypatch.setenv("REEXEC_TOOLCHAINS", str(tmp_path / "none"))
    with pytest.raises(UsageError, match=r"REEXEC_TOOLCHAINS: .*none is no folder"):
        toolchain_named("c")


def test_a_bad_regular_expression_is_said_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"bad\.toml: .*not a regular expression.*\$\.run\.out_of_memory"):
        toolchain_named(toolchain_file(tmp_path, "bad", "[run]\nout_of_memory = '('\n"))


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("public class A {}", "A"),
        ("// public class Old\npublic final class B { }", "B"),
        ("class C { public static void main(String[] a) {} }", "C"),
        ("class Node { int v; }\nclass D {\n  static class In {}\n  public static void main(String... a) {}\n}", "D"),
        ("class E {\n  public class In {}\n  public static void main(String[] a) {}\n}", "E"),
        ("class Helper { }\npublic record F(int x) { }", "F"),
        ("class Other { void run() {} }", "Main"),
    ],
)
def test_a_java_program_is_put_in_a_file_of_its_classs_name(source: str, name: str) -> None:
    compiles = toolchain_named("java").compile
    assert compiles is not None
    assert compiles.name_of(source) == name
