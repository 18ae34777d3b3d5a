"""Transform: every row of code gives one prompt or one reason, and nothing of its provenance is lost."""

import json
import re
from pathlib import Path

import pytest

from reexec.engine.errors import UsageError
from reexec.runners.rows.row import Selection
from reexec.runners.stages.generate.unified import DESCRIPTION, GENERATOR, MAIN, PROBLEM
from reexec.runners.stages.transform import Transform, TransformSettings, code_id, messages, transform
from tests.support.helpers import EXAMPLES, Row, read_rows, reexec, write_rows

assert Transform.texts_file is not None
TEXTS = Transform.texts_file

RAW: list[Row] = [
    {"content": "print(1)\n", "license": "MIT", "path": "a.py", "stars": 3, "nested": {"big": 10**30}},
    {"content": "   \n"},
    {"content": "x = 1\n" * 50},
    {"content": None, "path": "b.py"},
    {"content": "print(1)\n", "path": "copy.py"},
    {"content": "print('{braces} {0} %s \\ud800 ```')"},
    {"path": "c.py"},
]


def test_rows_and_reasons_add_up(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "raw.jsonl", [*RAW, "not json"])
    result = transform(source, tmp_path / "messages.jsonl", TransformSettings(max_characters=200))
    rows = read_rows(tmp_path / "messages.jsonl")
    rejects = read_rows(tmp_path / "messages.rejects.jsonl")
    assert result.rows == len(rows) == 2
    assert result.rejected == len(rejects) == 6
    assert result.unreadable == 1
    assert result.counts["reasons"] == {"no-code": 2, "empty": 1, "repeated": 1, "too-long": 1}
    assert {row["line"]: row["reason"] for row in rejects} == {
        2: "the code is empty, at $.content",
        3: "300 characters of code, limit 200, at $.content",
        4: "content: expected a string, got null, at $.content",
        5: "the same code as in line 1, at $.content",
        7: "content: expected a string, got null, at $.content",
        8: "not JSON: expecting value at character 0",
    }


def test_a_row_holds_the_code_its_digest_and_its_provenance(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "raw.jsonl", RAW)
    transform(source, tmp_path / "messages.jsonl")
    for row, raw in zip(read_rows(tmp_path / "messages.jsonl"), [RAW[0], RAW[2], RAW[5]], strict=True):
        assert list(row) == ["id", "messages", "provenance"]
        assert row["id"] == code_id(str(raw["content"]))
        assert row["provenance"] == {name: value for name, value in raw.items() if name != "content"}
        (message,) = row["messages"]
        assert message["role"] == "user"
        assert str(raw["content"]) in message["content"]


def test_the_prompt_asks_for_what_generate_reads() -> None:
    (message,) = messages(TEXTS.load(), "pass")
    headings = re.findall(r"^## (.+)$", message["content"], re.MULTILINE)
    assert [heading.lower() for heading in headings] == [MAIN, DESCRIPTION, GENERATOR, PROBLEM]
    assert "`main_solution`" in message["content"]
    assert "`input_generator`" in message["content"]


def test_own_templates_replace_ours(tmp_path: Path) -> None:
    (tmp_path / "transform.toml").write_text('[system]\ntext = "Be brief."\n[user]\ntext = "Look: {code} {{}}"\n')
    assert messages(TEXTS.load(tmp_path), "pass") == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Look: pass {}"},
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[user]\ntext = "no place"', r"the placeholder \{code\} is missing, at \$\.user\.text"),
        ('[user]\ntext = "{code} {other}"', r"\{other\} is not a placeholder, at \$\.user\.text"),
        ('[user]\ntext = "{code"', r"at \$\.user\.text"),
        ('[user]\ntext = "{code.x}"', r"at \$\.user\.text"),
        ("[user]\ntext = 5", r"expected a string, at \$\.user\.text"),
        ("[user", "cannot be read as TOML"),
    ],
)
def test_a_template_that_cannot_serve_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "transform.toml").write_text(text)
    with pytest.raises(UsageError, match=said):
        TEXTS.load(tmp_path)


def test_it_goes_on_after_a_part_and_still_knows_what_it_saw(tmp_path: Path) -> None:
    rows = [{"content": f"x = {number % 30}"} for number in range(60)]
    source = write_rows(tmp_path / "raw.jsonl", rows[:20])
    output = tmp_path / "messages.jsonl"
    transform(source, output)
    write_rows(source, rows)
    assert transform(source, output).counts["reasons"] == {"repeated": 30}
    whole = tmp_path / "whole.jsonl"
    transform(source, whole)
    assert whole.read_bytes() == output.read_bytes()
    assert len(read_rows(output)) == 30


def test_shards_and_limits(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "raw.jsonl", [{"content": f"x = {number}"} for number in range(9)])
    counts = []
    for index in range(2):
        chosen = Selection(None, (index, 2))
        counts.append(transform(source, tmp_path / f"{index}.jsonl", selection=chosen).rows)
    assert counts == [5, 4]
    assert transform(source, tmp_path / "few.jsonl", selection=Selection(3)).rows == 3


def test_the_bundled_responses_answer_the_bundled_code(tmp_path: Path) -> None:
    done = reexec("transform", EXAMPLES / "raw.jsonl", "-o", tmp_path / "m.jsonl", "--json")
    assert (done.code, done.summary["rows"], done.summary["isolation"]) == (0, 12, None)
    asked, answered = read_rows(tmp_path / "m.jsonl"), read_rows(EXAMPLES / "unified.jsonl")
    assert [row["id"] for row in asked] == [row["id"] for row in answered]
    assert [row["provenance"] for row in asked] == [row["provenance"] for row in answered]
    assert all(row["provenance"]["license"] for row in asked)


def test_a_bad_call_ends_in_one_line(tmp_path: Path) -> None:
    done = reexec("transform", EXAMPLES / "raw.jsonl", "-o", tmp_path / "m.jsonl", "--max-chars", "0")
    assert (done.code, done.one_line()) == (2, "reexec: --max-chars 0: must be 1 or more")
    done = reexec("transform", EXAMPLES / "raw.jsonl", "-o", tmp_path / "m.jsonl", "--max-chars", "300", "--json")
    assert done.code == 1
    assert done.summary["rows"] + done.summary["rejected"] == 12
    assert json.dumps(done.summary["reasons"]) == json.dumps({"too-long": done.summary["rejected"]})
