"""Problem packages whose submissions and checkers are in several languages."""

import shutil
from pathlib import Path

import pytest

from reexec.engine.commands import CommandExecutor
from reexec.engine.errors import ReexecError
from reexec.runners.graders.packages.sources import read_source
from tests.conftest import lacking
from tests.integration.graders.test_packages import graded, package
from tests.support.helpers import read_rows, reexec

TESTS = {"secret/1": ("7\n", "any\n"), "secret/2": ("9\n", "any\n")}
BYE = "#include <stdio.h>\nint main(void) { return 3; }\n"
SUM_IN_C = """#include <stdio.h>
int main(void) { long n; if (scanf("%ld", &n) != 1) return 1; printf("%ld 3\\n", n - 3); return 0; }
"""
CHECKER = {
    "output_validators/validate.h": "#pragma once\n#define RIGHT 42\n#define WRONG 43\n",
    "output_validators/check.cpp": """
#include <fstream>
#include <iostream>
#include "validate.h"
#include "validate.h"
int main(int count, char **given) {
  std::ifstream in(given[1]), answer(given[2]);
  std::ofstream say(std::string(given[3]) + "judgemessage.txt");
  long wanted, a, b;
  std::string word;
  in >> wanted;
  answer >> word;
  if (word != "any" || (count > 4 && std::string(given[4]) != "strict")) return 1;
  if (!(std::cin >> a >> b)) { say << "two numbers, please"; return WRONG; }
  if (a < 0) { int *nothing = nullptr; *(volatile int *)nothing = 1; }
  if (a + b != wanted) { std::cerr << "that makes " << a + b; return WRONG; }
  return RIGHT;
}
""",
}


@pytest.fixture(scope="module", autouse=True)
def compilers() -> None:
    try:
        with CommandExecutor("contest", workers=1) as executor:
            for language in ("c", "cpp", "bash"):
                executor.require(language)
    except ReexecError as error:
        lacking(str(error))


def test_submissions_in_several_languages_come_out_as_labelled(tmp_path: Path) -> None:
    folder = package(
        tmp_path / "halves", "name: h\n", {"secret/1": ("7\n", "4 3\n")},
        {"accepted/a.c": SUM_IN_C, "accepted/a.sh": "read n\necho $((n - 3)) 3\n",
         "accepted/a.py": "print(int(input()) - 3, 3)\n",
         "accepted/a.cc": "#include <iostream>\nint main() { long n; std::cin >> n; std::cout << n - 3 << \" 3\"; }\n",
         "wrong_answer/a.c": SUM_IN_C.replace("n - 3", "n"), "run_time_error/a.c": BYE, "run_time_error/a.sh": "exit 4\n",
         "time_limit_exceeded/a.c": "int main(void) { for (;;) ; }\n", "compiler_error/a.c": "int main(void) {",
         "run_time_error/not.c": "int main(void) {", "mixed/a.c": "// @EXPECTED_RESULTS@: COMPILER-ERROR\nint main(void) {"},
    )  # fmt: skip
    _, rows = graded(tmp_path, folder)
    wrong = {name for name, row in rows.items() if row["as_labelled"] is not True}
    assert wrong == {"run_time_error/not.c"}, rows  # what does not compile is no error of its run
    assert rows["accepted/a.cc"]["language"] == "cpp"
    assert rows["compiler_error/a.c"]["verdict"] == "runtime-error"
    told = str(read_rows(tmp_path / "out.tests.jsonl"))
    assert "CompileError: main.c" in told


def test_the_package_may_say_the_language_itself(tmp_path: Path) -> None:
    folder = package(
        tmp_path / "named", "name: n\n", {"secret/1": ("1\n", "1\n")}, {"accepted/a.txtish": "read n\necho $n\n"},
        {"submissions/submissions.yaml": "accepted/*:\n  language: bash\n"},
    )  # fmt: skip
    _, rows = graded(tmp_path, folder)
    assert rows["accepted/a.txtish"]["as_labelled"] is True


def test_a_checker_in_another_language_decides(tmp_path: Path) -> None:
    folder = package(
        tmp_path / "sums", "validation: custom\n", {**TESTS, "secret/strict/1": ("5\n", "any\n")},
        {"accepted/a.py": "n = int(input())\nprint(n // 3, n - n // 3)\n", "accepted/a.c": SUM_IN_C,
         "wrong_answer/one.py": "print(input())\n", "wrong_answer/more.py": "print(input(), 1)\n",
         "mine/crash.py": "print(-1, 1)\n"},
        {**CHECKER, "data/secret/strict/testdata.yaml": "output_validator_flags: strict\n"},
    )  # fmt: skip
    done, rows = graded(tmp_path, folder)
    assert {name: (row["verdict"], row["as_labelled"]) for name, row in rows.items()} == {
        "accepted/a.py": ("accepted", True), "accepted/a.c": ("accepted", True),
        "wrong_answer/one.py": ("wrong-answer", True), "wrong_answer/more.py": ("wrong-answer", True),
        "mine/crash.py": ("engine-error", None),
    }  # fmt: skip
    assert done.code == 1
    details = [test.get("detail", "") for row in read_rows(tmp_path / "out.tests.jsonl") for test in row["tests"]]
    for said in ("two numbers, please", "that makes 8", "the checker failed: ended by signal 11"):
        assert said in details


def test_a_checker_that_does_not_compile_leaves_the_package_out(tmp_path: Path) -> None:
    bad = package(
        tmp_path / "bad", "validation: custom\n", TESTS, {"accepted/a.py": "print(1)\n"}, {"output_validators/c.c": "int main("}
    )
    good = package(tmp_path / "good", "name: good\n", {"secret/1": ("1\n", "1\n")}, {"accepted/a.py": "print(1)\n"})
    _, rows = graded(tmp_path, bad, good)
    assert [(row["task_id"], row["verdict"]) for row in rows.values()] == [("good", "accepted")]
    (reject,) = read_rows(tmp_path / "out.rejects.jsonl")
    assert "its output validator: CompileError: main.c" in reject["reason"]


def test_a_checker_finds_no_submission_and_no_other_test(tmp_path: Path) -> None:
    looks = """
want=$(cat "$1")
for each in /scratch/* /scratch/*/* /artefacts/*; do
  case "$each" in
    *"$(basename "$(dirname "$1")")"*) ;;
    /scratch/tmp*) [ -f "$each" ] && echo "a file of others: $each" >&2 && exit 43 ;;
    "/artefacts/*" | "/scratch/*" | "/scratch/*/*") ;;
    *) echo "seen: $each" >&2; exit 43 ;;
  esac
done
read said
[ "$said" = "$want" ] && exit 42
exit 43
"""
    folder = package(
        tmp_path / "looks", "validation: custom\n", TESTS,
        {"accepted/a.py": "print(input())\n", "accepted/a.c": SUM_IN_C.replace("%ld 3", "%ld").replace("n - 3", "n")},
        {"output_validators/looks.sh": looks},
    )  # fmt: skip
    _, rows = graded(tmp_path, folder)
    told = str(read_rows(tmp_path / "out.tests.jsonl"))
    assert [row["verdict"] for row in rows.values()] == ["accepted", "accepted"], told


def test_a_submission_in_another_language_cannot_reach_answers(tmp_path: Path) -> None:
    nosy = "read n\nfor each in / /artefacts /scratch /data; do grep -rhs any $each/* 2>/dev/null | head -n 1; done\necho 2\n"
    folder = package(tmp_path / "nosy", "name: n\n", {"secret/1": ("1\n", "any\n")}, {"rejected/nosy.sh": nosy})
    _, rows = graded(tmp_path, folder)
    assert rows["rejected/nosy.sh"]["as_labelled"] is True


def test_a_graded_submission_in_another_language_is_explained(tmp_path: Path) -> None:
    folder = package(
        tmp_path / "sums", "validation: custom\n", TESTS, {"wrong_answer/w.c": SUM_IN_C.replace("n - 3", "n")}, CHECKER
    )
    graded(tmp_path, folder)
    done = reexec("explain", tmp_path / "out.jsonl", ":1", env={"COLUMNS": "200"})
    assert done.code == 0, done.err
    for text in ("package, problem sums", "that makes 10", "int main(void)"):
        assert text in done.out


def test_a_toolchain_that_is_here_and_does_not_work_blames_no_submission(tmp_path: Path) -> None:
    toolchain = tmp_path / "broken.toml"
    toolchain.write_text(
        f"""language = "broken"
title = "Broken"
find = {{ bash = ["{shutil.which("bash")}"] }}
version = ["{{bash}}", "--version"]
install = "nothing"
trial = "echo 41"
[run]
arguments = ["{{bash}}", "{{artefact}}"]
processes = 4
"""
    )
    samples = tmp_path / "samples.jsonl"
    samples.write_text('{"code": "cat", "input_output": {"inputs": ["1"], "outputs": ["1"]}}\n')
    done = reexec("grade", "tests", "--language", toolchain, "--samples", samples, "-o", tmp_path / "out.jsonl")
    assert done.code == 2
    assert "Broken is here and does not work" in done.one_line()


def test_headers_are_put_where_a_source_includes_them(tmp_path: Path) -> None:
    files = {
        "main.c": '#include <stdio.h>\n#include "a.h"\n#include "b.h"\n#include "else.h"\nint main(void) {}\n',
        "a.h": '#include "b.h"\nint a;\n',
        "b.h": '#pragma once\n#include "a.h"\nint b;\n',
        "README.md": "",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    found = read_source(sorted(tmp_path.iterdir()))
    assert (found.language, found.fault) == ("c", "")
    assert (found.text.count("int a;"), found.text.count("int b;")) == (1, 1)
    assert '#include "else.h"' in found.text
