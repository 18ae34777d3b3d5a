"""`reexec grade package`: submissions end as labelled, what cannot be graded is left out with a word."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.helpers import EXAMPLES, Done, read_rows, reexec

TIDES = EXAMPLES / "graders" / "packages" / "tides"
CHECKER = """
import sys
with open(sys.argv[1]) as given, open(sys.argv[2]) as answer, open(sys.argv[3] + "judgemessage.txt", "w") as say:
    total = int(given.read())
    assert answer.read().strip() == "any"
    words = sys.stdin.read().split()
    if len(words) != 2 or "strict" in sys.argv and words[0] > words[1]:
        say.write("two words, please")
        sys.exit(43)
    if words[0] == "crash":
        raise ValueError
    sys.exit(42 if int(words[0]) + int(words[1]) == total else 43)
"""


def package(folder: Path, about: str, tests: dict[str, tuple[str, str]], submissions: dict[str, str], more: Any = None) -> Path:
    """A package with files in data/ (name to input and answer), submissions/ and elsewhere."""
    files = {"problem.yaml": about, **(more or {})}
    files |= {f"submissions/{name}": source for name, source in submissions.items()}
    for name, (given, answer) in tests.items():
        files |= {f"data/{name}.in": given, f"data/{name}.ans": answer}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def graded(tmp_path: Path, *folders: Path) -> tuple[Done, dict[str, dict[str, Any]]]:
    done = reexec("grade", "package", *folders, "-o", tmp_path / "out.jsonl", "--json", "--set", "limits.cpu_s=2")
    assert done.out, done.err
    return done, {row["submission"]: row for row in read_rows(tmp_path / "out.jsonl")}


def test_the_bundled_package_comes_out_as_labelled(tmp_path: Path) -> None:
    done, rows = graded(tmp_path, TIDES)
    assert done.code == 0
    assert {name.partition("/")[0]: row["verdict"] for name, row in rows.items()} == {
        "accepted": "accepted", "run_time_error": "runtime-error", "time_limit_exceeded": "cpu-limit",
        "wrong_answer": "wrong-answer",
    }  # fmt: skip
    assert all(row["as_labelled"] is True for row in rows.values())
    assert (done.summary["as_labelled"], done.summary["otherwise"]) == (4, 0)
    tests = {row["line"]: row["tests"] for row in read_rows(tmp_path / "out.tests.jsonl")}
    assert [test["name"] for test in tests[1]] == ["sample/1", "secret/1", "secret/2", "secret/big/1"]


def test_a_wrong_label_is_told(tmp_path: Path) -> None:
    folder = package(
        tmp_path / "one", "name: one\n", {"secret/1": ("1\n", "1\n")},
        {"accepted/no.py": "print(2)\n", "wrong_answer/yes.py": "print(input())\n", "rejected/bad.py": "1 / 0\n",
         "mixed/also.py": "# @EXPECTED_RESULTS@: WRONG-ANSWER, TIMELIMIT\nprint(2)\n", "mine/other.py": "print(2)\n"},
    )  # fmt: skip
    done, rows = graded(tmp_path, folder)
    assert {name: row["as_labelled"] for name, row in rows.items()} == {
        "accepted/no.py": False, "wrong_answer/yes.py": False, "rejected/bad.py": True, "mixed/also.py": True,
        "mine/other.py": None,
    }  # fmt: skip
    assert (done.summary["as_labelled"], done.summary["otherwise"], done.summary["without_label"]) == (2, 2, 1)


def test_a_checker_of_the_package_decides_and_gets_flags_of_its_groups(tmp_path: Path) -> None:
    folder = package(
        tmp_path / "sums", "validation: custom\nvalidator_flags: unused\n",
        {"secret/1": ("7\n", "any\n"), "secret/strict/1": ("9\n", "any\n")},
        {"accepted/a.py": "n = int(input())\nprint(n // 3, n - n // 3)\n",
         "wrong_answer/order.py": "n = int(input())\nprint(n, 0)\n",
         "wrong_answer/one.py": "print(input())\n", "mine/crash.py": "print('crash', 1)\n"},
        {"output_validators/check.py": CHECKER, "data/secret/strict/testdata.yaml": "output_validator_flags: strict\n"},
    )  # fmt: skip
    done, rows = graded(tmp_path, folder)
    found = {name: (row["verdict"], row["as_labelled"]) for name, row in rows.items()}
    assert found == {
        "accepted/a.py": ("accepted", True), "wrong_answer/order.py": ("wrong-answer", True),
        "wrong_answer/one.py": ("wrong-answer", True), "mine/crash.py": ("engine-error", None),
    }  # fmt: skip
    assert done.code == 1
    details = [test.get("detail", "") for row in read_rows(tmp_path / "out.tests.jsonl") for test in row["tests"]]
    assert "two words, please" in details
    assert any("the checker failed" in detail for detail in details)


@pytest.mark.parametrize(
    ("about", "more", "reason"),
    [
        ("validation: custom interactive\n", {}, "interactive problems are not graded here"),
        ("type: interactive\n", {}, "interactive problems are not graded here"),
        ("type: [pass-fail, multi-pass]\n", {}, "multi-pass"),
        ("validation: custom\n", {"output_validators/check.zig": "?"}, "a program in zig, an ending that no language here has"),
        ("validation: custom\n", {"output_validators/build": "#!/bin/sh\n"}, "a program with a build of its own"),
        ("validation: custom\n", {"output_validators/a/a.py": "", "output_validators/b/b.py": ""}, "there are 2 of them"),
        ("validation: custom\n", {}, "no program"),
        ("validator_flags: no_such\n", {}, "no flag 'no_such'"),
    ],
)
def test_a_package_that_cannot_be_graded_is_left_out_with_a_word(
    tmp_path: Path, about: str, more: dict[str, str], reason: str
) -> None:
    bad = package(tmp_path / "bad", about, {"secret/1": ("1\n", "1\n")}, {"accepted/a.py": "print(1)\n"}, more)
    good = package(tmp_path / "good", "name: good\n", {"secret/1": ("1\n", "1\n")}, {"accepted/a.py": "print(1)\n"})
    done, rows = graded(tmp_path, bad, good)
    assert done.code == 1
    assert [(row["task_id"], row["verdict"]) for row in rows.values()] == [("good", "accepted")]
    (reject,) = read_rows(tmp_path / "out.rejects.jsonl")
    assert reason in reject["reason"]


def test_programs_of_no_known_language_and_of_several_files_are_left_out_with_a_word(tmp_path: Path) -> None:
    folder = package(
        tmp_path / "langs", "name: l\n", {"secret/1": ("1\n", "1\n")},
        {"accepted/a.py": "print(1)\n", "accepted/b.zig": "?", "accepted/two/main.py": "import other\n",
         "accepted/two/other.py": "print(1)\n", "accepted/one/main.py": "print(1)\n"},
    )  # fmt: skip
    _, rows = graded(tmp_path, folder)
    assert sorted(rows) == ["accepted/a.py", "accepted/one"]
    reasons = [row["reason"] for row in read_rows(tmp_path / "out.rejects.jsonl")]
    assert ["accepted/b.zig: a program in zig" in reasons[0], "of several files" in reasons[1]] == [True, True]


def test_the_packages_own_time_limit_counts(tmp_path: Path) -> None:
    busy = "import time\nwhile time.process_time() < 0.6:\n    pass\nprint(1)\n"
    tests = {"secret/1": ("1\n", "1\n")}
    short = package(tmp_path / "short", "limits:\n  time_limit: 0.3\n", tests, {"time_limit_exceeded/a.py": busy})
    ini = package(tmp_path / "ini", "name: i\n", tests, {"accepted/a.py": busy}, {"domjudge-problem.ini": "timelimit = 5\n"})
    _, rows = graded(tmp_path, short, ini)
    assert {row["task_id"]: (row["verdict"], row["as_labelled"]) for row in rows.values()} == {
        "short": ("cpu-limit", True), "ini": ("accepted", True),
    }  # fmt: skip


def test_a_submission_cannot_reach_answers_or_the_checker(tmp_path: Path) -> None:
    nosy = (
        "import os\nfor folder, inside, files in os.walk('/'):\n"
        "    inside[:] = [name for name in inside if folder != '/' or name not in ('proc', 'sys', 'usr', 'lib')]\n"
        "    for name in files:\n        if name.endswith('.ans'):\n"
        "            print(open(os.path.join(folder, name)).read())\n            raise SystemExit\nprint(2)\n"
    )
    folder = package(tmp_path / "nosy", "name: n\n", {"secret/1": ("1\n", "1\n")}, {"wrong_answer/nosy.py": nosy})
    _, rows = graded(tmp_path, folder)
    assert rows["wrong_answer/nosy.py"]["verdict"] == "wrong-answer"


def test_a_graded_submission_is_explained(tmp_path: Path) -> None:
    graded(tmp_path, TIDES)
    done = reexec("explain", tmp_path / "out.jsonl", ":4", env={"COLUMNS": "200"})
    assert done.code == 0, done.err
    for text in ("package, problem tides", "sample/1", "2.333333333", "word 1: '2'"):
        assert text in done.out


@pytest.mark.parametrize("arguments", [("no/such",), (".",), (str(TIDES), str(TIDES))])
def test_what_is_no_package_is_refused_in_one_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = reexec("grade", "package", *arguments, "-o", tmp_path / "out.jsonl", cwd=tmp_path)
    assert done.code == 2
    done.one_line()


def test_a_second_run_has_nothing_to_do_and_a_changed_package_is_another_run(tmp_path: Path) -> None:
    folder = package(tmp_path / "again", "name: a\n", {"secret/1": ("1\n", "1\n")}, {"accepted/a.py": "print(1)\n"})
    graded(tmp_path, folder)
    done, _ = graded(tmp_path, folder)
    assert done.summary["resumed_rows"] == 1
    (folder / "data" / "secret" / "1.ans").write_text("2\n")
    refused = reexec("grade", "package", folder, "-o", tmp_path / "out.jsonl", "--set", "limits.cpu_s=2")
    assert refused.code == 2
