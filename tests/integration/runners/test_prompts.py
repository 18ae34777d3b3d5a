"""Prompts: the first pairs of every function in both directions, values as JSON, and what a row carries."""

import json
from pathlib import Path
from typing import Any

import pytest

from reexec.engine.errors import UsageError
from reexec.runners.answers import extract_answer
from reexec.runners.records.functions import parse_function
from reexec.runners.rows.row import Selection
from reexec.runners.rows.text import dump
from reexec.runners.stages.prompts import Prompts, PromptsSettings, prompt_id, prompts
from tests.conftest import ROOT, lacking
from tests.support.helpers import FUNCTIONS, Row, function_row, read_rows, reexec, write_rows
from tests.support.progress import StopAfter

assert Prompts.texts_file is not None
TEXTS = Prompts.texts_file

SAMPLE = ROOT.parent / "shared" / "data" / "codeio_parsed.jsonl"
TRICKY = {"flag": True, "none": None, "text": 'a "quoted" Größe {x}', "huge": 10**400, "half": 0.5}


def one(tmp_path: Path, row: Row | str, **more: Any) -> list[Row]:
    prompts(write_rows(tmp_path / "f.jsonl", [row]), tmp_path / "m.jsonl", PromptsSettings(**more))
    return read_rows(tmp_path / "m.jsonl")


def asked(row: Row) -> str:
    return str(row["messages"][-1]["content"])


def described(**more: object) -> Row:
    return {"problem_description": "What is n?", "io_requirements": "Input: n", **function_row("def f(n):\n    return n", *[
        ({"n": n}, n) for n in range(5)]), **more}  # fmt: skip


def test_the_first_three_pairs_give_three_prompts_in_each_direction(tmp_path: Path) -> None:
    rows = one(tmp_path, described())
    assert [(row["ioid"], row["io_pred"]) for row in rows] == [(n, way) for n in range(3) for way in "oi"]
    record = parse_function(described(), 0, 1)
    assert {row["function_id"] for row in rows} == {record.id}
    assert [row["pair_id"] for row in rows[::2]] == [pair.id for pair in record.pairs[:3]]
    assert [row["id"] for row in rows] == [prompt_id(row["pair_id"], row["io_pred"]) for row in rows]
    assert len({row["id"] for row in rows}) == 6


def test_the_number_of_pairs_is_a_parameter_and_repeated_pairs_are_passed_over(tmp_path: Path) -> None:
    row = function_row("def f(n):\n    return n", *[({"n": n}, n) for n in (1, 1, 2, 2, 3)])
    assert [(row["itemid"], row["ioid"]) for row in one(tmp_path, row, pairs=10)[::2]] == [(0, 0), (0, 2), (0, 4)]


def test_the_prompt_holds_what_is_given_and_not_what_is_asked_for(tmp_path: Path) -> None:
    row = function_row("def f(x):\n    return [x]", ({"x": "given-marker"}, ["returned-marker"]))
    output, given = one(tmp_path, row)
    assert '{"x": "given-marker"}' in asked(output)
    assert "returned-marker" not in asked(output)
    assert '["returned-marker"]' in asked(given)
    assert "given-marker" not in asked(given)


def test_values_stand_in_the_prompt_as_json_that_can_be_read_back(tmp_path: Path) -> None:
    text = asked(one(tmp_path, dump(function_row("def f(x):\n    return 1", ({"x": TRICKY}, 1))))[0])
    line = next(line for line in text.splitlines() if line.startswith('{"x"'))
    assert "true" in line
    assert "null" in line
    assert "Größe" in line, "no escapes where a person reads none"
    assert "True" not in line
    assert "'" not in line
    answer = extract_answer(line.replace('{"x"', '{"output"', 1), "output")
    assert answer.value == TRICKY


def test_a_prompt_can_be_sent_whatever_the_texts_hold(tmp_path: Path) -> None:
    row = function_row("def f(x):\n    return x  # {braces} ```", ({"x": ["\ud800 {0} }", 10**5000]}, "\ud800"))
    for prompt in one(tmp_path, dump(row)):
        assert asked(prompt).encode()
        assert "{braces} ```" in asked(prompt)
        assert "````python" in asked(prompt), "the fence is longer than any in the code"


def test_the_forms_that_are_asked_for_are_those_that_verify_reads(tmp_path: Path) -> None:
    output, given = one(tmp_path, described(), pairs=1)
    assert '{"output": ...}' in asked(output)
    assert '{"input": {...}}' in asked(given)


def test_the_code_can_be_left_out(tmp_path: Path) -> None:
    assert "def f(n)" in asked(one(tmp_path, described())[0])
    without = tmp_path / "without"
    without.mkdir()
    rows = one(without, described(), code=False)
    assert "def f" not in asked(rows[0])
    assert "What is n?" in asked(rows[0])


def test_without_code_and_description_there_is_nothing_to_ask_about(tmp_path: Path) -> None:
    rows = [function_row("def f(n):\n    return n", ({"n": 1}, 1))]
    summary = prompts(write_rows(tmp_path / "f.jsonl", rows), tmp_path / "m.jsonl", PromptsSettings(code=False))
    assert (summary.counts["prompts"], summary.rejected) == (0, 1)
    assert "nothing says what the function does" in summary.first_reject


@pytest.mark.parametrize(
    ("more", "provenance"),
    [
        ({"provenance": {"license": "MIT", "repo_name": "a/b"}, "meta": {"x": 1}}, {"license": "MIT", "repo_name": "a/b"}),
        ({"meta": {"msgidx": 93}}, {"msgidx": 93}),
        ({"meta": None}, {}),
        ({}, {}),
    ],
)
def test_provenance_is_carried(more: Row, provenance: Row, tmp_path: Path) -> None:
    assert all(row["provenance"] == provenance for row in one(tmp_path, described(**more)))


def test_rows_that_cannot_be_used_are_rejected_with_the_reason(tmp_path: Path) -> None:
    good = described()
    rows: list[Row | str] = [good, "junk", {"funcname": "f"}, function_row("def g():\n    return 1", entry="g"), good]
    rows.append(described(provenance=[1], refcode="def f(n):\n    return n + 0"))
    summary = prompts(write_rows(tmp_path / "f.jsonl", rows), tmp_path / "m.jsonl")
    reasons = [row["reason"] for row in read_rows(tmp_path / "m.rejects.jsonl")]
    for part, reason in zip(("not JSON", "$.refcode", "$.ios", "line 1, at $.refcode", "$.provenance"), reasons, strict=True):
        assert part in reason
    assert (summary.counts["functions"], summary.counts["prompts"], summary.rejected) == (1, 6, 5)


def test_a_run_that_goes_on_still_knows_the_functions_before(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "f.jsonl", [described(), described(refcode="def f(n):\n    return int(n)"), described()])
    output = tmp_path / "m.jsonl"
    with pytest.raises(KeyboardInterrupt):
        prompts(source, output, progress=StopAfter(2))
    assert prompts(source, output).rejected == 1
    resumed = output.read_bytes()
    prompts(source, output, overwrite=True)
    assert output.read_bytes() == resumed


def test_another_template_is_another_run(tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    ours = TEXTS.load().path.read_text()
    (folder / "prompts.toml").write_text(ours.replace('[system]\ntext = ""', '[system]\ntext = "You are careful."'))
    settings = PromptsSettings(templates=folder)
    prompts(write_rows(tmp_path / "f.jsonl", [described()]), tmp_path / "m.jsonl", settings, selection=Selection(1))
    rows = read_rows(tmp_path / "m.jsonl")
    assert rows[0]["messages"][0] == {"role": "system", "content": "You are careful."}
    with pytest.raises(UsageError, match="another limit, templates"):
        prompts(tmp_path / "f.jsonl", tmp_path / "m.jsonl")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{about}## The call", "## The call", "{about} is missing, at $.output.text"),
        ("{problem}", "{problem}{expected}", "{expected} is not a placeholder, at $.parts.problem"),
        ('{{"output": ...}}', '{"output": ...}', "at $.output.text"),
        ("[input]", "[inputs]", "expected a string, at $.input.text"),
    ],
)
def test_a_faulty_template_is_refused_with_its_path(old: str, new: str, said: str, tmp_path: Path) -> None:
    ours = TEXTS.load().path.read_text()
    assert old in ours
    (tmp_path / "prompts.toml").write_text(ours.replace(old, new))
    with pytest.raises(UsageError) as caught:
        TEXTS.load(tmp_path)
    assert said in str(caught.value)


def test_the_command_tells_functions_prompts_and_rejects(tmp_path: Path) -> None:
    done = reexec("prompts", FUNCTIONS, "-o", tmp_path / "m.jsonl", "--pairs", "2", "--limit", "5", "--json")
    assert done.code == 0
    assert {name: done.summary[name] for name in ("rows", "prompts", "pairs", "rejected", "isolation", "workers")} == {
        "rows": 5, "prompts": 20, "pairs": 10, "rejected": 0, "isolation": None, "workers": None,
    }  # fmt: skip
    assert reexec("prompts", FUNCTIONS, "-o", tmp_path / "n.jsonl", "--pairs", "0").code == 2


def test_function_rows_of_the_original_are_taken_as_they_are(tmp_path: Path) -> None:
    if not SAMPLE.exists():
        lacking(f"the sample of CodeI/O's functions is not at {SAMPLE.name}")
    summary = prompts(SAMPLE, tmp_path / "m.jsonl")
    assert (summary.counts["functions"], summary.rejected) == (232, 0)
    functions = [json.loads(line) for line in SAMPLE.read_text().splitlines()]
    for row in read_rows(tmp_path / "m.jsonl"):
        function = functions[row["itemid"]]
        assert row["provenance"] == function["meta"]
        assert function["problem_description"].strip() in asked(row)
        assert function["refcode"].strip() in asked(row)
