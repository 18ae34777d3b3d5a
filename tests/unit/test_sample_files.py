"""Files of samples and of problems in the forms in which the benchmarks publish them and their tools write them."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from reexec import UsageError
from reexec.runners.graders.code import code_of
from reexec.runners.graders.io_sets import read_tests
from reexec.runners.graders.problems import Problems
from reexec.runners.graders.samples import one_a_row
from reexec.runners.graders.task import BadSampleError
from tests.support.helpers import read_rows, write_rows

TACO = [{"task_id": 0, "prompt": "Q", "output": ["print(1)\n", "print(2)\n"]}, {"task_id": 1, "prompt": "Q", "output": ["x"]}]
LCB = [
    {"question_id": "abc_a", "code_list": ["a", "b"], "output_list": ["```a```", "```b```"], "platform": "atcoder"},
    {"question_id": "3045", "code_list": ["c"], "output_list": ["c"]},
]
APPS = {"0": ["a", "b"], "17": ["c"]}


def spread(tmp_path: Path, text: str | bytes, name: str = "given.json") -> list[Any]:
    path = tmp_path / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode() if isinstance(text, str) else text))
    elif isinstance(text, str):
        path.write_text(text)
    else:
        path.write_bytes(text)
    found = one_a_row(path, tmp_path / "spread.jsonl")
    assert found != path
    return read_rows(found)


@pytest.mark.parametrize("indent", [None, 4])
@pytest.mark.parametrize("name", ["given.json", "given.json.gz"])
def test_tacos_generations_are_a_sample_for_each_text(tmp_path: Path, indent: int | None, name: str) -> None:
    rows = spread(tmp_path, json.dumps(TACO, indent=indent), name)
    assert [(row["task_id"], row["code"], row["sample"]) for row in rows] == [
        (0, "print(1)\n", 0),
        (0, "print(2)\n", 1),
        (1, "x", 0),
    ]
    assert all("output" not in row and row["prompt"] == "Q" for row in rows)


@pytest.mark.parametrize("lines", [False, True])
def test_livecodebenchs_outputs_are_a_sample_for_each_code(tmp_path: Path, lines: bool) -> None:
    text = "".join(f"{json.dumps(row)}\n" for row in LCB) if lines else json.dumps(LCB)
    rows = spread(tmp_path, text)
    assert [(row["question_id"], row["code"]) for row in rows] == [("abc_a", "a"), ("abc_a", "b"), ("3045", "c")]
    assert rows[0]["platform"] == "atcoder"
    assert "output_list" not in rows[0]


@pytest.mark.parametrize("indent", [None, 2])
def test_apps_codes_are_by_the_problems_number(tmp_path: Path, indent: int | None) -> None:
    rows = spread(tmp_path, json.dumps(APPS, indent=indent))
    assert [(row["task_id"], row["code"]) for row in rows] == [("0", "a"), ("0", "b"), ("17", "c")]


def test_apps_codes_on_one_line_of_megabytes(tmp_path: Path) -> None:
    rows = spread(tmp_path, json.dumps({"0": ["#" * (1 << 21)], "1": ["b"]}))
    assert [len(row["code"]) for row in rows] == [1 << 21, 1]


def test_evalplus_folders_are_a_sample_for_each_file(tmp_path: Path) -> None:
    for task, number, text in (
        ("HumanEval_2", 0, "b"),
        ("HumanEval_10", 0, "d"),
        ("HumanEval_2", 10, "c"),
        ("HumanEval_2", 9, "é"),
    ):
        folder = tmp_path / "samples" / task
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.py").write_text(text)
    (tmp_path / "samples" / "HumanEval_2" / "note.txt").write_text("no sample")
    rows = read_rows(one_a_row(tmp_path / "samples", tmp_path / "spread.jsonl"))
    assert [(row["task_id"], row["solution"]) for row in rows] == [
        ("HumanEval/2", "b"), ("HumanEval/2", "é"), ("HumanEval/2", "c"), ("HumanEval/10", "d"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        '{"task_id": 1, "completion": "x"}\n{"task_id": 2, "completion": "y"}\n',
        '{"task_id": 1, "messages": [{"role": "assistant", "content": "x"}]}\n',
        '{"task_id": 1, "output": [{"role": "assistant", "content": "x"}]}\n', "no JSON\n", "", '{"a": \n', "[1, 2\n",
        "\ufeff" + '{"task_id": 1, "completion": "x"}\n',
    ],
)  # fmt: skip
def test_json_lines_of_one_sample_a_row_are_read_as_they_are(tmp_path: Path, text: str) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text(text)
    assert one_a_row(path, tmp_path / "spread.jsonl") == path
    assert not (tmp_path / "spread.jsonl").exists()


def test_a_wrong_row_among_lists_is_told_and_loses_no_other(tmp_path: Path) -> None:
    rows = spread(tmp_path, json.dumps([*TACO, 7, {"task_id": 5}, {"task_id": 6, "output": []}]))
    assert [row.get("task_id") for row in rows] == [0, 0, 1, None, 5]


def test_lists_that_name_no_problem_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not say which problem"):
        spread(tmp_path, '[["a"], ["b"]]')
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no samples"):
        one_a_row(tmp_path / "empty", tmp_path / "spread.jsonl")


# -- problems -----------------------------------------------------------------------------------------------------------


def test_apps_folders_are_problems_by_their_numbers(tmp_path: Path) -> None:
    for name, output in (("0000", "1\n"), ("0017", "2\n")):
        folder = tmp_path / "test" / name
        folder.mkdir(parents=True)
        (folder / "input_output.json").write_text(json.dumps({"inputs": ["\n"], "outputs": [output]}))
        (folder / "question.txt").write_text("?")
    problems = Problems([tmp_path / "test"], ())
    assert [key for key, _ in problems] == ["0", "17"]
    assert problems.key_of("0017") == problems.key_of(17) == "17"
    assert problems.key_of("0000") == "0"
    assert problems.key_of("18") is None
    tests = read_tests(problems["17"])
    assert tests is not None
    assert tests.outputs == ("2\n",)
    assert [key for key, _ in Problems([tmp_path / "test" / "0017"], ())] == ["17"]
    with pytest.raises(UsageError, match=r"a folder without input_output\.json"):
        Problems([tmp_path / "test" / "0017" / ".." / ".."], ())


def test_problems_without_ids_have_numbers_from_0(tmp_path: Path) -> None:
    rows = [{"input_output": "{}", "name": name} for name in (None, "Sum", "Sum")]
    problems = Problems([write_rows(tmp_path / "taco.jsonl", rows)], ())
    assert [(key, row["name"]) for key, row in problems] == [("0", None), ("1", "Sum"), ("2", "Sum")]
    named = Problems([write_rows(tmp_path / "cc.jsonl", [{"name": "1575_A"}, {"name": "1575_B"}])], ())
    assert [key for key, _ in named] == ["1575_A", "1575_B"]


def test_two_problems_of_one_id_in_a_file_are_refused_and_a_further_file_adds_members(tmp_path: Path) -> None:
    one = write_rows(tmp_path / "one.jsonl", [{"task_id": 1, "a": 1}, {"task_id": 1, "a": 1}])
    more = write_rows(tmp_path / "more.jsonl", [{"task_id": 1, "b": 2}])
    assert Problems([one, more], ("a", "b"))["1"] == {"task_id": 1, "a": 1, "b": 2}
    with pytest.raises(UsageError, match="line 2: another problem 1 stands in line 1"):
        Problems([write_rows(tmp_path / "two.jsonl", [{"task_id": 1, "a": 1}, {"task_id": 1, "a": 2}])], ())


def test_the_tests_of_codecontests_are_three_sets_of_columns() -> None:
    row = {
        "name": "1575_A. Sorting", "public_tests": {"input": ["1\n"], "output": ["2\n"]},
        "private_tests": {"input": ["3\n", "4\n"], "output": ["5\n", "6\n"]}, "generated_tests": {"input": [], "output": []},
    }  # fmt: skip
    tests = read_tests(row)
    assert tests is not None
    assert (tests.inputs, tests.outputs) == (("1\n", "3\n", "4\n"), ("2\n", "5\n", "6\n"))
    with pytest.raises(ValueError, match=r"\$\.private_tests"):
        read_tests({"private_tests": {"input": ["1"], "output": []}})
    assert read_tests({"input_output": "", "task_id": 1}) is None


def test_files_that_cannot_be_read_say_what_is_wrong_with_them(tmp_path: Path) -> None:
    row = {"task_id": "a", "test_list": ["assert f(1) == 1"]}
    for name, data, said in [
        ("plain.jsonl.gz", json.dumps(row).encode(), "is not compressed by gzip, as its name says"),
        ("cut.jsonl.gz", gzip.compress(json.dumps(row).encode() * 99)[:-9], "the file breaks off"),
        ("wide.jsonl", json.dumps(row).encode("utf-16"), "UTF-16"),
        ("empty.jsonl", b"\n", "no problems in it"),
        (
            "text.jsonl",
            json.dumps(row | {"test_list": "assert f(1) == 1"}).encode(),
            r"problem a: expected a list of texts, at \$\.test_list",
        ),
    ]:
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(UsageError, match=said):
            Problems([path], ("test_list",))
        if "problem" not in said:  # an empty file of samples is no fault
            with pytest.raises(UsageError, match=said):
                one_a_row(path, tmp_path / "spread.jsonl")
    (tmp_path / "marked.json").write_text("\ufeff" + json.dumps([row]))
    assert len(Problems([tmp_path / "marked.json"], ("test_list",))) == 1


def test_a_sample_with_no_known_member_is_refused_and_an_empty_one_is_no_answer() -> None:
    with pytest.raises(BadSampleError, match=r"has none of solution, code, completion, .*, at \$"):
        code_of({"task_id": "a", "programme": "x"})
    assert code_of({"task_id": "a", "code": None}).text == ""
